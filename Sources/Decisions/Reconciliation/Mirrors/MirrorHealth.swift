import KubernetesResources
import MirrorPlanning
import Vocabulary

/// What is said about a mirror in conditions.
struct MirrorHealth: Hashable {
  let ready: Condition
  var stalled = Condition("Stalled", .no, "Works", "Nothing is in the way.")
  var isChanging = false

  init(ready: Condition.Status, _ reason: String, _ message: String) {
    self.ready = Condition("Ready", ready, reason, message)
  }
  init(changing reason: String, _ message: String) {
    self.init(ready: .no, reason, message)
    isChanging = true
  }
  init(stalled reason: String, _ message: String) {
    self.init(ready: .no, reason, message)
    stalled = Condition("Stalled", .yes, reason, message)
  }
  static let unknown = MirrorHealth(
    ready: .unknown, "BrokersUnknown", "The brokers of the target have not been asked, or do not answer.")

  var reconciling: Condition {
    isChanging
      ? Condition("Reconciling", .yes, "InProgress", ready.message)
      : Condition("Reconciling", .no, "UpToDate", "Nothing is being done.")
  }
}

/// How old a reading of the source may be before the source is called silent.
private let freshSpan = TimeSpan.seconds(15)

extension MirrorPass {
  static let beginning = "Beginning"
  static let noTopics = "NoTopics"

  /// A Standby that nothing has to be done about.
  func copying(_ wanted: WantedMirror, _ present: MirrorFacts?) -> MirrorHealth {
    guard let present else { return .unknown }
    let halted = haltedCondition(wanted, present)
    if halted.status == .yes { return MirrorHealth(ready: .no, "Halted", halted.message) }
    let left = present.problems.sorted { $0.key < $1.key }.map { $0.key.isEmpty ? $0.value : "\($0.key): \($0.value)" }
    if !left.isEmpty { return MirrorHealth(ready: .no, "LeftOut", "Not everything is copied: \(listed(left)).") }
    if present.state == .paused {
      return MirrorHealth(ready: .yes, "Paused", "The mirror is paused, as spec.paused says: nothing is copied.")
    }
    let mirroring = mirroringCondition(wanted, present)
    guard mirroring.status == .yes else {
      var health = MirrorHealth(ready: mirroring.status, mirroring.reason, mirroring.message)
      health.isChanging = mirroring.reason == Self.beginning
      return health
    }
    return MirrorHealth(ready: .yes, mirroring.reason, mirroring.message)
  }

  /// A Primary that nothing has to be done about.
  func owning(_ wanted: WantedMirror, _ present: MirrorFacts?) -> MirrorHealth {
    guard let present, present.promoted != nil else {
      return MirrorHealth(
        ready: .yes, "NothingMirrored", "The mirror writes no topic: what there is in the target is its own.")
    }
    let generation = present.generation.map { "\($0)" } ?? "unknown"
    var words = "The topics are the target's own since generation \(generation)."
    if let report = promotion(wanted, present), report.by == Self.failoverName {
      let known = report.knownLostRecords.map { "\($0) records are known to be lost" } ?? "how much is lost is unknown"
      words += " In the failover \(known)"
      if report.unknownPartitions > 0 {
        words += "; of \(report.unknownPartitions) of \(report.partitions) partitions nothing is known"
      }
      words += "; what the source took after it was last heard of is lost as well."
      if present.settings[Self.fencingKey] == "true",
        present.settings["source.fenced"] != present.settings["generation"]
      {
        words += " The source does not know yet that the topics have another owner, and is told as soon as it answers."
      }
    }
    return MirrorHealth(ready: .yes, "Owner", words)
  }

  /// Whether records are being copied, from what the leaders say.
  func mirroringCondition(_ wanted: WantedMirror, _ present: MirrorFacts?) -> Condition {
    let type = "Mirroring"
    guard let present else { return Condition(type, .no, "NoMirror", "There is no mirror.") }
    guard present.promoted == nil else { return Condition(type, .no, "Owner", "The topics are the target's own.") }
    switch present.state {
    case .paused: return Condition(type, .no, "Paused", "The mirror is paused.")
    case .failover: return Condition(type, .no, "FailingOver", "The topics become the target's own.")
    case .running, .switchover, .failback, nil: break
    }
    guard present.sourceID != nil else {
      return Condition(
        type, .no, Self.beginning, "The source at \(servers(present)) has not answered yet; is the address right?")
    }
    let counts = counts(wanted, present)
    guard counts.total > 0 else {
      return Condition(
        type, .yes, Self.noTopics, "The source has no topic that spec.topics names, or none was made here yet.")
    }
    if counts.unknown > 0 {
      return Condition(
        type, .unknown, "BrokersUnknown",
        "No broker of the target says anything of \(counts.unknown) of \(counts.total) partitions.")
    }
    if counts.halted > 0 {
      return Condition(
        type, .no, "Halted", "\(counts.halted) of \(counts.total) partitions stand still; Halted names them.")
    }
    let crowded = present.partitions.filter(\.value.isShortOfRoom).sorted { $0.key < $1.key }
    if let first = crowded.first {
      return Condition(
        type, .no, "DiskShort",
        "\(crowded.count) of \(counts.total) partitions are not copied for want of room, such as \(first.key): "
          + "\(first.value.reason ?? "")."
      )
    }
    let late = present.partitions.filter { $0.value.age.map { $0 >= freshSpan } ?? true }
    guard counts.waiting == 0, late.isEmpty else {
      let places = late.isEmpty ? present.partitions.filter { $0.value.state != .copying } : late
      // A copy that has never heard of its source has only just begun, or its source is not there.
      let isNew = places.values.allSatisfy { $0.age == nil }
      let names = listed(places.keys.sorted().map { "\($0)" })
      return Condition(
        type, .no, isNew ? Self.beginning : "SourceSilent",
        "The source at \(servers(present)) has not answered about \(places.count) of \(counts.total) partitions: \(names)."
      )
    }
    return Condition(type, .yes, "Copying", "\(counts.total) partitions are copied.")
  }

  func haltedCondition(_ wanted: WantedMirror, _ present: MirrorFacts?) -> Condition {
    let type = "Halted"
    guard let present else { return Condition(type, .no, "NoMirror", "There is no mirror.") }
    let halted = present.partitions.filter { $0.value.state == .halted }.sorted { $0.key < $1.key }
    guard halted.isEmpty else {
      let words = listed(halted.map { "\($0.key): \($0.value.reason ?? "for a reason that was not said")" })
      return Condition(type, .yes, "Halted", "\(halted.count) partitions stand still: \(words).")
    }
    guard present.silent.isEmpty else {
      return Condition(
        type, .unknown, "BrokersUnknown",
        "The brokers \(listed(present.silent.map { "\($0)" })) of the target do not say how their partitions are.")
    }
    return Condition(type, .no, "Goes", "No partition stands still.")
  }

  private func servers(_ present: MirrorFacts) -> String {
    present.settings["bootstrap.servers"] ?? "an unknown address"
  }
}
