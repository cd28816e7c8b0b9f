import Vocabulary

/// A group whose partitions the coordinator assigns (KIP-848).
///
/// Three things follow each other: the group's epoch rises with every change of members, subscriptions or topics; the
/// target says who is to own what at that epoch; and each member is led to its target by its own heartbeats: it gives
/// up what it must, then takes what others have given up. No member waits for another at a barrier, and a partition
/// is handed out only after its last owner has said that it let go, or has lost its session.
///
/// Everything but sessions and memories of the topics' version is told by records, and changed by `apply` alone.
struct ConsumerGroup {
  struct Member {
    let id: MemberID
    var record: ConsumerMemberRecord
    var current: CurrentAssignmentRecord
    var sessionEnds = Instant.never
    /// Until when it must have given up what is pending revocation.
    var revocationEnds = Instant.never

    /// It has arrived where this target led it.
    func isReconciled(to epoch: MemberEpoch) -> Bool { current.state == .stable && current.epoch == epoch }
  }

  let id: GroupID
  var epoch = MemberEpoch(0)
  private(set) var targetEpoch = MemberEpoch(0)
  private(set) var members: [MemberID: Member] = [:]
  private(set) var statics: [InstanceID: MemberID] = [:]
  private(set) var targets: [MemberID: Assignment] = [:]
  /// The subscribed topics that existed at the group's epoch.
  private(set) var topics: [TopicName: TopicCatalogue.Topic] = [:]
  private(set) var patterns: [SubscriptionPattern: PatternTopics] = [:]
  /// How many members subscribe by each pattern.
  private var patternUsers: [SubscriptionPattern: Int] = [:]
  /// Who has a partition, or has not said yet that it let go.
  private(set) var owners: [TopicIDPartition: MemberID] = [:]
  /// The version of the catalogue that `topics` was last compared with; nil asks to look again.
  var seenVersion: Int64?
  /// Not later than the earliest deadline in here.
  var wake = Instant.never

  init(id: GroupID) { self.id = id }

  var isEmpty: Bool { members.isEmpty }
  var publicState: GroupState {
    if members.isEmpty { return .empty }
    if targetEpoch < epoch { return .assigning }
    return members.values.allSatisfy { $0.isReconciled(to: targetEpoch) } ? .stable : .reconciling
  }

  /// The names of all subscribed topics, whether they exist or not.
  var subscribedNames: Set<String> {
    var names: Set<String> = []
    for member in members.values {
      names.formUnion(member.record.subscribedTopics)
      if let pattern = member.record.subscribedPattern {
        for topic in patterns[pattern]?.topics ?? [] { names.insert(topic.text) }
      }
    }
    return names
  }

  var usedPatterns: [SubscriptionPattern] { patternUsers.keys.sorted() }
  func usesPattern(_ pattern: SubscriptionPattern) -> Bool { patternUsers[pattern] != nil }

  /// The assignor that most members ask for, of those that ask; the smaller name among equals.
  func assignor(_ settings: GroupSettings) -> Assignor {
    var votes: [String: Int] = [:]
    for member in members.values { if let name = member.record.assignor { votes[name, default: 0] += 1 } }
    let chosen = votes.max { a, b in (a.value, b.key) < (b.value, a.key) }
    return chosen.flatMap { Assignor(rawValue: $0.key) } ?? settings.consumerAssignors.first ?? .uniform
  }

  // MARK: Records

  /// Applies one record of this group, when it is written as when it is loaded. A compacted log may tell of a member's
  /// assignment before it tells of the member.
  mutating func apply(_ record: GroupRecord) {
    switch record {
    case .consumerGroup(_, let value): epoch = value ?? MemberEpoch(0)
    case .consumerTargetEpoch(_, let value): targetEpoch = value ?? MemberEpoch(0)
    case .consumerTarget(_, let member, let value): targets[member] = value
    case .consumerPattern(_, let pattern, let value): patterns[pattern] = value
    case .consumerTopics(_, let value):
      topics = [:]
      for topic in value ?? [] {
        topics[topic.name] = TopicCatalogue.Topic(id: topic.id, partitions: topic.partitions)
      }
    case .consumerMember(_, let member, let value): applyMember(member, value)
    case .consumerCurrent(_, let member, let value): applyCurrent(member, value)
    case .offset, .classicGroup: break
    }
  }

  private mutating func applyMember(_ id: MemberID, _ value: ConsumerMemberRecord?) {
    if let instance = members[id]?.record.instance, statics[instance] == id { statics[instance] = nil }
    countPattern(members[id]?.record.subscribedPattern, -1)
    countPattern(value?.subscribedPattern, 1)
    guard let value else {
      setOwner(of: members[id]?.current, by: id, to: nil)
      members[id] = nil
      return
    }
    if members[id] == nil { members[id] = Member(id: id, record: value, current: .nothing) }
    members[id]?.record = value
    if let instance = value.instance { statics[instance] = id }
  }

  private mutating func countPattern(_ pattern: SubscriptionPattern?, _ change: Int) {
    guard let pattern else { return }
    let count = patternUsers[pattern, default: 0] + change
    patternUsers[pattern] = count == 0 ? nil : count
  }

  private mutating func applyCurrent(_ id: MemberID, _ value: CurrentAssignmentRecord?) {
    setOwner(of: members[id]?.current, by: id, to: nil)
    guard let value else {
      members[id]?.current = .nothing
      return
    }
    if members[id] == nil { members[id] = Member(id: id, record: .nothing, current: value) }
    members[id]?.current = value
    setOwner(of: value, by: id, to: id)
  }

  private mutating func setOwner(of current: CurrentAssignmentRecord?, by id: MemberID, to owner: MemberID?) {
    guard let current else { return }
    for partition in current.assigned.members + current.pendingRevocation.members {
      // While a compacted log is read, another member's newer record may have been applied already.
      if owner != nil || owners[partition] == id { owners[partition] = owner }
    }
  }

  /// The records that take an empty group back.
  var tombstones: [GroupRecord] {
    var records: [GroupRecord] = []
    for member in Set(members.keys).union(targets.keys).sorted() {
      records += [
        .consumerCurrent(id, member, nil), .consumerTarget(id, member, nil), .consumerMember(id, member, nil),
      ]
    }
    records.append(.consumerTargetEpoch(id, nil))
    for pattern in patterns.keys.sorted() { records.append(.consumerPattern(id, pattern, nil)) }
    return records + [.consumerTopics(id, nil), .consumerGroup(id, nil)]
  }

  // MARK: Time

  mutating func alarm(at deadline: Instant) { wake = min(wake, deadline) }

  mutating func renewSession(of member: MemberID, _ now: Moment, _ settings: GroupSettings) {
    let end = now.instant + settings.consumerSessionTimeout
    members[member]?.sessionEnds = end
    alarm(at: end)
  }

  /// Gives a member that must revoke its rebalance timeout to do so, from when it is told.
  mutating func limitRevocation(of member: MemberID, _ now: Moment) {
    guard let current = members[member] else { return }
    let waits = current.current.state == .unrevokedPartitions && current.current.epoch >= .joining
    let end = waits ? now.instant + current.record.rebalanceTimeout : .never
    members[member]?.revocationEnds = end
    alarm(at: end)
  }

  /// After a load: every member gets a fresh session, and fresh time to revoke.
  mutating func startSessions(_ now: Moment, _ settings: GroupSettings) {
    for member in members.keys {
      renewSession(of: member, now, settings)
      limitRevocation(of: member, now)
    }
  }

  /// The members whose time is up, ordered; looks for the next deadline.
  mutating func expired(at now: Instant) -> [MemberID] {
    guard wake <= now else { return [] }
    let gone = members.values.filter { $0.sessionEnds <= now || $0.revocationEnds <= now }.map(\.id).sorted()
    wake = members.values.reduce(.never) { earliest, member in
      gone.contains(member.id) ? earliest : min(earliest, member.sessionEnds, member.revocationEnds)
    }
    return gone
  }
}

extension CurrentAssignmentRecord {
  /// Where a member begins.
  static let nothing = CurrentAssignmentRecord(
    epoch: .joining, previousEpoch: .joining, state: .stable, assigned: Assignment(), pendingRevocation: Assignment())
}

extension ConsumerMemberRecord {
  static let nothing = ConsumerMemberRecord(
    instance: nil, rack: nil, client: ClientIdentity(id: "", host: ""), subscribedTopics: [], subscribedPattern: nil,
    rebalanceTimeout: .zero, assignor: nil)
}
