import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import MirrorPlanning
import Telemetry
import Testing
import Vocabulary

@testable import Broker

/// What a mirror says again in its Fetches, and what it concludes where its source says nothing (KIP-227).
@Suite struct MirrorSessionTests {
  private struct Asked: Sendable {
    let request: KafkaProtocol.FetchRequest
    let respond: @Sendable (FetchedFrame?) -> Void

    var partitions: [UniqueID] { request.topics.flatMap { topic in topic.partitions.map { _ in topic.topicID } } }
    var isFull: Bool { request.sessionID == 0 && request.sessionEpoch == 0 }

    func answer(
      _ code: ErrorCode = .none, session: Int32 = 7, mark: Int64? = nil, of ids: [UniqueID] = [],
      refused: ErrorCode = .none
    ) {
      var response = FetchResponse()
      response.errorCode = code
      response.sessionID = session
      response.responses = ids.map { id in
        var topic = FetchResponse.Topic()
        topic.topicID = id
        var partition = FetchResponse.Partition()
        partition.errorCode = refused
        partition.highWatermark = mark ?? -1
        partition.logStartOffset = 0
        topic.partitions = [partition]
        return topic
      }
      respond(FetchedFrame(response: response, frame: [], bodyStart: 0))
    }
  }
  private let workshop: Workshop
  private let requests = Events<Asked>()
  private let fetcher: MirrorFetcher
  /// Of two topics, whose ids at the source are these.
  private let targets: [MirrorFetcher.Target]
  private let ids = [UniqueID(high: 1, low: 1), UniqueID(high: 2, low: 2)]

  init() throws {
    // One thread: what it is given is done in that order.
    let workshop = try Workshop(threads: 1)
    self.workshop = workshop
    let requests = requests
    fetcher = MirrorFetcher(
      MirrorFetcher.World(
        pool: workshop.pool, settings: CopySettings(), throttle: ReplicationThrottle(), planted: nil,
        ask: { request, _, then in requests.add(Asked(request: request, respond: then)) }, questions: { nil },
        mustLook: {}))
    targets = try zip(["orders", "payments"], ids).map { name, id in
      let partition = try workshop.partition(name, ["mirror.link": "eu"])
      partition.lead(in: LeaderEpoch(70_000))
      let lane = MirrorLane(partition, link: "eu", known: nil, planted: nil, log: Log("test"))
      return MirrorFetcher.Target(
        lane: lane, topic: partition.name.topic, id: id, index: 0, sourceEpoch: LeaderEpoch(3))
    }
  }

  private func status(_ index: Int, at moment: Instant = monotonicNow()) -> PartitionStatus {
    targets[index].lane.status(at: moment)
  }

  /// After the first answer, which tells of both.
  private func opened() throws -> Asked {
    fetcher.copy(targets, within: .zero)
    let first = try requests.next()
    #expect(first.isFull && Set(first.partitions) == Set(ids))
    first.answer(mark: 0, of: ids)
    return try requests.next()
  }

  @Test func whatRestsIsNotNamedAgainAndIsKnownToBeAsItWas() throws {
    let second = try opened()
    #expect(second.request.sessionID == 7 && second.request.sessionEpoch == 1 && second.partitions.isEmpty)
    let later = monotonicNow() + .seconds(3600)
    let before = [0, 1].map { status($0, at: later) }
    second.answer(mark: 5, of: [ids[1]])
    let third = try requests.next()
    #expect(third.request.sessionEpoch == 2 && third.partitions.isEmpty)
    // Nothing was said of the first: it is as it was, and that is news of now.
    #expect(status(0).sourceEnd == .zero && status(1).sourceEnd == Offset(5))
    for index in [0, 1] {
      #expect(try #require(status(index, at: later).age) < #require(before[index].age))
    }
    third.answer()
    _ = try requests.next()
    #expect(status(0).sourceEnd == .zero && status(1).sourceEnd == Offset(5))
  }

  @Test(arguments: [ErrorCode.fetchSessionIdNotFound, .invalidFetchSessionEpoch, .fetchSessionTopicIdError])
  func aSourceThatDoesNotKnowTheSessionIsAskedForEverythingAtOnce(code: ErrorCode) throws {
    try opened().answer(code, session: 0)
    let again = try requests.next()
    #expect(again.isFull && Set(again.partitions) == Set(ids))
    #expect([0, 1].allSatisfy { status($0).state == .copying })
    again.answer(session: 8, mark: 1, of: ids)
    let next = try requests.next()
    #expect(next.request.sessionID == 8 && next.request.sessionEpoch == 1 && next.partitions.isEmpty)
    // And the next time too, but not for ever.
    next.answer(code, session: 0)
    try requests.next().answer(code, session: 0)
    let done = Events<Void>()
    workshop.pool.run { done.add(()) }
    try done.next()
    #expect(requests.count == 0)
    #expect([0, 1].allSatisfy { status($0).state == .waiting })
  }

  @Test func aSourceThatKeepsNoSessionsIsAskedForEverythingEachTime() throws {
    fetcher.copy(targets, within: .zero)
    for mark: Int64 in 0..<5 {
      let asked = try requests.next()
      #expect(asked.isFull && Set(asked.partitions) == Set(ids))
      asked.answer(session: 0, mark: mark, of: ids)
    }
    _ = try requests.next()
    #expect(status(0).sourceEnd == Offset(4))
  }

  @Test func ofWhomASessionlessAnswerSaysNothingNothingIsConcluded() throws {
    fetcher.copy(targets, within: .zero)
    try requests.next().answer(session: 0, mark: 0, of: ids)
    let second = try requests.next()
    let later = monotonicNow() + .seconds(3600)
    let before = status(0, at: later)
    second.answer(session: 0, mark: 9, of: [ids[1]])
    _ = try requests.next()
    #expect(status(0, at: later) == before && status(1).sourceEnd == Offset(9))
  }

  @Test func aSourceThatEndsASessionInTheMiddleIsAskedForEverything() throws {
    try opened().answer(session: 0)
    #expect(try requests.next().isFull)
  }

  @Test func afterSilenceEverythingIsSaidAnew() throws {
    try opened().respond(nil)
    let done = Events<Void>()
    workshop.pool.run { done.add(()) }
    try done.next()
    #expect([0, 1].allSatisfy { status($0).state == .waiting })
    var again: Asked?
    // They rest for a tenth of a second first.
    while again == nil {
      fetcher.copy(targets, within: .zero)
      workshop.pool.run { done.add(()) }
      try done.next()
      if requests.count > 0 { again = try requests.next() }
    }
    #expect(again?.isFull == true)
  }

  @Test func whatIsNotCopiedAnyMoreIsForgotten() throws {
    let second = try opened()
    fetcher.copy([targets[1]], within: .zero)
    second.answer()
    let third = try requests.next()
    #expect(third.request.forgottenTopicsData.map(\.topicID) == [ids[0]] && third.partitions.isEmpty)
    // Once it is copied again, the session has said nothing of it.
    fetcher.copy(targets, within: .zero)
    third.answer()
    let fourth = try requests.next()
    #expect(fourth.partitions == [ids[0]])
    fourth.answer(mark: 3, of: [ids[0]])
    _ = try requests.next()
    #expect(status(0).sourceEnd == Offset(3))
  }

  @Test func whatWasRefusedIsNotTakenForRest() throws {
    let second = try opened()
    second.answer(of: [ids[0]], refused: .unknownServerError)
    let third = try requests.next()
    #expect(status(0).state == .waiting)
    // It rests, so that it is left out of the session.
    #expect(third.request.forgottenTopicsData.map(\.topicID) == [ids[0]])
  }
}
