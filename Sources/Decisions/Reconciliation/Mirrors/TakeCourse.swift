import KubernetesResources
import MirrorPlanning
import Vocabulary

/// What is done about a mirror next. The brokers keep every state that matters in their metadata and take all steps of a
/// verb by themselves: here is only decided what is asked of them, once for each change of what is wanted.
enum MirrorCourse: Hashable {
  /// The target is what it shall be.
  case arrived(KafkaMirrorSpec.Role)
  case ask([String: String], reason: String, message: String)
  case wait(reason: String, message: String)
}

extension MirrorPass {
  func course(_ wanted: WantedMirror, _ present: MirrorFacts?) -> MirrorCourse {
    switch wanted.spec.role {
    case .standby: standby(wanted, present)
    case .primary: primary(wanted, present)
    }
  }

  // MARK: A copy of the source

  private func standby(_ wanted: WantedMirror, _ present: MirrorFacts?) -> MirrorCourse {
    guard let present else { return make(wanted) }
    guard present.promoted == nil else { return goBack(wanted, present) }
    let drift = drift(wanted, present)
    switch present.state {
    case .running where wanted.spec.paused:
      return .ask(
        drift.merging(["state": "paused"]) { $1 }, reason: "Pausing", message: "The mirror is being paused.")
    case .paused where wasPrimary(wanted) && hasNothing(wanted, present):
      // An owner without a copy of anything: what clients wrote here is given up to who has taken over.
      return goBack(wanted, present)
    case .paused where !wanted.spec.paused:
      return .ask(
        drift.merging(["state": "running"]) { $1 }, reason: "Resuming", message: "The mirror is being resumed.")
    case .running, .paused, .failback:
      if !drift.isEmpty {
        return .ask(
          drift, reason: "Changing",
          message: "Settings of the mirror are being changed: \(listed(drift.keys.sorted())).")
      }
      guard present.state == .failback else { return .arrived(.standby) }
      return .wait(
        reason: "FailingBack", message: "The topics become copies of the source's again.\(trouble(present))")
    case .switchover:
      return .ask(
        ["state": "running"], reason: "GivingUp",
        message: "The switchover is given up: the source's topics are opened again.")
    case .failover:
      return .wait(
        reason: "FailingOver", message: "The failover that was asked for has no way back: it is finished first.")
    case nil:
      return .wait(
        reason: "UnknownState", message: "The mirror's state is \(shown(present)), which this operator does not know.")
    }
  }

  private func wasPrimary(_ wanted: WantedMirror) -> Bool {
    wanted.recorded?.role == KafkaMirrorSpec.Role.primary.rawValue
  }

  /// A mirror that is not there yet. That it runs is not stated: should it be there all the same, nothing is given up.
  private func make(_ wanted: WantedMirror) -> MirrorCourse {
    var changes = settings(wanted)
    guard changes["bootstrap.servers"] != nil else {
      return .wait(reason: "WaitingForSource", message: "The source has no addresses yet.")
    }
    guard wasPrimary(wanted) else {
      if wanted.spec.paused { changes["state"] = "paused" }
      return .ask(changes, reason: "BeingCreated", message: "The mirror is being created.")
    }
    changes["state"] = "failback"
    return .ask(changes, reason: "FailingBack", message: Self.goingBack)
  }

  private static let goingBack =
    "The topics become copies of the source's again: what only this cluster has is set aside first."

  private func goBack(_ wanted: WantedMirror, _ present: MirrorFacts) -> MirrorCourse {
    var changes = drift(wanted, present)
    changes["state"] = "failback"
    return .ask(changes, reason: "FailingBack", message: Self.goingBack)
  }

  // MARK: The owner

  private func primary(_ wanted: WantedMirror, _ present: MirrorFacts?) -> MirrorCourse {
    guard let present, present.promoted == nil else { return .arrived(.primary) }
    let isForced = present.generation != nil && wanted.spec.failoverGeneration == present.generation
    switch present.state {
    case .failover:
      return .wait(
        reason: "FailingOver", message: "The topics become this cluster's own, without the source.\(trouble(present))")
    case .switchover where !isForced:
      return .wait(reason: "SwitchingOver", message: switching(wanted, present))
    case .running, .paused, .failback, .switchover:
      if present.state != .switchover, hasNothing(wanted, present) {
        return present.state == .paused
          ? .arrived(.primary)
          : .ask(
            ["state": "paused"], reason: "Pausing",
            message: "The mirror writes no topic, so that there is none to take over: it is being paused.")
      }
      if isForced {
        return .ask(
          fencing(wanted, present).merging(["state": "failover"]) { $1 }, reason: "FailingOver",
          message: "The topics become this cluster's own without the source, as spec.failoverGeneration says.")
      }
      if present.state == .failback {
        return .ask(
          ["state": "running"], reason: "GivingUp",
          message: "What is not done of the fail-back is given up, before the topics are taken over again.")
      }
      guard present.settings["source.kind"] != "other" else { return unclosable(present) }
      return .ask(["state": "switchover"], reason: "SwitchingOver", message: switching(wanted, present))
    case nil:
      return .wait(
        reason: "UnknownState", message: "The mirror's state is \(shown(present)), which this operator does not know.")
    }
  }

  /// Asked for a switchover from it, the brokers would refuse each time.
  private func unclosable(_ present: MirrorFacts) -> MirrorCourse {
    let generation = present.generation.map { "\($0)" } ?? "the number in status.generation"
    return .wait(
      reason: "SourceCannotBeClosed",
      message: "The source is not Swiftwater, and nothing closes its topics to producers. Stop those that write there, "
        + "wait for lagRecords 0, and set spec.failoverGeneration to \(generation): nothing is lost then.")
  }

  private func switching(_ wanted: WantedMirror, _ present: MirrorFacts) -> String {
    var words = "The source is closed, and the topics become this cluster's own once every record is here."
    if let problem = present.problems[""] { words += " It waits: \(problem)." }
    guard let generation = present.generation else { return words }
    if let asked = wanted.spec.failoverGeneration, asked != generation {
      words +=
        " spec.failoverGeneration is \(asked), and the generation is \(generation): with \(generation) it is a failover, which does not ask the source."
    } else if present.problems[""] != nil {
      words +=
        " If the source is lost for good, spec.failoverGeneration: \(generation) takes the topics over without it, and may lose records."
    }
    return words
  }

  /// Whether the mirror writes no topic, for all that is known: who did not answer may lead what it writes.
  func hasNothing(_ wanted: WantedMirror, _ present: MirrorFacts) -> Bool {
    present.partitions.isEmpty && present.silent.isEmpty && topics(of: wanted).isEmpty
  }

  // MARK: Settings

  /// What a mirror is asked for, in the brokers' words. Addresses that are not known yet are left out.
  func settings(_ wanted: WantedMirror) -> [String: String] {
    let spec = wanted.spec
    var settings = [
      "topics": spec.topics.joined(separator: ","), "groups": spec.groups.joined(separator: ","),
      "gap.policy": spec.gapPolicy == .accept ? "accept" : "halt",
      "divergence.policy": spec.divergencePolicy == .setAside ? "set-aside" : "halt",
      "set.aside.bytes.max": "\(spec.setAsideBytesMax)",
    ]
    let servers =
      switch wanted.source {
      case .cluster(_, let servers), .given(let servers): servers
      case .noSuchCluster: [String]()
      }
    // Stated only where there is one: older brokers do not know the keys.
    for limit in Self.limits { settings[limit.key] = limit.wanted(spec).map { "\($0)" } }
    if !servers.isEmpty { settings["bootstrap.servers"] = servers.joined(separator: ",") }
    return settings
  }

  /// The settings that are other than wanted. In another order addresses are the same ones.
  private func drift(_ wanted: WantedMirror, _ present: MirrorFacts) -> [String: String] {
    var changed = settings(wanted).filter { key, value in
      guard let now = present.settings[key] else { return true }
      return key == "bootstrap.servers"
        ? Set(now.split(separator: ",")) != Set(value.split(separator: ",")) : now != value
    }
    for limit in Self.limits where limit.wanted(wanted.spec) == nil {
      let usual = "\(limit.usual)"
      if let now = present.settings[limit.key], now != usual { changed[limit.key] = usual }
    }
    return changed.merging(fencing(wanted, present)) { $1 }
  }

  /// Stated only where it is not as wanted: older brokers do not know the key.
  private func fencing(_ wanted: WantedMirror, _ present: MirrorFacts) -> [String: String] {
    let now = present.settings[Self.fencingKey] != "false"
    return now == wanted.spec.fencesSource ? [:] : [Self.fencingKey: "\(wanted.spec.fencesSource)"]
  }

  /// What a person may leave out, and what the brokers do then.
  private struct Limit: Sendable {
    let key: String
    let usual: Int
    let wanted: @Sendable (KafkaMirrorSpec) -> Int?
  }
  private static let limits = [
    Limit(key: "mirror.throttled.rate", usual: .max) { $0.throttledRate },
    Limit(key: "mirror.fetch.buffer.bytes", usual: 32 << 20) { $0.fetchBufferBytes },
    Limit(key: "num.mirror.fetchers", usual: 1) { $0.fetchers },
  ]
  static var fencingKey: String { "source.fencing.enable" }

  private func trouble(_ present: MirrorFacts) -> String { present.problems[""].map { " It waits: \($0)." } ?? "" }

  private func shown(_ present: MirrorFacts) -> String { "'\(present.settings["state"] ?? "")'" }
}
