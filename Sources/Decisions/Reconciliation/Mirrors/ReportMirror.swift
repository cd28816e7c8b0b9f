import KubernetesResources
import MirrorPlanning
import Vocabulary

extension MirrorPass {
  static let failoverName = "Failover"
  static let switchoverName = "Switchover"

  /// Writes the status into each copy that can be seen and differs.
  mutating func report(
    _ wanted: WantedMirror, _ present: MirrorFacts?, _ health: MirrorHealth, arrived: KafkaMirrorSpec.Role? = nil,
    isTaken: Bool = false
  ) {
    var conditions = [health.ready, health.stalled, health.reconciling]
    if health == .unknown {
      conditions += ["Mirroring", "Halted"].map { Condition($0, .unknown, "BrokersUnknown", health.ready.message) }
    } else if health.stalled.status == .yes {
      // What runs was not looked at, and what was said of it stays.
      conditions += (wanted.recorded?.conditions ?? []).filter { $0.type == "Mirroring" || $0.type == "Halted" }
    } else {
      conditions += [mirroringCondition(wanted, present), haltedCondition(wanted, present)]
    }
    if let arrived, let before = wanted.recorded?.role, before != arrived.rawValue {
      told.append(.event(wanted.id, .normal, reason: "Became\(arrived.rawValue)", message: health.ready.message))
    }
    for member in wanted.copies.keys.sorted() {
      guard let copy = wanted.copies[member]?.content else { continue }
      var new = copy.status
      new.observedGeneration = copy.generation
      if isTaken { (new.mirrorName, new.target) = (wanted.mirror.mirrorName, wanted.spec.target) }
      if health.stalled.status != .yes { describe(wanted, present, health, arrived, in: &new) }
      new.conditions = conditions.settled(
        after: copy.status.conditions, generation: copy.generation, now: situation.now)
      if !wanted.mayMeasure, Self.isCalm(new, after: copy.status) { continue }
      if new != copy.status { told.append(.writeStatus(wanted.id, new.json, member: member)) }
    }
  }

  /// Whether nothing is new but figures, and words about the same: they change all the time, and are written now and then.
  private static func isCalm(_ new: KafkaMirrorStatus, after old: KafkaMirrorStatus) -> Bool {
    var calm = new
    if new.lagRecords != nil, old.lagRecords != nil { calm.lagRecords = old.lagRecords }
    if let now = new.partitions, let before = old.partitions, now.halted == before.halted { calm.partitions = before }
    calm.conditions = new.conditions.map { condition in
      guard let before = old.conditions[condition.type], before.status == condition.status,
        before.reason == condition.reason
      else { return condition }
      var condition = condition
      condition.message = before.message
      return condition
    }
    return calm == old
  }

  private func describe(
    _ wanted: WantedMirror, _ present: MirrorFacts?, _ health: MirrorHealth, _ arrived: KafkaMirrorSpec.Role?,
    in status: inout KafkaMirrorStatus
  ) {
    switch wanted.source {
    case .cluster(let id, _), .noSuchCluster(let id): status.source = "\(id.namespace)/\(id.name)"
    case .given(let servers): status.source = servers.first
    }
    (status.lagRecords, status.sourceReadingAge, status.partitions, status.topics) = (nil, nil, nil, nil)
    if let arrived { status.role = arrived.rawValue }
    guard let present else { return }
    (status.mirrorName, status.target) = (wanted.mirror.mirrorName, wanted.spec.target)
    status.sourceClusterID = present.sourceID
    status.generation = present.generation
    guard present.promoted == nil else {
      status.lastPromotion = promotion(wanted, present) ?? status.lastPromotion
      return
    }
    let counts = counts(wanted, present)
    status.partitions = counts
    status.topics = Set(topics(of: wanted).map(\.name) + present.partitions.keys.map(\.topic.text)).count
    let lags = present.partitions.values.map(\.lag)
    if counts.unknown == 0, lags.allSatisfy({ $0 != nil }), counts.total > 0 {
      status.lagRecords = Int(clamping: lags.reduce(0) { $0 + ($1 ?? 0) })
    }
    let ages = present.partitions.values.map(\.age)
    if counts.unknown == 0, let oldest = ages.compactMap({ $0 }).max(), ages.allSatisfy({ $0 != nil }) {
      status.sourceReadingAge = Self.words(oldest)
    }
  }

  /// Partitions that the mirror writes. Those that no broker says anything of are unknown, and are counted.
  func counts(_ wanted: WantedMirror, _ present: MirrorFacts) -> MirrorPartitionCounts {
    var counts = MirrorPartitionCounts()
    for status in present.partitions.values {
      switch status.state {
      case .copying: counts.copying += 1
      case .waiting, .stopped: counts.waiting += 1
      case .halted: counts.halted += 1
      }
    }
    var places = Set(present.partitions.keys)
    for topic in topics(of: wanted) {
      guard let name = TopicName(topic.name) else { continue }
      for index in topic.partitions.indices {
        places.insert(TopicPartition(name, PartitionIndex(Int32(clamping: index))))
      }
    }
    counts.total = places.count
    counts.unknown = places.count - present.partitions.count
    return counts
  }

  /// In steps, so that what is said of a source that answers does not change.
  static func words(_ age: TimeSpan) -> String {
    let steps: [(TimeSpan, String)] = [
      (.seconds(15), "under 15s"), (.seconds(60), "under 1m"), (.seconds(300), "under 5m"),
      (.seconds(3600), "under 1h"), (.seconds(86_400), "under 1d"),
    ]
    return steps.first { age < $0.0 }?.1 ?? "over 1d"
  }

  /// What the brokers have written down about the last change of the target to Primary.
  func promotion(_ wanted: WantedMirror, _ present: MirrorFacts) -> MirrorPromotion? {
    guard let at = present.promoted, let generation = present.generation else { return nil }
    // What was recorded once stays: topics may be deleted, or change sides by themselves.
    if let recorded = wanted.recorded?.lastPromotion, recorded.generation == generation { return recorded }
    let selection = NameSelection(present.settings["topics"] ?? "*")
    var promotion = MirrorPromotion()
    promotion.by = present.state == .failover ? Self.failoverName : Self.switchoverName
    promotion.at = at
    promotion.generation = generation
    var lost: Int64 = 0
    for topic in situation.brokers.content?.topics ?? [] where selection.contains(topic.name) {
      guard let report = topic.config["mirror.report"], ownershipGeneration(topic.config) == generation else {
        continue
      }
      for (_, finding) in PartitionFinding.parse(report) {
        promotion.partitions += 1
        guard let loss = finding?.knownLoss else {
          promotion.unknownPartitions += 1
          continue
        }
        lost += loss
        if let age = finding?.age {
          promotion.knownMillisecondsBefore = max(
            promotion.knownMillisecondsBefore ?? 0, Int(clamping: age.milliseconds))
        }
      }
    }
    if promotion.partitions > promotion.unknownPartitions { promotion.knownLostRecords = Int(clamping: lost) }
    return promotion
  }
}
