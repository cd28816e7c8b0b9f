import Vocabulary

// One heartbeat through a consumer group: subscription, epoch, target, the member's own step.

/// A consumer group being changed: every record is applied as soon as it is decided, so that each decision sees those
/// before it.
struct ConsumerChange {
  var group: ConsumerGroup
  private(set) var records: [GroupRecord] = []

  init(_ group: consuming ConsumerGroup) { self.group = group }

  mutating func write(_ record: GroupRecord) {
    group.apply(record)
    records.append(record)
  }

  /// Something that can be found out again after a load: where it is too large for the log, it is only remembered.
  mutating func note(_ record: GroupRecord, _ settings: GroupSettings) {
    if record.sizeEstimate <= settings.appendMax.value { write(record) } else { group.apply(record) }
  }

  private var id: GroupID { group.id }

  // MARK: Subscription

  /// Takes over what the heartbeat says about the member. Tells whether that asks for a new epoch.
  mutating func subscribe(_ member: MemberID, _ request: ConsumerHeartbeatRequest) -> EpochChange {
    let before = group.members[member]?.record
    var record = before ?? .nothing
    record.client = request.client
    if let instance = request.instance { record.instance = instance }
    if let rack = request.rack { record.rack = rack }
    if let timeout = request.rebalanceTimeout { record.rebalanceTimeout = timeout }
    if let assignor = request.assignor { record.assignor = assignor }
    if let topics = request.subscribedTopics { record.subscribedTopics = Set(topics).sorted() }
    switch request.subscribedPattern {
    case .unchanged, .unreadable: break
    case .none: record.subscribedPattern = nil
    case .pattern(let pattern): record.subscribedPattern = pattern
    }
    if record == before { return .keep }
    write(.consumerMember(id, member, record))
    let same =
      before?.subscribedTopics == record.subscribedTopics
      && before?.subscribedPattern == record.subscribedPattern
    return same ? .keep : .bump
  }

  enum EpochChange {
    case keep
    case bump
  }

  /// A static member is back: what the old id was to have and held is the new id's.
  mutating func replace(_ old: MemberID, with fresh: MemberID) {
    guard let before = group.members[old] else { return }
    let target = group.targets[old] ?? Assignment()
    remove(old)
    write(.consumerMember(id, fresh, before.record))
    write(.consumerTarget(id, fresh, target))
    var current = before.current
    current.epoch = .joining
    current.previousEpoch = .joining
    write(.consumerCurrent(id, fresh, current))
  }

  /// A known member begins anew, owning nothing.
  mutating func restart(_ member: MemberID) { write(.consumerCurrent(id, member, .nothing)) }

  mutating func remove(_ member: MemberID) {
    write(.consumerCurrent(id, member, nil))
    write(.consumerTarget(id, member, nil))
    write(.consumerMember(id, member, nil))
  }

  /// A member is gone. The next heartbeat of any other computes what becomes of its partitions.
  mutating func fence(_ member: MemberID) {
    remove(member)
    bumpEpoch()
    group.seenVersion = nil
  }

  mutating func bumpEpoch() { write(.consumerGroup(id, group.epoch.next)) }

  // MARK: Topics and target

  /// Looks at the topics again if they, or the subscriptions, may have changed.
  mutating func refresh(_ change: EpochChange, _ catalogue: TopicCatalogue, _ settings: GroupSettings) {
    guard change == .bump || group.seenVersion != catalogue.version else { return }
    group.seenVersion = catalogue.version
    for unused in group.patterns.keys.sorted() where !group.usesPattern(unused) {
      write(.consumerPattern(id, unused, nil))
    }
    var topics: [TopicName: TopicCatalogue.Topic] = [:]
    for name in group.subscribedNames { if let name = TopicName(name) { topics[name] = catalogue[name] } }
    var change = change
    if topics != group.topics {
      let known = topics.keys.sorted().compactMap { name in
        topics[name].map { KnownTopic(name: name, id: $0.id, partitions: $0.partitions) }
      }
      note(.consumerTopics(id, known), settings)
      change = .bump
    }
    if change == .bump { bumpEpoch() }
  }

  /// Computes the target of the group's epoch, if there is none yet.
  mutating func retarget(_ settings: GroupSettings) {
    guard group.targetEpoch < group.epoch else { return }
    var counts: [UniqueID: Int32] = [:]
    for topic in group.topics.values { counts[topic.id] = topic.partitions }
    let members = group.members.keys.sorted().compactMap { group.members[$0] }.map { member in
      AssignorMember(
        id: member.id, instance: member.record.instance, topics: group.subscribedIDs(of: member),
        before: group.targets[member.id] ?? Assignment())
    }
    let targets = group.assignor(settings).assign(members, partitions: counts)
    for member in targets.keys.sorted() where group.targets[member] != targets[member] {
      write(.consumerTarget(id, member, targets[member]))
    }
    write(.consumerTargetEpoch(id, group.epoch))
  }

  /// Leads one member a step towards its target.
  mutating func reconcile(_ member: MemberID, _ owned: Assignment?, _ now: Moment) {
    guard let state = group.members[member] else { return }
    let next = group.nextStep(for: state, owned: owned)
    if next == state.current { return }
    write(.consumerCurrent(id, member, next))
    group.limitRevocation(of: member, now)
  }
}

extension ConsumerGroup {
  func subscribedIDs(of member: Member) -> Set<UniqueID> {
    var ids = Set(member.record.subscribedTopics.compactMap { name in TopicName(name).flatMap { topics[$0]?.id } })
    if let pattern = member.record.subscribedPattern {
      ids.formUnion((patterns[pattern]?.topics ?? []).compactMap { topics[$0]?.id })
    }
    return ids
  }
}
