import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import MirrorPlanning
import Synchronization
import Telemetry
import Testing
import Vocabulary

@testable import Broker

/// What a mirror asks its source for under its limit, and when the limit does not count.
@Suite struct MirrorThrottleTests {
  private struct Asked: Sendable {
    let request: KafkaProtocol.FetchRequest
    let answer: @Sendable (FetchedFrame?) -> Void

    /// An answer of so many bytes, of which none are for what was asked.
    func answer(bytes: Int) {
      answer(FetchedFrame(response: FetchResponse(), frame: [UInt8](repeating: 0, count: bytes), bodyStart: 0))
    }
  }
  private let workshop: Workshop
  private let throttle = ReplicationThrottle()
  private let requests = Events<Asked>()
  private let fetcher: MirrorFetcher
  private let target: MirrorFetcher.Target

  init() throws {
    // One thread: what it is given is done in that order.
    let workshop = try Workshop(threads: 1)
    self.workshop = workshop
    let requests = requests
    fetcher = MirrorFetcher(
      MirrorFetcher.World(
        pool: workshop.pool, settings: CopySettings(), throttle: throttle, planted: nil,
        ask: { request, _, then in requests.add(Asked(request: request, answer: then)) }, questions: { nil },
        mustLook: {}))
    let partition = try workshop.partition("orders", ["mirror.link": "eu"])
    partition.lead(in: LeaderEpoch(70_000))
    let lane = MirrorLane(
      partition, link: "eu", known: nil, planted: nil, log: Log("test"))
    target = MirrorFetcher.Target(
      lane: lane, topic: partition.name.topic, id: Workshop.topicID, index: 0, sourceEpoch: LeaderEpoch(3))
  }

  /// What comes several times a second.
  private func look() throws {
    fetcher.copy([target], within: .zero)
    let done = Events<Void>()
    workshop.pool.run { done.add(()) }
    try done.next()
  }

  @Test func nothingIsAskedForUntilTheDebtOfTheLastAnswerIsPaid() throws {
    _ = throttle.set(rate: 1)
    try look()
    // Its debt takes weeks.
    try requests.next().answer(bytes: 1 << 20)
    try look()
    try look()
    #expect(requests.count == 0)
    // With another limit it would be paid by now, and without one it is forgotten.
    _ = throttle.set(rate: nil)
    try look()
    try requests.next().answer(bytes: 1 << 20)
    #expect(try requests.next().request.topics.count == 1)
  }

  @Test func noAnswerIsAskedForThatWouldTakeManySeconds() throws {
    _ = throttle.set(rate: 5000)
    try look()
    #expect(try requests.next().request.maxBytes == 5000)
  }

  @Test func aLimitAboveWhatIsAskedForAnywayChangesNothing() throws {
    _ = throttle.set(rate: .max - 1)
    try look()
    #expect(try requests.next().request.maxBytes == CopySettings().responseMaxBytes)
  }

  @Test func anAnswerHasNoMoreThanTheShareOfOneFetch() throws {
    fetcher.copy([target], within: .zero, sharing: 777)
    #expect(try requests.next().request.maxBytes == 777)
  }

  @Test func nothingIsAskedForWhileThereIsNoRoomAndItGoesOnByItself() throws {
    var room = MirrorRoom.Standing()
    let folder = target.lane.partition.world.directory
    room.shortages[folder] = "the disk of /data has 3 bytes free"
    target.lane.follow(room)
    try look()
    try look()
    #expect(requests.count == 0)
    let status = target.lane.status(at: monotonicNow())
    #expect(status.isShortOfRoom && status.reason == "the disk of /data has 3 bytes free")
    // Before the next look it may have been used up.
    let allowance = DiskAllowance(1)
    allowance.use(1)
    room.shortages[folder] = nil
    room.allowances[folder] = allowance
    target.lane.follow(room)
    try look()
    #expect(requests.count == 0)
    target.lane.follow(MirrorRoom.Standing())
    try look()
    #expect(try requests.next().request.topics.count == 1)
    #expect(!target.lane.status(at: monotonicNow()).isShortOfRoom)
  }

  private func order(_ settings: [String: String]) throws -> MirrorOrder {
    var image = MetadataImage()
    for (key, value) in ["bootstrap.servers": "host:9092"].merging(settings, uniquingKeysWith: { $1 }) {
      image.replay(.configChanged(.mirror("eu"), key: key, value: value))
    }
    return try #require(MirrorOrder("eu", in: image))
  }

  @Test func withoutASettingThereIsNoLimit() throws {
    #expect(try order([:]).rateNow == nil)
    #expect(try order(["mirror.throttled.rate": "\(Int64.max)"]).rateNow == nil)
    #expect(try order(["mirror.throttled.rate": "100"]).rateNow == 100)
  }

  @Test func aSwitchoverIsNotHeldUpByTheLimitAndAFailBackKeepsIt() throws {
    #expect(try order(["mirror.throttled.rate": "1", "state": "switchover"]).rateNow == nil)
    #expect(try order(["mirror.throttled.rate": "1", "state": "failback"]).rateNow == 1)
    #expect(try order(["mirror.throttled.rate": "1", "state": "running"]).rateNow == 1)
  }
}
