import Vocabulary

extension MetadataImage {
  /// Replicas for new partitions of one topic, on live brokers, as its rules say. A nil factor takes the number that
  /// placement.replicas.per.region comes to.
  func place(
    partitions: Int, startingAt start: Int, replicationFactor: Int16?, _ rules: PlacementRules,
    present: [PartitionState] = []
  ) throws(Refusal) -> [ReplicaLayout] {
    let live = liveBrokers
    let perRegion = rules.replicas.reduce(0) { $0 + $1.count }
    let factor = replicationFactor.map(Int.init) ?? perRegion
    guard factor > 0 else {
      throw Refusal(
        .invalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
    }
    guard perRegion == 0 || factor == perRegion else {
      throw Refusal(
        .invalidReplicationFactor,
        "The replication factor \(factor) is not the \(perRegion) that placement.replicas.per.region comes to; leave it "
          + "out or make them agree.")
    }
    guard factor <= live.count else {
      throw Refusal(
        .invalidReplicationFactor,
        "Unable to replicate the partition \(factor) time(s): only \(live.count) broker(s) are registered.")
    }
    try checkRegionsExist(rules)
    var spread = ReplicaSpread(
      over: live.filter { rules.isAllowed($0.location.region) }, rules, present: present, startingAt: start)
    try checkRoom(in: spread, rules, factor: factor)
    let layouts = (0..<partitions).map { _ in spread.next(voters: factor) }
    for layout in layouts { try checkSpan(of: layout, rules) }
    return layouts
  }

  /// A Region that nobody is in is a typing error more often than a plan.
  func checkRegionsExist(_ rules: PlacementRules) throws(Refusal) {
    let known = Set(brokers.values.map(\.location.region)).filter { !$0.isEmpty }.sorted()
    for (key, named) in [
      ("placement.replicas.per.region", rules.replicas.map(\.region)),
      ("placement.observers.per.region", rules.observers.map(\.region)),
      ("placement.leader.regions", rules.leaderRegions),
    ] {
      if let strange = named.first(where: { !known.contains($0) }) {
        throw Refusal(
          .invalidConfig,
          "\(key) names the Region '\(strange)', which has no broker; "
            + (known.isEmpty
              ? "no broker has a broker.rack." : "there are brokers in \(known.joined(separator: ", "))."))
      }
    }
  }

  private func checkRoom(in spread: ReplicaSpread, _ rules: PlacementRules, factor: Int) throws(Refusal) {
    let room = spread.capacity(where: rules.takesVoters)
    guard factor <= room else {
      let regions = rules.allowedRegions.map { " in the Regions \($0.joined(separator: ","))" } ?? ""
      throw Refusal(
        .invalidReplicationFactor,
        "Unable to replicate the partition \(factor) time(s): only \(room) live broker(s) that its placement allows"
          + "\(regions) can take replicas.")
    }
    for region in Set((rules.replicas + rules.observers).map(\.region)).sorted() {
      let wanted = (rules.replicas + rules.observers).reduce(0) { $0 + ($1.region == region ? $1.count : 0) }
      let room = spread.capacity { $0 == region }
      guard wanted <= room else {
        throw Refusal(
          .invalidReplicationFactor,
          "The placement asks for \(wanted) replica(s) and observer(s) in the Region '\(region)', which has \(room) live "
            + "broker(s).")
      }
    }
  }

  /// min.insync.regions must be within reach of the replicas that can be in sync.
  func checkSpan(of layout: ReplicaLayout, _ rules: PlacementRules) throws(Refusal) {
    guard rules.regionsMin > 1 else { return }
    let voters = layout.replicas.filter { !layout.observers.contains($0) }
    let span = Set(voters.compactMap(region)).count
    guard span >= rules.regionsMin else {
      throw Refusal(
        .invalidConfig,
        "min.insync.regions=\(rules.regionsMin) cannot be met by replicas on \(text(voters)): they are in \(span) Region(s)."
      )
    }
  }

  /// A list of replicas that somebody wrote by hand: each a known broker, once, and none outside of the allowed
  /// Regions.
  func checkReplicas(_ replicas: [NodeID], of partition: Int32, _ rules: PlacementRules) throws(Refusal) {
    guard !replicas.isEmpty, Set(replicas).count == replicas.count else {
      throw Refusal(
        .invalidReplicaAssignment, "Partition \(partition) must have one or more replicas, each broker once.")
    }
    for replica in replicas {
      guard let region = region(of: replica) else {
        throw Refusal(
          .invalidReplicaAssignment, "The manual assignment names broker \(replica.value), which is not registered.")
      }
      guard rules.isAllowed(region) else {
        throw Refusal(
          .invalidReplicaAssignment,
          "Partition \(partition) may not have a replica on broker \(replica.value) in \(BrokerLocation.title(region)): "
            + "placement.allowed.regions is \((rules.allowedRegions ?? []).joined(separator: ",")).")
      }
    }
  }

  /// A manual assignment as a list by partition index from `first` on: without holes, and as the rules say.
  func checked(
    _ assignment: [Int32: [NodeID]], from first: Int32, _ rules: PlacementRules
  ) throws(Refusal) -> [ReplicaLayout] {
    var result: [ReplicaLayout] = []
    for (position, index) in assignment.keys.sorted().enumerated() {
      guard index == first + Int32(position) else {
        throw Refusal(
          .invalidReplicaAssignment,
          "The manual assignment must name consecutive partitions from \(first) on; \(first + Int32(position)) is missing."
        )
      }
      let replicas = assignment[index] ?? []
      try checkReplicas(replicas, of: index, rules)
      guard replicas.count == result.first?.replicas.count ?? replicas.count else {
        throw Refusal(
          .invalidReplicaAssignment,
          "Partition \(index) has \(replicas.count) replicas, and partition \(first) has another number.")
      }
      let layout = layout(of: replicas, rules, present: nil)
      if let complaint = complaint(about: layout, rules) {
        throw Refusal(.invalidReplicaAssignment, "Partition \(index): \(complaint)")
      }
      try checkSpan(of: layout, rules)
      result.append(layout)
    }
    return result
  }

  /// Which of some replicas only observe: in each Region with observers so many, first those that do so already, then
  /// the last of the new ones. Replicas that vote now go on voting.
  func layout(of replicas: [NodeID], _ rules: PlacementRules, present: PartitionState?) -> ReplicaLayout {
    var observers: [NodeID] = []
    for wanted in rules.observers {
      let there = replicas.filter { region(of: $0) == wanted.region }
      let already = there.filter { present?.observers.contains($0) == true }.prefix(wanted.count)
      let fresh = there.filter { present?.replicas.contains($0) != true }
      observers += already + fresh.suffix(wanted.count - already.count)
    }
    let voters = replicas.filter { !observers.contains($0) }
    return ReplicaLayout(replicas: voters + replicas.filter { observers.contains($0) }, observers: observers)
  }

  /// What is not as the counts by Region say, as a sentence.
  func complaint(about layout: ReplicaLayout, _ rules: PlacementRules) -> String? {
    for wanted in rules.observers {
      let there = layout.observers.count { region(of: $0) == wanted.region }
      if there != wanted.count {
        return
          "placement.observers.per.region asks for \(wanted.count) observer(s) in the Region '\(wanted.region)', and "
          + "\(there) would be there."
      }
    }
    return complaint(aboutVotersOf: layout, rules)
  }

  func complaint(aboutVotersOf layout: ReplicaLayout, _ rules: PlacementRules) -> String? {
    let voters = layout.replicas.filter { !layout.observers.contains($0) }
    if voters.isEmpty { return "every replica would only observe; one or more must be able to lead." }
    guard !rules.replicas.isEmpty else { return nil }
    for wanted in rules.replicas {
      let there = voters.count { region(of: $0) == wanted.region }
      if there != wanted.count {
        return
          "placement.replicas.per.region asks for \(wanted.count) replica(s) in the Region '\(wanted.region)', and "
          + "\(there) would be there."
      }
    }
    return voters.first { id in !rules.replicas.contains { $0.region == region(of: id) } }.map {
      "broker \($0.value) would have a replica, and placement.replicas.per.region does not name its Region."
    }
  }
}
