public import KubernetesResources
import MirrorPlanning
import Vocabulary

/// What to do next about all KafkaMirrors into one cluster. Mirrors without a KafkaMirror are left alone.
public enum MirrorReconciliation {
  public struct Result: Hashable, Sendable {
    public var plan = Plan()
    /// KafkaMirrors that are being deleted and whose mirror rests, or goes on on purpose: their finalizer can go.
    public var gone: Set<ObjectID> = []
    /// What others that are being deleted wait for, where it is not the next step.
    public var waitsFor: [ObjectID: [String]] = [:]
  }

  public static func plan(_ situation: MirrorSituation) -> Result {
    var planning = MirrorPass(situation)
    for wanted in situation.mirrors.sorted(by: { $0.id < $1.id }) { planning.plan(wanted) }
    return planning.result
  }
}

/// One pass over all mirrors, and what it has come to so far.
struct MirrorPass {
  let situation: MirrorSituation
  /// By the mirrors' names: the topics that each of them writes.
  private let written: [String: [TopicFacts]]
  var asked: [Step] = []
  var told: [Step] = []
  var waits: [String] = []
  var gone: Set<ObjectID> = []
  private var waitsFor: [ObjectID: [String]] = [:]

  init(_ situation: MirrorSituation) {
    self.situation = situation
    var written: [String: [TopicFacts]] = [:]
    for topic in situation.brokers.content?.topics ?? [] {
      if let link = topic.mirror { written[link, default: []].append(topic) }
    }
    self.written = written
  }

  func topics(of wanted: WantedMirror) -> [TopicFacts] { written[wanted.mirror.mirrorName] ?? [] }

  mutating func plan(_ wanted: WantedMirror) {
    if wanted.mirror.metadata.isBeingDeleted { return delete(wanted) }
    if let mistake = mistake(wanted) {
      return report(wanted, nil, MirrorHealth(stalled: mistake.reason, mistake.message))
    }
    guard case .seen(let all) = situation.facts, situation.brokers.content?.leader != nil else {
      waits.append(situation.facts.why ?? situation.brokers.why ?? "the metadata quorum has no leader.")
      return report(wanted, nil, .unknown)
    }
    let present = all[wanted.mirror.mirrorName]
    if isPaused(wanted) {
      return report(
        wanted, present, MirrorHealth(ready: .yes, "Paused", "The annotation \(Marks.pause) is true: nothing changes."))
    }
    if present != nil, wanted.recorded?.mirrorName == nil {
      told.append(
        .event(
          wanted.id, .normal, reason: "Adopted",
          message: "The mirror '\(wanted.mirror.mirrorName)' exists, and is taken over."))
    }
    switch course(wanted, present) {
    case .ask(let changes, let reason, let message):
      let request = BrokerRequest.alterMirror(MirrorAlteration(mirror: wanted.mirror.mirrorName, changes: changes))
      asked.append(.ask(request))
      if let why = situation.refused.words(of: request) {
        return report(
          wanted, present,
          MirrorHealth(stalled: "Refused", "The brokers refuse what spec asks for (\(message)): \(why)."))
      }
      if changes["state"] != nil {
        told.append(.event(wanted.id, reason == "FailingOver" ? .warning : .normal, reason: reason, message: message))
      }
      report(wanted, present, MirrorHealth(changing: reason, message), isTaken: true)
    case .wait(let reason, let message):
      waits.append(message)
      report(wanted, present, MirrorHealth(changing: reason, message))
    case .arrived(let role):
      let health = role == .standby ? copying(wanted, present) : owning(wanted, present)
      // How far the brokers are shows on no watch.
      if health.isChanging || health.ready.reason == Self.noTopics { waits.append(health.ready.message) }
      report(wanted, present, health, arrived: role)
    }
  }

  private func isPaused(_ wanted: WantedMirror) -> Bool { wanted.mirror.metadata.annotations[Marks.pause] == "true" }

  /// The mirror rests before its resource goes. Topics stay as they are: what it wrote takes no writes of clients, and
  /// nothing becomes anybody's own because an object was deleted.
  private mutating func delete(_ wanted: WantedMirror) {
    guard !isPaused(wanted) else {
      return wait(wanted, "The annotation \(Marks.pause) is true, so that the mirror runs on: take it away.")
    }
    // A mirror that was never this resource's is not its to stop; and a cluster that goes takes its mirrors with it.
    guard wanted.spec.deletionPolicy == .pause, wanted.recorded?.mirrorName != nil,
      !situation.cluster.metadata.isBeingDeleted
    else {
      gone.insert(wanted.id)
      return
    }
    guard case .seen(let all) = situation.facts else {
      return wait(wanted, "\(wanted.id) goes once the brokers answer.")
    }
    guard let present = all[wanted.mirror.mirrorName], present.promoted == nil, present.state != .paused else {
      gone.insert(wanted.id)
      return
    }
    guard present.state != .failover else {
      return wait(wanted, "\(wanted.id) goes once the failover is done.")
    }
    // A switchover is given up with that: a mirror that rests opens what it has closed at the source.
    let request = BrokerRequest.alterMirror(
      MirrorAlteration(mirror: wanted.mirror.mirrorName, changes: ["state": "paused"]))
    asked.append(.ask(request))
    if let why = situation.refused.words(of: request) {
      waitsFor[wanted.id] = ["The mirror is to be paused first, and the brokers refuse that (\(why))."]
    }
  }

  private mutating func wait(_ wanted: WantedMirror, _ words: String) {
    waits.append(words)
    waitsFor[wanted.id] = [words]
  }

  var result: MirrorReconciliation.Result {
    var result = MirrorReconciliation.Result()
    result.plan.steps = asked + told
    result.plan.waits = waits
    result.gone = gone
    result.waitsFor = waitsFor
    return result
  }
}

extension View {
  /// Why it is not known; nil where it is.
  var why: String? { if case .unknown(_, let why) = self { why } else { nil } }
}
