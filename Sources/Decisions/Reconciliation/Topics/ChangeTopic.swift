import KubernetesResources
import MirrorPlanning
import Vocabulary

extension TopicPlanning {
  /// Brings an existing topic to its target: replicas first, then settings that depend on them, then partitions.
  mutating func change(_ wanted: WantedTopic, _ target: TopicTarget, _ present: TopicFacts) {
    adopt(wanted, present)
    if isPaused(wanted) {
      report(
        wanted, [Condition("Ready", .yes, "Paused", "The annotation \(Marks.pause) is true: nothing changes.")], present
      )
      return
    }
    let misplaced = present.partitions.indices.filter { !isPlaced(present.partitions[$0], target) }
    let moving = present.partitions.contains { $0.isMoving }
    var (doing, refused): ([String], [String]) = ([], [])
    let movesBefore = moves.count
    if !misplaced.isEmpty {
      doing.append(move(misplaced, of: present, to: target))
    } else if moving {
      doing.append("Replicas are being moved.")
    }
    for move in moves[movesBefore...] {
      guard let why = situation.refused.words(of: .reassign([move])) else { continue }
      refused.append("The brokers refuse to move replicas (\(why)); correct spec.placement.")
    }
    let changes = settings(target, present, isPlaced: misplaced.isEmpty && !moving)
    if !changes.isEmpty {
      let alteration = TopicAlteration(topic: present.name, changes: changes)
      alterations.append(alteration)
      if let why = situation.refused.words(of: .alterTopics([alteration])) {
        refused.append("The brokers refuse the settings \(Self.words(changes)) (\(why)); correct spec.config.")
      }
      doing.append("Settings are being changed: \(listed(changes.keys.sorted())).")
    }
    let isShort = wanted.topic.spec.partitions > present.partitions.count && present.mirror == nil
    if isShort, misplaced.isEmpty, !moving, changes.isEmpty {
      let increase = PartitionIncrease(topic: present.name, partitions: wanted.topic.spec.partitions)
      increases.append(increase)
      if let why = situation.refused.words(of: .addPartitions([increase])) {
        refused.append("The brokers refuse \(increase.partitions) partitions (\(why)); correct spec.partitions.")
      }
      doing.append("Partitions are being added.")
    } else if isShort {
      doing.append("Partitions are added after that.")
    }
    guard refused.isEmpty else { return report(wanted, refused: refused, present) }
    guard doing.isEmpty else {
      report(wanted, [Condition("Ready", .no, "Changing", doing.joined(separator: " "))], present)
      return
    }
    let ready =
      present.mirror.map {
        Condition(
          "Ready", .yes, "Mirrored",
          "The mirror '\($0)' writes the topic: partitions and settings are those of its source, but for placement.")
      } ?? Condition("Ready", .yes, "AsWanted", "The topic is as it should be.")
    report(wanted, [ready], present)
  }

  /// Says that a topic which somebody else made is this resource's from now on.
  private mutating func adopt(_ wanted: WantedTopic, _ present: TopicFacts) {
    let recorded = wanted.copies.keys.sorted().compactMap { wanted.copies[$0]?.content?.status.topicID }.first
    // What was asked for here and is there now is not somebody else's, also where it was refused at first.
    let isOwn = wanted.copies.values.contains { copy in
      let reason = copy.content?.status.conditions["Ready"]?.reason
      return reason == Self.beingCreated || reason == Self.refused
    }
    if recorded == nil, !isOwn {
      events.append(
        .event(wanted.id, .normal, reason: "Adopted", message: "The topic '\(present.name)' exists, and is taken over.")
      )
    }
  }

  /// The changes of settings that the brokers accept now. Those that speak of placement follow the replicas; the
  /// Regions that are allowed are first widened to let new replicas in, and a minimum of Regions is first lowered to let
  /// replicas go.
  private func settings(_ target: TopicTarget, _ present: TopicFacts, isPlaced: Bool) -> [String: String?] {
    var changes: [String: String?] = [:]
    var late: Set<String> = ["placement.allowed.regions", "placement.replicas.per.region"]
    if !isLoweringMinimum(target, present) { late.insert(Self.minimumKey) }
    // What mirrors write about a topic is theirs: a switchover that found its fence gone would lose records. Of a topic
    // that a mirror writes the settings are the source's, but for those about places.
    func isOurs(_ key: String) -> Bool {
      !key.hasPrefix("mirror.") && (present.mirror == nil || !isFollowed(key))
    }
    for (key, value) in target.config where present.config[key] != value && isOurs(key) {
      if isPlaced || !late.contains(key) { changes[key] = value }
    }
    for key in present.config.keys where target.config[key] == nil && isOurs(key) && !Self.throttleKeys.contains(key) {
      if isPlaced || !late.contains(key) || key == "placement.allowed.regions" { changes.updateValue(nil, forKey: key) }
    }
    if !isPlaced, let old = present.config["placement.allowed.regions"], let new = target.allowed {
      let wide = Set(old.split(separator: ",").map(String.init)).union(new).sorted().joined(separator: ",")
      if wide != old { changes["placement.allowed.regions"] = wide }
    }
    return changes
  }

  /// What an administrator sets for as long as replicas move (`kafka-reassign-partitions --throttle`), and takes away.
  private static let throttleKeys: Set<String> = [
    "leader.replication.throttled.replicas", "follower.replication.throttled.replicas",
  ]

  private static func words(_ changes: [String: String?]) -> String {
    listed(changes.sorted { $0.key < $1.key }.map { key, value in value.map { "\(key)=\($0)" } ?? "without \(key)" })
  }

  private static let minimumKey = "min.insync.regions"

  /// Whether fewer Regions have to be in sync in the end than now.
  private func isLoweringMinimum(_ target: TopicTarget, _ present: TopicFacts) -> Bool {
    func minimum(_ config: [String: String]) -> Int { config[Self.minimumKey].flatMap { Int($0) } ?? 1 }
    return minimum(target.config) < minimum(present.config)
  }

  private func region(_ id: NodeID) -> String { regionsByBroker[id] ?? "" }

  /// Whether a partition's replicas, as they will be, are where the target wants them.
  private func isPlaced(_ partition: PartitionFacts, _ target: TopicTarget) -> Bool {
    let staying = partition.replicas.filter { !partition.removing.contains($0) }
    // A broker that is not registered is one of whom nothing is known; it is no reason to move anything.
    guard staying.allSatisfy({ regionsByBroker[$0] != nil }) else { return true }
    if let allowed = target.allowed, !staying.allSatisfy({ allowed.contains(region($0)) }) { return false }
    let voters = partition.voters
    if target.replicas.isEmpty {
      let span = Set(voters.map(region)).count
      return voters.count == target.replicationFactor && span >= target.minRegions
    }
    var counts: [String: Int] = [:]
    for voter in voters { counts[region(voter), default: 0] += 1 }
    var observing: [String: Int] = [:]
    for observer in partition.observers where !partition.removing.contains(observer) {
      observing[region(observer), default: 0] += 1
    }
    return counts == target.replicas && observing == target.observers
  }

  private mutating func move(_ places: [Int], of present: TopicFacts, to target: TopicTarget) -> String {
    if let missing = target.missingBrokers(brokersByRegion) { return missing }
    // Replicas in fewer Regions than have to be in sync would be refused.
    if isLoweringMinimum(target, present) { return "Fewer Regions have to be in sync before replicas move." }
    // New replicas would be refused while the Regions that are allowed do not have them.
    if let old = present.config["placement.allowed.regions"] {
      let open = Set(old.split(separator: ",").map(String.init))
      let needed = target.replicas.isEmpty ? target.allowed ?? [] : Array(target.replicas.keys)
      if !needed.allSatisfy(open.contains) || target.allowed == nil {
        return "Regions are being allowed before replicas move."
      }
    }
    for place in places where room > 0 && !present.partitions[place].isMoving {
      guard let replicas = assign(present.partitions[place], target) else { continue }
      let move = Reassignment(topic: present.name, partition: place, replicas: replicas)
      moves.append(move)
      if situation.refused.isOpen(move) { room -= 1 }
    }
    return "\(places.count) of \(present.partitions.count) partitions are being moved."
  }

  /// The replicas that a partition shall have: those that fit stay, others come from whoever has least to do.
  private mutating func assign(_ partition: PartitionFacts, _ target: TopicTarget) -> [NodeID]? {
    var load = self.load ?? situation.brokers.content.map(ReplicaLoad.init)
    defer { self.load = load }
    let candidates = alive.filter { target.allowed?.contains($0.region) ?? true }
    var taken: Set<NodeID> = []
    func pick(_ region: String?, avoiding crowded: [String]) -> NodeID? {
      let fitting = candidates.filter { !taken.contains($0.id) && (region == nil || $0.region == region) }
      let best = fitting.min { a, b in
        let (crowdA, crowdB) = (crowded.count { $0 == a.region }, crowded.count { $0 == b.region })
        return (crowdA, load?[a.id] ?? 0, a.id) < (crowdB, load?[b.id] ?? 0, b.id)
      }
      if let best { load?.add(best.id) }
      return best?.id
    }
    let quotas: [String?] =
      target.replicas.isEmpty
      ? Array(repeating: nil, count: target.replicationFactor)
      : ordered(target.replicas, target.leaders).flatMap { Array(repeating: Optional($0.0), count: $0.1) }
    var voters: [NodeID?] = Array(repeating: nil, count: quotas.count)
    keep(partition, quotas, &voters, &taken, target)
    for place in voters.indices where voters[place] == nil {
      let crowded = voters.compactMap { $0.map(region) }
      guard let id = pick(quotas[place], avoiding: crowded) else { return nil }
      taken.insert(id)
      voters[place] = id
    }
    var observers: [NodeID] = []
    for (region, count) in target.observers.sorted(by: { $0.key < $1.key }) {
      let staying = partition.observers.filter { self.region($0) == region && !taken.contains($0) }.prefix(count)
      observers += staying
      taken.formUnion(staying)
      for _ in staying.count..<count {
        guard let id = pick(region, avoiding: []) else { return nil }
        taken.insert(id)
        observers.append(id)
      }
    }
    return voters.compactMap { $0 } + observers
  }

  /// Puts replicas that may stay into the places that fit them; of too many in one Region the last ones go.
  private func keep(
    _ partition: PartitionFacts, _ quotas: [String?], _ voters: inout [NodeID?], _ taken: inout Set<NodeID>,
    _ target: TopicTarget
  ) {
    let span = min(target.minRegions, quotas.count)
    for id in partition.voters where target.allowed?.contains(region(id)) ?? true {
      let regions = Set(voters.compactMap { $0.map(region) })
      let free = voters.count { $0 == nil }
      // Enough places stay free for the Regions that are missing.
      if target.replicas.isEmpty, regions.contains(region(id)), free <= span - regions.count { continue }
      guard
        let place = voters.indices.first(where: { voters[$0] == nil && (quotas[$0] == nil || quotas[$0] == region(id)) }
        )
      else { continue }
      voters[place] = id
      taken.insert(id)
    }
  }

  /// Regions with the wanted leaders' first, so that the first replica is in the most wanted one.
  private func ordered(_ counts: [String: Int], _ leaders: [String]) -> [(String, Int)] {
    counts.sorted { a, b in
      let (placeA, placeB) = (leaders.firstIndex(of: a.key) ?? .max, leaders.firstIndex(of: b.key) ?? .max)
      return (placeA, a.key) < (placeB, b.key)
    }.map { ($0.key, $0.value) }
  }
}
