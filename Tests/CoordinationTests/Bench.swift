import Coordination
import Testing
import Vocabulary

/// A coordinator on a virtual clock: performs its effects, keeps its answers, and holds every token to exactly one.
final class Bench {
  var coordinator: GroupCoordinator
  private(set) var now = Instant(nanoseconds: 0)
  /// The day on which the clock starts.
  static let startOfTime: Int64 = 1_700_000_000_000
  var answers: [Token: GroupAnswer] = [:]
  var log: [(record: GroupRecord, writer: RecordWriter)] = []
  var history: [GroupEffect] = []
  var asked: Set<Token> = []
  var patternsToResolve: [SubscriptionPattern] = []
  var catalogue = TopicCatalogue(version: 1, topics: [:])
  /// The log refuses the next append: the coordinator is given up and loaded anew.
  var failsNextAppend = false
  /// A planted bug: records that never reach the log, although they are said to be there.
  var loses: (GroupRecord) -> Bool = { _ in false }
  private var lastToken: UInt64 = 0
  private var lastNonce: UInt64 = 0

  init(_ settings: GroupSettings = GroupSettings()) {
    coordinator = GroupCoordinator(settings: settings)
    perform { $0.loaded(at: $1, into: &$2) }
  }

  var moment: Moment {
    Moment(instant: now, time: Timestamp(milliseconds: Self.startOfTime + now.nanoseconds / 1_000_000))
  }
  func token() -> Token {
    lastToken += 1
    asked.insert(Token(lastToken))
    return Token(lastToken)
  }
  func nonce() -> UniqueID {
    lastNonce += 1
    return UniqueID(high: 7, low: lastNonce)
  }

  func perform(_ work: (inout GroupCoordinator, Moment, inout [GroupEffect]) -> Void) {
    var effects: [GroupEffect] = []
    work(&coordinator, moment, &effects)
    var failed = false
    for effect in effects {
      history.append(effect)
      switch effect {
      case .append(let records, let writer):
        failed = failed || failsNextAppend
        if failed { continue }
        for record in records where !loses(record) { log.append((record, writer)) }
      case .resolve(let pattern): patternsToResolve.append(pattern)
      case .answer(let token, let answer):
        if !asked.contains(token) { Issue.record("an answer to nobody") }
        if answers[token] != nil { Issue.record("a second answer") }
        answers[token] = failed ? answer.refused(as: .notCoordinator) : answer
      }
    }
    if failed {
      failsNextAppend = false
      reload()
    }
  }

  /// Lets time go by, stopping wherever the coordinator has something to do.
  func pass(_ span: TimeSpan) {
    let end = now + span
    while let next = coordinator.nextDeadline, next <= end {
      now = max(now, next)
      perform { $0.tick(at: $1, into: &$2) }
    }
    now = end
    perform { $0.tick(at: $1, into: &$2) }
  }

  /// Gives this coordinator up and loads another from the log.
  func reload() {
    perform { coordinator, _, effects in coordinator.unload(as: .notCoordinator, into: &effects) }
    coordinator = replayed()
    perform { $0.loaded(at: $1, into: &$2) }
  }

  func replayed() -> GroupCoordinator {
    var fresh = GroupCoordinator(settings: coordinator.settings)
    for (record, writer) in log { fresh.replay(record, by: writer) }
    return fresh
  }
}

// MARK: Classic members

extension Bench {
  static let group = GroupID("readers")

  func ask(_ work: (inout GroupCoordinator, Token, Moment, inout [GroupEffect]) -> Void) -> Token {
    let token = token()
    perform { work(&$0, token, $1, &$2) }
    return token
  }

  func join(
    _ member: MemberID = .unknown, instance: InstanceID? = nil, group: GroupID = Bench.group, client: String = "c",
    session: TimeSpan = .seconds(10), rebalance: TimeSpan = .seconds(60), type: String = "consumer",
    protocols: [MemberProtocol] = [MemberProtocol(name: "range", metadata: [1])],
    unknown: UnknownMemberPolicy = .joinsAtOnce, skipping: AssignmentSkipping = .supported
  ) -> Token {
    let request = JoinRequest(
      group: group, member: member, instance: instance, client: ClientIdentity(id: client, host: "/127.0.0.1"),
      sessionTimeout: session, rebalanceTimeout: rebalance, protocolType: type, protocols: protocols,
      unknownMember: unknown, skipping: skipping, nonce: nonce())
    return ask { $0.join(request, $1, at: $2, into: &$3) }
  }

  func sync(
    _ member: MemberID, _ generation: Generation, instance: InstanceID? = nil, group: GroupID = Bench.group,
    protocolName: String? = nil, assignments: [MemberID: [UInt8]] = [:]
  ) -> Token {
    let request = SyncRequest(
      group: group, member: member, instance: instance, generation: generation, protocolName: protocolName,
      assignments: assignments)
    return ask { $0.sync(request, $1, at: $2, into: &$3) }
  }

  @discardableResult func heartbeat(
    _ member: MemberID, _ generation: Generation, instance: InstanceID? = nil, group: GroupID = Bench.group
  ) -> ErrorCode? {
    let request = HeartbeatRequest(group: group, member: member, instance: instance, generation: generation)
    let token = ask { $0.heartbeat(request, $1, at: $2, into: &$3) }
    guard case .heartbeat(let error) = answers[token] else { return nil }
    return error
  }

  @discardableResult func leave(_ members: [LeaveRequest.Leaver], group: GroupID = Bench.group) -> LeaveAnswer? {
    let token = ask { $0.leave(LeaveRequest(group: group, members: members), $1, at: $2, into: &$3) }
    guard case .leave(let answer) = answers[token] else { return nil }
    return answer
  }

  func joined(_ token: Token) -> JoinAnswer? {
    guard case .join(let answer) = answers[token] else { return nil }
    return answer
  }
  func synced(_ token: Token) -> SyncAnswer? {
    guard case .sync(let answer) = answers[token] else { return nil }
    return answer
  }

  struct Generations {
    var ids: [MemberID]
    var leader: MemberID
    var generation: Generation
    var followers: [MemberID] { ids.filter { $0 != leader } }
  }

  /// A stable group whose members own one byte each: their number.
  func stableGroup(
    of count: Int, instances: [InstanceID?] = [], group: GroupID = Bench.group, session: TimeSpan = .seconds(10),
    rebalance: TimeSpan = .seconds(60), protocols: [MemberProtocol] = [MemberProtocol(name: "range", metadata: [1])]
  ) -> Generations {
    let tokens = (0..<count).map { index in
      join(
        instance: index < instances.count ? instances[index] : nil, group: group, session: session,
        rebalance: rebalance, protocols: protocols)
    }
    pass(.seconds(9))
    let answers = tokens.compactMap { joined($0) }
    let ids = answers.map(\.member)
    let leader = answers.first?.leader ?? .unknown
    let generation = answers.first?.generation ?? .none
    finishSync(Generations(ids: ids, leader: leader, generation: generation), group: group)
    return Generations(ids: ids, leader: leader, generation: generation)
  }

  func finishSync(_ all: Generations, group: GroupID = Bench.group) {
    let parts = Dictionary(uniqueKeysWithValues: all.ids.enumerated().map { ($1, [UInt8($0)]) })
    let waiting = all.followers.map { sync($0, all.generation, group: group) }
    let first = sync(all.leader, all.generation, group: group, assignments: parts)
    for token in waiting + [first] { #expect(synced(token)?.error == ErrorCode.none) }
  }

  func describe(_ group: GroupID = Bench.group) -> ClassicGroupDescription? {
    let token = ask { coordinator, token, _, effects in coordinator.describe([group], token, into: &effects) }
    guard case .describeClassic(let groups) = answers[token] else { return nil }
    return groups.first
  }
  var state: GroupState? { describe()?.state }
}

// MARK: Offsets

extension Bench {
  static let topic = TopicName("orders")!

  func commit(
    _ offset: Int64, partition: Int32 = 0, topic: TopicName = Bench.topic, group: GroupID = Bench.group,
    member: MemberID = .unknown, generation: Int32 = -1, instance: InstanceID? = nil, metadata: String = "",
    knows: Committer.Knowledge = .consumerGroupsToo, retention: TimeSpan? = nil, writer: RecordWriter = .coordinator
  ) -> ErrorCode? {
    let request = CommitRequest(
      group: group,
      committer: Committer(member: member, instance: instance, generationOrEpoch: generation, knows: knows),
      topics: [
        OfTopic(
          topic,
          [CommitRequest.Partition(partition: PartitionIndex(partition), offset: Offset(offset), metadata: metadata)])
      ],
      retention: retention, writer: writer)
    let token = ask { $0.commit(request, $1, at: $2, into: &$3) }
    guard case .commit(let answer) = answers[token] else { return nil }
    return answer.topics.first?.partitions.first?.error
  }

  func fetched(_ request: FetchOffsetsRequest) -> [FetchedGroup] {
    let token = ask { coordinator, token, _, effects in coordinator.fetchOffsets(request, token, into: &effects) }
    guard case .fetchOffsets(let groups) = answers[token] else { return [] }
    return groups
  }

  func fetch(
    partition: Int32 = 0, topic: TopicName = Bench.topic, group: GroupID = Bench.group,
    stability: FetchOffsetsRequest.Stability = .notRequired
  ) -> FetchedGroup.Partition? {
    let one = FetchOffsetsRequest.Group(group, topics: [OfTopic(topic, [PartitionIndex(partition)])])
    return fetched(FetchOffsetsRequest(groups: [one], stability: stability)).first?.topics.first?.partitions.first
  }

  func deleteGroup(_ group: GroupID = Bench.group) -> ErrorCode? {
    let token = ask { $0.deleteGroups([group], $1, at: $2, into: &$3) }
    guard case .deleteGroups(let groups) = answers[token] else { return nil }
    return groups.first?.error
  }

  func deleteOffset(topic: TopicName = Bench.topic, group: GroupID = Bench.group) -> DeleteOffsetsAnswer? {
    let request = DeleteOffsetsRequest(group: group, topics: [OfTopic(topic, [PartitionIndex(0)])])
    let token = ask { $0.deleteOffsets(request, $1, at: $2, into: &$3) }
    guard case .deleteOffsets(let answer) = answers[token] else { return nil }
    return answer
  }

  func list(_ filter: ListFilter = ListFilter()) -> [ListedGroup] {
    let token = ask { coordinator, token, _, effects in coordinator.list(filter, token, into: &effects) }
    guard case .list(let groups) = answers[token] else { return [] }
    return groups
  }
}
