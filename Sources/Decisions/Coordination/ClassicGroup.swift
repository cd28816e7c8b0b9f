import Vocabulary

/// A group whose members assign partitions among themselves (the classic protocol).
///
/// It lives in rounds called generations. In each, members join and say which protocols they support; when all have
/// joined, or time is up, one of them becomes leader, learns everyone's metadata, and sends everyone's assignment with
/// its SyncGroup. Only what a stable or empty group looks like is ever written down; a round that a crash interrupts
/// starts again, because its members' heartbeats and commits still name the old generation.
struct ClassicGroup {
  enum State {
    case empty
    /// PreparingRebalance: members join.
    case gathering(Gathering)
    /// CompletingRebalance: the generation is there, its leader's assignment is not. Members that have not sent
    /// SyncGroup at the deadline are removed.
    case awaitingAssignment(unsynced: Set<MemberID>, until: Instant)
    /// The assignment is there; members that have not fetched it at the deadline are removed.
    case stable(unsynced: Set<MemberID>, until: Instant)
  }
  enum Gathering {
    /// The first rebalance of an empty group waits a little for others, and longer while they come.
    case initial(until: Instant, remaining: TimeSpan, grew: Bool)
    /// All members are waited for, up to the rebalance timeout.
    case rejoining(until: Instant)
  }
  struct Choice {
    var name: String
    /// nil: unknown, because some member's metadata could not be read.
    var subscribedTopics: Set<TopicName>?
  }

  let id: GroupID
  var roster = ClassicRoster()
  /// Ids that were given out with MEMBER_ID_REQUIRED, and until when they may be used.
  var pending: [MemberID: Instant] = [:]
  var generation = Generation(0)
  /// nil until someone joins; a group without one only keeps offsets.
  var protocolType: String?
  var choice: Choice?
  var leader: MemberID?
  var state = State.empty
  var stateSince: Timestamp
  /// Not later than the earliest deadline in here.
  var wake = Instant.never

  init(id: GroupID, since: Timestamp) {
    self.id = id
    self.stateSince = since
  }

  /// The protocol type of consumers, whose metadata names topics.
  static let consumerProtocolType = "consumer"
  var isConsumers: Bool { protocolType == Self.consumerProtocolType }
  var isEmpty: Bool { if case .empty = state { true } else { false } }
  var isGathering: Bool { if case .gathering = state { true } else { false } }
  var publicState: GroupState {
    switch state {
    case .empty: .empty
    case .gathering: .preparingRebalance
    case .awaitingAssignment: .completingRebalance
    case .stable: .stable
    }
  }

  mutating func transition(to next: State, at now: Moment) {
    state = next
    stateSince = now.time
    switch next {
    case .empty: break
    case .gathering(.initial(let until, _, _)), .gathering(.rejoining(let until)): alarm(at: until)
    case .awaitingAssignment(_, let until), .stable(_, let until): alarm(at: until)
    }
  }

  mutating func alarm(at deadline: Instant) { wake = min(wake, deadline) }

  /// Starts a member's session afresh: at its join, its heartbeats, its commits and its answers.
  mutating func renewSession(of member: MemberID, at now: Moment) {
    guard let timeout = roster[member]?.sessionTimeout else { return }
    let end = now.instant + timeout
    roster.setSessionEnd(of: member, end)
    alarm(at: end)
  }

  func isSubscribed(to topic: TopicName) -> Bool {
    if let choice { return choice.subscribedTopics?.contains(topic) ?? isConsumers }
    return isConsumers && !isEmpty
  }

  /// What a request that names a member must pass.
  func refusal(of member: MemberID, _ instance: InstanceID?) -> ErrorCode? {
    if let instance {
      guard let current = roster.statics[instance] else { return .unknownMemberId }
      if current != member { return .fencedInstanceId }
    }
    return roster[member] == nil ? .unknownMemberId : nil
  }

  /// What is written of the group as it is now.
  var record: ClassicGroupRecord {
    ClassicGroupRecord(
      protocolType: protocolType ?? "", generation: generation, protocolName: choice?.name, leader: leader,
      stateSince: stateSince,
      members: roster.ordered.map { member in
        ClassicGroupRecord.Member(
          member: member.id, instance: member.instance, client: member.client,
          rebalanceTimeout: member.rebalanceTimeout, sessionTimeout: member.sessionTimeout,
          subscription: choice.map { member.metadata(for: $0.name) } ?? [],
          subscribedTopics: choice.flatMap { choice in
            member.protocols.first { $0.name == choice.name }?.subscribedTopics
          },
          assignment: member.assignment)
      })
  }

  /// The group as a record tells it. Sessions start when the coordinator has loaded.
  init(id: GroupID, _ record: ClassicGroupRecord) {
    self.init(id: id, since: record.stateSince)
    generation = record.generation
    protocolType = record.protocolType.isEmpty ? nil : record.protocolType
    leader = record.leader
    for member in record.members where roster[member.member] == nil {
      roster.add(
        ClassicMember(
          id: member.member, instance: member.instance, client: member.client, sessionTimeout: member.sessionTimeout,
          rebalanceTimeout: member.rebalanceTimeout,
          protocols: [
            MemberProtocol(
              name: record.protocolName ?? "", metadata: member.subscription, subscribedTopics: member.subscribedTopics)
          ],
          assignment: member.assignment))
    }
    if let name = record.protocolName { choice = Choice(name: name, subscribedTopics: subscriptions(to: name)) }
    if !roster.isEmpty { state = .stable(unsynced: [], until: .never) }
  }

  /// All topics that members named with this protocol; nil where that is unknown.
  func subscriptions(to name: String) -> Set<TopicName>? {
    guard isConsumers else { return nil }
    var all: Set<TopicName> = []
    for member in roster.members.values {
      guard let topics = member.protocols.first(where: { $0.name == name })?.subscribedTopics else { return nil }
      all.formUnion(topics)
    }
    return all
  }
}
