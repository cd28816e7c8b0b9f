import Coordination
import EventLoop
import LogStorage
import SimulatedWorld
import Synchronization
import Testing
import Vocabulary

@testable import Broker

@Suite struct GroupShardTests {
  private let workshop: Workshop
  private let partition: Partition
  private let answers = Events<Answer>()
  private let reports = Events<String>()

  private enum Answer: Equatable, Sendable {
    case answer(GroupAnswer)
    case refused(ErrorCode)
  }

  init() throws {
    workshop = try Workshop()
    partition = try workshop.partition("__consumer_offsets", ["flush.messages": "1"])
  }

  private func shard(on partition: Partition? = nil, pool: BlockingPool? = nil) -> GroupShard {
    let reports = reports
    return GroupShard(
      partition: partition ?? self.partition, epoch: LeaderEpoch(0), settings: GroupSettings(),
      world: GroupWorld(
        loop: workshop.loop, pool: pool ?? workshop.pool, topics: { TopicCatalogue(version: 0, topics: [:]) },
        namesMatching: { _ in [] }, report: { message, _ in reports.add(message) }))
  }

  private func ask(_ shard: GroupShard, _ ask: GroupShard.Ask) {
    let answers = answers
    shard.ask(ask, answer: { answers.add(.answer($0)) }, refused: { answers.add(.refused($0)) })
  }

  private func commit(
    _ shard: GroupShard, _ offset: Int64, metadata: String = "", by writer: RecordWriter = .coordinator
  ) throws {
    let topic = try #require(TopicName("orders"))
    let request = CommitRequest(
      group: GroupID("g"),
      committer: Committer(member: .unknown, generationOrEpoch: -1, knows: .classicGroupsOnly),
      topics: [OfTopic(topic, [.init(partition: PartitionIndex(0), offset: Offset(offset), metadata: metadata)])],
      writer: writer)
    ask(shard) { coordinator, token, now, effects in
      coordinator.commit(request, token, at: now, into: &effects)
    }
  }

  private func fetch(_ shard: GroupShard) {
    let request = FetchOffsetsRequest(groups: [.init(GroupID("g"), topics: nil)], stability: .notRequired)
    ask(shard) { coordinator, token, _, effects in coordinator.fetchOffsets(request, token, into: &effects) }
  }

  /// Joins an empty group, whose first round waits for others.
  private func join(_ shard: GroupShard) {
    let request = JoinRequest(
      group: GroupID("j"), member: .unknown, client: ClientIdentity(id: "c", host: "/h"),
      sessionTimeout: .seconds(10), rebalanceTimeout: .seconds(300), protocolType: "consumer",
      protocols: [MemberProtocol(name: "range", metadata: [])], unknownMember: .joinsAtOnce,
      skipping: .unsupported, nonce: UniqueID(high: 1, low: 1))
    ask(shard) { coordinator, token, now, effects in coordinator.join(request, token, at: now, into: &effects) }
  }

  private func committed(_ error: ErrorCode = .none) throws -> Answer {
    let topic = try #require(TopicName("orders"))
    return .answer(.commit(CommitAnswer(topics: [OfTopic(topic, [PartitionResult(PartitionIndex(0), error)])])))
  }

  private func offset(in answer: Answer) -> Int64? {
    guard case .answer(.fetchOffsets(let groups)) = answer else { return nil }
    return groups.first?.topics.first?.partitions.first?.offset.value
  }

  @Test func whileItLoadsEveryoneIsToldSoAndThenServed() throws {
    let shard = shard()
    try commit(shard, 1)
    #expect(try answers.next() == .refused(.coordinatorLoadInProgress))
    shard.load()
    try commit(shard, 1)
    #expect(try answers.next() == committed())
  }

  @Test func anAnswerWaitsForItsAppend() throws {
    let shard = shard()
    shard.load()
    workshop.disk.close()
    try commit(shard, 1)
    _ = try workshop.disk.began.next()
    // What this reads rests on the record that is not on disk yet.
    fetch(shard)
    #expect(answers.count == 0)
    workshop.disk.permitOne()
    #expect(try answers.next() == committed())
    #expect(offset(in: try answers.next()) == 1)
  }

  @Test func aFailedAppendRefusesEveryone() throws {
    let shard = shard()
    shard.load()
    workshop.disk.close()
    join(shard)
    _ = try workshop.disk.began.next()
    try commit(shard, 1)
    fetch(shard)
    workshop.disk.inner.failNextSync()
    workshop.disk.permitOne()
    for _ in 0..<3 { #expect(try answers.next() == .refused(.coordinatorNotAvailable)) }
    #expect(try reports.next().contains("takes no more writes"))
    try commit(shard, 2)
    #expect(try answers.next() == .refused(.coordinatorNotAvailable), "what was decided since rests on nothing")
  }

  /// The log refuses a producer without an epoch. Whoever looks after failures is busy.
  @Test func anAnswerNeverRestsOnARecordThatWasRefused() throws {
    let fast = try workshop.partition("fast")
    let pool = try BlockingPool(threads: 1)
    let busy = try Semaphore()
    pool.run { busy.wait() }
    let shard = shard(on: fast, pool: pool)
    shard.load()
    try commit(shard, 1)
    #expect(try answers.next() == committed())
    try commit(shard, 2, by: .transaction(ProducerID(1), .none))
    try commit(shard, 3)
    #expect(answers.count == 0, "one was not kept, and the next was decided as if it had been")
    busy.signal()
    for _ in 0..<2 { #expect(try answers.next() == .refused(.coordinatorNotAvailable)) }
    pool.stop()
  }

  @Test func whatWasCommittedIsThereAfterARestart() throws {
    let first = shard()
    first.load()
    for offset in Int64(1)...20 {
      try commit(first, offset, metadata: "at \(offset)")
      #expect(try answers.next() == committed())
    }
    fetch(first)
    let before = try answers.next()
    #expect(offset(in: before) == 20)
    first.stop()
    let second = shard()
    second.load()
    fetch(second)
    #expect(try answers.next() == before)
  }

  @Test func offsetsOfATopicThatIsDeletedWhileItLoadsAreForgotten() throws {
    let first = shard()
    first.load()
    try commit(first, 7)
    #expect(try answers.next() == committed())
    first.stop()
    let second = shard()
    second.topicsDeleted([try #require(TopicName("orders"))])
    second.load()
    fetch(second)
    #expect(offset(in: try answers.next()) == nil)
    // It was written down, so that the next start knows it too.
    second.stop()
    let third = shard()
    third.load()
    fetch(third)
    #expect(offset(in: try answers.next()) == nil)
  }

  @Test func whoWaitsIsToldWhenItStops() throws {
    let shard = shard()
    shard.load()
    join(shard)
    #expect(answers.count == 0)
    shard.stop()
    #expect(try answers.next() == .refused(.notCoordinator))
    try commit(shard, 1)
    #expect(try answers.next() == .refused(.notCoordinator))
  }

  @Test func aPartitionThatCannotBeReadServesNobody() throws {
    try commit(
      {
        let shard = shard()
        shard.load()
        return shard
      }(), 1)
    #expect(try answers.next() == committed())
    let path = partition.log.directory + "/00000000000000000000.log"
    workshop.disk.inner.damage(path) { bytes in
      // The batch stays whole for the walk over batches, and its first record's length lies.
      bytes[61] = 0x7f
    }
    let second = shard()
    second.load()
    #expect(try reports.next().contains("cannot be read"))
    try commit(second, 2)
    #expect(try answers.next() == .refused(.coordinatorNotAvailable))
  }
}
