import Vocabulary

/// Which election a change of a partition comes with.
enum Election {
  /// The leader stays if it can; else another that has every committed record.
  case ifNeeded
  /// The first choice leads if it is in sync.
  case preferred
  /// As `ifNeeded`, and if there is nobody: any live replica. What only others had is lost.
  case unclean
}

/// One partition on its way from what it is to what it shall be.
///
/// Every change of in-sync sets, leaders and replicas comes through here, so that the rules hold in one place: the
/// in-sync set is never empty, the leader is in it, and who left it while nothing could be committed stays eligible.
/// An observer that is in sync was promoted by its leader; it leads only where nobody else could.
struct PartitionTransition {
  let before: PartitionState
  /// Changed by the verb first, then brought in order by `settle`.
  var after: PartitionState
  let rules: PartitionRules
  /// With what happened to brokers already in it.
  let image: MetadataImage
  /// Replicas whose logs may have lost their ends: they are not eligible for what they had.
  private var crashed: [NodeID] = []
  /// The same leader again, with a higher epoch.
  private var mustRaiseEpoch = false

  init(_ partition: PartitionState, _ rules: PartitionRules, _ image: MetadataImage) {
    before = partition
    after = partition
    self.rules = rules
    self.image = image
  }

  /// Takes a broker that is gone out of the in-sync set, unless it is the last one there.
  mutating func leave(_ broker: NodeID) {
    if image.planted == .keepsFencedInSync { return }
    let rest = after.inSync.filter { $0 != broker }
    if !rest.isEmpty { after.inSync = rest }
  }

  /// As `leave`, for a broker whose log may have lost its end. An eligible one takes its place before the set would be
  /// empty; if there is none, the broker stays, since nobody is known to have more.
  mutating func crash(_ broker: NodeID) {
    if image.planted == .believesTheCrashed { return leave(broker) }
    crashed.append(broker)
    after.eligible.removeAll { $0 == broker }
    let rest = after.inSync.filter { $0 != broker }
    if !rest.isEmpty {
      after.inSync = rest
    } else if let next = after.eligible.first(where: { image.canLead($0, after) }) ?? after.eligible.first {
      after.inSync = [next]
    }
    // Other records may take the offsets that it had given out.
    if before.leader == broker { mustRaiseEpoch = true }
  }

  /// Nil when nothing changes.
  mutating func settle(_ election: Election) -> PartitionChange? {
    completeReassignment()
    let eligible = elect(image.planted == .electsWhoeverIsAlive ? .unclean : election, eligibleNow())
    after.eligible = mayCommit(under: after.leader) ? [] : ordered(eligible)
    let losesReplicas = before.replicas.contains { !after.replicas.contains($0) }
    return before.change(to: after, namingLeader: mustRaiseEpoch || losesReplicas)
  }

  /// Says who leads, and gives back who is eligible then.
  private mutating func elect(_ election: Election, _ eligible: [NodeID]) -> [NodeID] {
    let candidates = image.candidates(after, rules)
    let observers = after.observers
    func leads(_ id: NodeID) -> Bool { image.canLead(id, after) && after.inSync.contains(id) }
    func revives(_ id: NodeID) -> Bool { image.canLead(id, after) && eligible.contains(id) }
    if case .preferred = election, let first = candidates.first, leads(first) {
      after.leader = first
    } else if leads(before.leader), !observers.contains(before.leader) {
      after.leader = before.leader
    } else if let next = candidates.first(where: leads) {
      after.leader = next
    } else if leads(before.leader) {
      // An observer goes on leading until another replica is in sync: nothing is cut off for the change.
      after.leader = before.leader
    } else if let next = candidates.first(where: revives) {
      return revive(next, eligible)
    } else if let next = observers.first(where: leads) {
      after.leader = next
    } else if let next = observers.first(where: revives) {
      return revive(next, eligible)
    } else if case .unclean = election, let next = candidates.first(where: { image.canLead($0, after) }) {
      after.inSync = [next]
      after.leader = next
      after.recovery = .recovering
      return []
    } else {
      after.leader = .none
    }
    return eligible
  }

  /// One of the eligible leads. Whoever was in sync has no less than it, and becomes eligible in its place.
  private mutating func revive(_ next: NodeID, _ eligible: [NodeID]) -> [NodeID] {
    let rest = (after.inSync + eligible).filter { $0 != next && !crashed.contains($0) }
    after.inSync = [next]
    after.leader = next
    return rest
  }

  /// Whether records can be committed that only those in sync have. While nobody leads nothing is committed, also where
  /// the set is large enough by now, because another minimum was set.
  private func mayCommit(under leader: NodeID) -> Bool {
    leader != .none && image.canCommit(after.inSync, of: after, rules) && image.planted != .neverForgetsTheEligible
  }

  /// Those that have every committed record although they are not in sync.
  private func eligibleNow() -> [NodeID] {
    if mayCommit(under: before.leader) { return [] }
    return (after.eligible + before.inSync).filter {
      !after.inSync.contains($0) && !crashed.contains($0) && after.replicas.contains($0)
    }
  }

  private func ordered(_ some: [NodeID]) -> [NodeID] { after.replicas.filter { some.contains($0) } }

  /// The replicas that go do so once all that stay and vote are in sync (KIP-455).
  private mutating func completeReassignment() {
    guard after.isBeingReassigned else { return }
    let removing = after.removing
    let staying = after.replicas.filter { !removing.contains($0) }
    let inSync = after.inSync.filter { !removing.contains($0) }
    let voters = staying.filter { !after.observers.contains($0) }
    guard !inSync.isEmpty, voters.allSatisfy({ inSync.contains($0) }) else { return }
    keep(staying)
    after.inSync = inSync
    after.adding = []
    after.removing = []
  }

  /// Makes these the replicas, each with its directory, and forgets what was said of others.
  mutating func keep(_ replicas: [NodeID]) {
    let directories = replicas.map {
      after.directory(of: $0) ?? image.directoryOfNewReplica(on: $0)
    }
    after.replicas = replicas
    after.directories = directories
    after.observers.removeAll { !replicas.contains($0) }
    after.eligible.removeAll { !replicas.contains($0) }
  }
}

extension MetadataImage {
  /// Settles every partition that a change of brokers concerns. `self` has that change already.
  func settle(
    _ inherited: ConfigResolution, where concerns: (PartitionState) -> Bool,
    _ change: (inout PartitionTransition) -> Void = { _ in }
  ) -> [MetadataRecord] {
    var records: [MetadataRecord] = []
    for topic in topicsByName where topic.partitions.contains(where: concerns) {
      let rules = rules(of: topic, inherited: inherited)
      for (index, partition) in topic.partitions.enumerated() where concerns(partition) {
        var transition = PartitionTransition(partition, rules, self)
        change(&transition)
        if let change = transition.settle(rules.allowsUnclean ? .unclean : .ifNeeded) {
          records.append(.partitionChanged(topic: topic.id, PartitionIndex(Int32(index)), change))
        }
      }
    }
    return records
  }

  /// This image after more has happened.
  func after(_ records: [MetadataRecord]) -> MetadataImage {
    var image = self
    for record in records { image.replay(record) }
    return image
  }
}
