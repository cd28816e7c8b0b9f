import KafkaProtocol
import Testing
import Vocabulary

@testable import Broker

@Suite struct FetchSessionTests {
  private static func key(_ partition: Int32) -> FetchKey { FetchKey(topic: .name("t"), partition: partition) }

  private static func items(_ partitions: [Int32]) -> [FetchItem] {
    FetchKeys.items(in: request(epoch: 0, partitions), byID: false)
  }

  private static func request(
    epoch: Int32, _ partitions: [Int32] = [], offset: Int64 = 0, forget: [Int32] = []
  ) -> FetchRequest {
    var request = FetchRequest()
    request.sessionID = 1
    request.sessionEpoch = epoch
    var topic = FetchRequest.Topic()
    topic.topic = "t"
    topic.partitions = partitions.map { index in
      var partition = FetchRequest.Partition()
      partition.partition = index
      partition.fetchOffset = offset
      return partition
    }
    if !partitions.isEmpty { request.topics = [topic] }
    var forgotten = FetchRequest.ForgottenTopic()
    forgotten.topic = "t"
    forgotten.partitions = forget
    if !forget.isEmpty { request.forgottenTopicsData = [forgotten] }
    return request
  }

  private static func session(_ partitions: [Int32]) -> FetchSession {
    FetchSession(id: 1, items: items(partitions), byID: false)
  }

  private func result(
    _ items: [FetchItem], highWatermark: Int64 = 10, logStart: Int64 = 0, lastStable: Int64 = 10,
    errors: Set<Int32> = []
  ) -> FetchResult {
    var result = FetchResult()
    for item in items {
      var answer = FetchResponse.Partition()
      answer.partitionIndex = item.key.partition
      answer.highWatermark = highWatermark
      answer.logStartOffset = logStart
      answer.lastStableOffset = lastStable
      if errors.contains(item.key.partition) { answer.errorCode = .notLeaderOrFollower }
      result.items.append((item, FetchedPartition(answer: answer, records: nil)))
    }
    return result
  }

  private func told(_ result: FetchResult) -> [Int32] { result.items.map(\.item.key.partition) }

  /// What the next request of a session reads.
  private func proceed(_ session: FetchSession, _ request: FetchRequest) throws -> [FetchItem] {
    try session.update(request, byID: false).get()
  }

  @Test func aLastStableOffsetThatMovedAloneIsNews() throws {
    let session = Self.session([0])
    func news(_ epoch: Int32, lastStable: Int64) throws -> [Int32] {
      told(session.changes(in: result(try proceed(session, Self.request(epoch: epoch)), lastStable: lastStable)))
    }
    #expect(try news(1, lastStable: 4) == [0])
    #expect(try news(2, lastStable: 4) == [])
    #expect(try news(3, lastStable: 10) == [0])
    #expect(try news(4, lastStable: 10) == [])
  }

  @Test func anUpdateAddsChangesAndForgets() throws {
    let session = Self.session([0, 1, 2])
    let first = try proceed(session, Self.request(epoch: 1))
    #expect(first.map(\.key) == [0, 1, 2].map(Self.key))
    let second = try proceed(session, Self.request(epoch: 2, [1, 5], offset: 77, forget: [0]))
    #expect(second.map(\.key) == [1, 2, 5].map(Self.key))
    #expect(second.map(\.ask.fetchOffset) == [77, 0, 77])
    #expect(try proceed(session, Self.request(epoch: 3, forget: [9])).count == 3, "forgetting what is not there")
  }

  @Test(arguments: [Int32(0), 2, -1, .max]) func anotherEpochIsRefusedAndChangesNothing(epoch: Int32) throws {
    let session = Self.session([0])
    guard case .failure(let refusal) = session.update(Self.request(epoch: epoch, [1]), byID: false) else {
      Issue.record("epoch \(epoch) was taken")
      return
    }
    #expect(refusal.code == .invalidFetchSessionEpoch)
    #expect(try proceed(session, Self.request(epoch: 1)).map(\.key) == [Self.key(0)])
  }

  @Test func aRequestThatWasServedIsNotServedAgain() throws {
    let session = Self.session([0])
    _ = try proceed(session, Self.request(epoch: 1))
    guard case .failure = session.update(Self.request(epoch: 1), byID: false) else {
      Issue.record("the same epoch was taken twice")
      return
    }
  }

  @Test func afterTheLargestEpochComesOne() throws {
    let session = FetchSession(id: 1, items: Self.items([0]), byID: false, nextEpoch: .max)
    _ = try proceed(session, Self.request(epoch: .max))
    _ = try proceed(session, Self.request(epoch: 1))
    _ = try proceed(session, Self.request(epoch: 2))
  }

  @Test func namesAndIDsDoNotMix() {
    let session = Self.session([0])
    guard case .failure(let refusal) = session.update(Self.request(epoch: 1), byID: true) else {
      Issue.record("a session by name took ids")
      return
    }
    #expect(refusal.code == .fetchSessionTopicIdError)
  }

  @Test func onlyWhatChangedIsTold() throws {
    let session = Self.session([0, 1])
    let all = try proceed(session, Self.request(epoch: 1))
    #expect(told(session.changes(in: result(all))) == [0, 1])
    let again = try proceed(session, Self.request(epoch: 2))
    #expect(told(session.changes(in: result(again))) == [])
    let grown = try proceed(session, Self.request(epoch: 3))
    #expect(told(session.changes(in: result(grown, highWatermark: 11))) == [0, 1])
    let cut = try proceed(session, Self.request(epoch: 4))
    #expect(told(session.changes(in: result(cut, highWatermark: 11, logStart: 5))) == [0, 1])
    let last = try proceed(session, Self.request(epoch: 5))
    #expect(told(session.changes(in: result(last, highWatermark: 11, logStart: 5))) == [])
  }

  @Test func anErrorIsToldAgainUntilItIsGone() throws {
    let session = Self.session([0, 1])
    _ = session.changes(in: result(try proceed(session, Self.request(epoch: 1))))
    for epoch in Int32(2)...4 {
      let items = try proceed(session, Self.request(epoch: epoch))
      #expect(told(session.changes(in: result(items, errors: [1]))) == [1])
    }
    let healed = try proceed(session, Self.request(epoch: 5))
    #expect(told(session.changes(in: result(healed))) == [1], "that it is gone is news")
    let quiet = try proceed(session, Self.request(epoch: 6))
    #expect(told(session.changes(in: result(quiet))) == [])
  }

  @Test func aDivergenceIsToldEachTime() throws {
    let session = Self.session([0])
    for epoch in Int32(1)...3 {
      var diverged = result(try proceed(session, Self.request(epoch: epoch)))
      diverged.items[0].fetched.answer.divergingEpoch.epoch = 3
      #expect(told(session.changes(in: diverged)) == [0])
    }
  }

  /// With room for one partition in each answer, everyone has had a turn after as many answers as there are partitions.
  @Test func nobodyStarvesBehindABusyPartition() throws {
    let workshop = try Workshop()
    let table = PartitionTable()
    let names = try ["a", "b", "c"].map { try #require(TopicName($0)) }
    var wanted = FetchRequest()
    for (number, name) in names.enumerated() {
      let partition = try workshop.partition(name.text)
      for _ in 0..<10 { partition.put(String(repeating: "x", count: 1000)) }
      let id = UniqueID(high: 1, low: UInt64(number))
      table.put(PartitionTable.HeldTopic(name: name, id: id, partitions: [partition]))
      var topic = FetchRequest.Topic()
      topic.topic = name.text
      var ask = FetchRequest.Partition()
      ask.partitionMaxBytes = 1100
      topic.partitions = [ask]
      wanted.topics.append(topic)
    }
    let session = FetchSession(id: 1, items: FetchKeys.items(in: wanted, byID: false), byID: false)
    var served: [FetchKey.Topic] = []
    for epoch in Int32(1)...6 {
      let items = try proceed(session, Self.request(epoch: epoch))
      let plan = FetchPlan(items: items, version: 12, maxBytes: 1100)
      let answer = session.changes(in: plan.read(from: table))
      served += answer.items.filter { $0.fetched.records != nil }.map(\.item.key.topic)
    }
    #expect(served == ["a", "b", "c", "a", "b", "c"].map { .name($0) })
  }
}

@Suite struct FetchSessionsTests {
  private func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

  @Test func aSessionIsFoundByItsIDUntilItIsClosed() throws {
    let sessions = FetchSessions(limit: 10)
    let session = try #require(sessions.open([], byID: false, now: at(0)))
    #expect(session.id > 0)
    #expect(sessions.find(session.id, now: at(1)) === session)
    sessions.close(session.id)
    #expect(sessions.find(session.id, now: at(1)) == nil)
    #expect(sessions.count == 0)
  }

  @Test func atTheLimitOnlyTheIdleGiveWay() throws {
    let sessions = FetchSessions(limit: 2)
    let first = try #require(sessions.open([], byID: false, now: at(0)))
    let second = try #require(sessions.open([], byID: false, now: at(10)))
    #expect(sessions.open([], byID: false, now: at(120)) == nil, "none has been idle for longer than two minutes")
    _ = sessions.find(first.id, now: at(125))
    let third = try #require(sessions.open([], byID: false, now: at(131)))
    #expect(sessions.find(second.id, now: at(131)) == nil, "the one that was idle longest went")
    #expect(sessions.find(first.id, now: at(131)) === first)
    #expect(sessions.find(third.id, now: at(131)) === third)
    #expect(sessions.count == 2)
  }

  @Test func aLimitOfNoneServesEveryoneWithoutASession() {
    let sessions = FetchSessions(limit: 0)
    #expect(sessions.open([], byID: false, now: at(0)) == nil)
  }
}
