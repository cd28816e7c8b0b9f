import EventLoop
import KafkaClient
import KafkaProtocol
import LogStorage
import MirrorPlanning
import Replication
import Synchronization
import Vocabulary

/// Copies from one broker of the source: one Fetch at a time for all partitions that it leads there, as a consumer would
/// send it, so that nothing comes that is not committed.
final class MirrorFetcher: Sendable {
  /// A lane, and what it is called at the source.
  struct Target: Sendable {
    let lane: MirrorLane
    let topic: TopicName
    let id: UniqueID
    let index: Int32
    let sourceEpoch: LeaderEpoch
  }
  /// `then` gets nil when there is no answer.
  typealias Ask =
    @Sendable (
      KafkaProtocol.FetchRequest, _ within: TimeSpan, _ then: @escaping @Sendable (FetchedFrame?) -> Void
    ) -> Void
  private struct Asked: Sendable {
    let target: Target
    let position: CopyPosition
    var key: CopyKey { CopyKey(topic: target.id, partition: target.index) }
  }
  /// What the source has said of a partition in its session, where that was no error. It is not said again as long as it is
  /// so.
  fileprivate struct Told: Sendable {
    let highWatermark: Int64
    let logStart: Int64
  }
  struct World: Sendable {
    let pool: BlockingPool
    let settings: CopySettings
    let throttle: ReplicationThrottle
    let planted: MirrorMistake?
    /// Asks the broker that is copied from.
    let ask: Ask
    /// That broker, for questions that wait for nothing.
    let questions: @Sendable () -> Peer?
    /// Somebody else leads: the source must be looked at.
    let mustLook: @Sendable () -> Void
  }

  private let world: World
  private let state = Mutex(State())

  fileprivate struct State {
    var targets: [Target] = []
    var wait = TimeSpan.zero
    /// What one answer may have, beyond a first batch.
    var share = Int64.max
    /// What the source remembers of our Fetches (KIP-227): of partitions that rest nothing is said on either side.
    var session = CopySession()
    var told: [CopyKey: Told] = [:]
    var naming = Naming()
    /// How often in a row the source did not know the session.
    var strangers = 0
    var isAsking = false
    var isStopped = false
  }

  init(_ world: World) { self.world = world }

  /// What is to be copied from now on, for how long the source may hold back an answer that has no records, and how many
  /// bytes one may have, beyond a first batch. Asks at once if nothing is under way.
  func copy(_ targets: [Target], within wait: TimeSpan, sharing share: Int64 = .max) {
    let mustStart = state.withLock { state in
      state.targets = targets
      state.wait = wait
      state.share = share
      guard !state.isAsking, !state.isStopped, !targets.isEmpty else { return false }
      state.isAsking = true
      return true
    }
    if mustStart { world.pool.run { self.ask() } }
  }

  func stop() { state.withLock { $0.isStopped = true } }

  private func ask() {
    let (targets, wait) = state.withLock { ($0.isStopped ? [] : $0.targets, $0.wait) }
    let now = monotonicNow()
    // While the limit is reached nothing is asked for: `copy` comes again soon, also with another limit.
    let asked =
      world.throttle.isUsedUp(at: now)
      ? []
      : targets.compactMap { target in target.lane.wish(at: now).map { Asked(target: target, position: $0) } }
    guard !asked.isEmpty else { return state.withLock { $0.isAsking = false } }
    let request = request(asked, wait)
    let span = TimeSpan.milliseconds(SourceCluster.span.milliseconds + Int64(request.maxWaitMs))
    world.ask(request, span) { answer in
      // What came is checked and written on a thread that may block, never on the connection's loop.
      self.world.pool.run { self.answered(asked, to: request, answer) }
    }
  }

  private func request(_ asked: [Asked], _ wait: TimeSpan) -> KafkaProtocol.FetchRequest {
    let places = asked.map { one in
      (
        one.key,
        CopySession.Place(
          leaderEpoch: one.target.sourceEpoch, offset: one.position.end,
          lastEpoch: world.planted == .comparesNoEpochs ? .none : one.position.lastEpoch, logStart: .none)
      )
    }
    let wanted = Dictionary(places) { first, _ in first }
    let names = Dictionary(asked.map { ($0.target.id, $0.target.topic) }) { first, _ in first }
    var request = state.withLock { state in
      var request = state.session.request(for: wanted, partitionMaxBytes: world.settings.partitionMaxBytes)
      state.naming.name(&request, names)
      // Should it be asked for again, the source has told nothing of it.
      for topic in request.forgottenTopicsData {
        for index in topic.partitions { state.told[CopyKey(topic: topic.topicID, partition: index)] = nil }
      }
      return request
    }
    request.maxWaitMs = Int32(clamping: wait.milliseconds)
    request.minBytes = 1
    request.maxBytes = min(world.settings.responseMaxBytes, Int32(clamping: state.withLock { $0.share }))
    // An answer of many seconds' worth would be followed by silence as long.
    if let rate = world.throttle.rate { request.maxBytes = min(request.maxBytes, Int32(clamping: rate)) }
    if request.sessionID == 0 {
      // Another order each time, so that a full answer leaves out nobody for ever. In a session the source sees to that.
      var chance = Chance()
      request.topics.shuffle(using: &chance)
    }
    return request
  }

  private func answered(_ asked: [Asked], to request: KafkaProtocol.FetchRequest, _ answer: FetchedFrame?) {
    if let answer { world.throttle.take(answer.frame.count, at: monotonicNow()) }
    guard let answer, answer.response.errorCode == .none else {
      let mayAskAgain = state.withLock { $0.forgetSession(after: answer?.response.errorCode) }
      if mayAskAgain { return ask() }
      let isTooOld = answer?.response.errorCode == .unsupportedVersion
      for one in asked {
        _ = one.target.lane.answered(isTooOld ? .refused(.unsupportedVersion) : .unreachable, at: one.position)
      }
      world.mustLook()
      return state.withLock { $0.isAsking = false }
    }
    take(asked, to: request, answer)
    ask()
  }

  /// What was said of the partitions that were asked for, and that the session has told before where nothing is said now.
  private func take(_ asked: [Asked], to request: KafkaProtocol.FetchRequest, _ answer: FetchedFrame) {
    var found: [CopyKey: FetchResponse.Partition] = [:]
    for topic in answer.response.responses {
      for partition in topic.partitions {
        found[CopyKey(topic: topic.topicID, partition: partition.partitionIndex)] = partition
      }
    }
    let told = state.withLock { $0.took(found, asked.map(\.key), to: request, in: answer.response.sessionID) }
    answer.frame.withUnsafeBytes { raw in
      // As in what a leader of our own has sent: a log only reads it.
      let body = UnsafeMutableRawBufferPointer(
        mutating: UnsafeRawBufferPointer(rebasing: raw[answer.bodyStart...]))
      for one in asked {
        if let partition = found[one.key] {
          take(one, partition, body)
        } else if let known = told[one.key] {
          // There is nothing new: the source says what it said before.
          var partition = FetchResponse.Partition()
          partition.partitionIndex = one.target.index
          partition.highWatermark = known.highWatermark
          partition.logStartOffset = known.logStart
          take(one, partition, body)
        }
      }
    }
  }

  private func take(_ one: Asked, _ partition: FetchResponse.Partition, _ body: UnsafeMutableRawBufferPointer) {
    var (answer, records) = MirroredBatches.read(partition, at: one.position, in: body)
    if world.planted == .takesHolesForGaps, let records, let first = MirroredBatches.first(in: records),
      first > one.position.end
    {
      answer = .bounds(earliest: first, latest: max(first, Offset(partition.highWatermark)))
    }
    switch one.target.lane.answered(answer, at: one.position, records: records) {
    case .askBounds: askBounds(one)
    case .askWhoLeads: world.mustLook()
    case .append, .keep, .restart, .rest, .halt: break
    }
  }

  /// What the source has instead of what was asked for.
  private func askBounds(_ one: Asked) {
    guard let peer = world.questions() else { return }
    ask(peer, one, for: -2) { earliest in
      self.ask(peer, one, for: -1) { latest in
        self.world.pool.run {
          let answer = SourceAnswer.bounds(earliest: earliest, latest: latest)
          if one.target.lane.answered(answer, at: one.position) == .askWhoLeads { self.world.mustLook() }
        }
      }
    }
  }

  private func ask(_ peer: Peer, _ one: Asked, for time: Int64, then: @escaping @Sendable (Offset) -> Void) {
    var request = ListOffsetsRequest()
    request.replicaID = -1
    var topic = ListOffsetsRequest.Topic()
    topic.name = one.target.topic.text
    var ask = ListOffsetsRequest.Partition()
    ask.partitionIndex = one.target.index
    ask.currentLeaderEpoch = one.target.sourceEpoch.value
    ask.timestamp = time
    topic.partitions = [ask]
    request.topics = [topic]
    peer.ask(request, lowest: 4, within: SourceCluster.span) { result in
      guard case .success(let answer) = result, let found = answer.response.topics.first?.partitions.first,
        found.errorCode == .none, found.offset >= 0
      else { return }
      then(Offset(found.offset))
    }
  }
}

extension MirrorFetcher {
  /// What topics are called that are asked for by their ids: sources before Kafka 3.1 know them by their names alone.
  struct Naming: Sendable {
    /// Of those that were asked for last, which may be forgotten next.
    private var names: [UniqueID: TopicName] = [:]

    /// Who forgets a topic has to name it as before, whatever has become of it since.
    mutating func name(_ request: inout KafkaProtocol.FetchRequest, _ asked: [UniqueID: TopicName]) {
      let known = names.merging(asked) { $1 }
      for place in request.topics.indices {
        request.topics[place].topic = known[request.topics[place].topicID]?.text ?? ""
      }
      for place in request.forgottenTopicsData.indices {
        request.forgottenTopicsData[place].topic = known[request.forgottenTopicsData[place].topicID]?.text ?? ""
      }
      names = asked
    }
  }
}

extension MirrorFetcher.State {
  /// Everything is said anew next time. True where that may be at once: the source has forgotten the session, which is none of
  /// the partitions' doing.
  mutating func forgetSession(after code: ErrorCode?) -> Bool {
    session.reset()
    told = [:]
    switch code {
    case .fetchSessionIdNotFound, .invalidFetchSessionEpoch, .fetchSessionTopicIdError:
      strangers += 1
      return strangers == 1
    default: return false
    }
  }

  /// Notes what was said. What comes back holds for those of whom nothing was said; it is empty without a session.
  mutating func took(
    _ found: [CopyKey: FetchResponse.Partition], _ asked: [CopyKey], to request: KafkaProtocol.FetchRequest,
    in sessionID: Int32
  ) -> [CopyKey: MirrorFetcher.Told] {
    strangers = 0
    let goesOn = request.sessionID != 0 && sessionID == request.sessionID
    if !goesOn { told = [:] }
    for (key, partition) in found {
      let isTold = partition.errorCode == .none && partition.divergingEpoch.epoch < 0
      told[key] = isTold ? .init(highWatermark: partition.highWatermark, logStart: partition.logStartOffset) : nil
    }
    session.answered(sessionID: sessionID)
    // Of whom a session has never said anything, it may not know.
    if goesOn, asked.contains(where: { found[$0] == nil && told[$0] == nil }) { session.reset() }
    return goesOn ? told : [:]
  }
}

/// Reads what a source has sent for one partition. Until it has been checked here it may be anything.
enum MirroredBatches {
  private static let formatByte = 16

  /// Where the first batch begins.
  static func first(in records: UnsafeMutableRawBufferPointer) -> Offset? {
    var cursor = RecordBatchCursor(UnsafeRawBufferPointer(records))
    return (try? cursor.next())?.header.baseOffset
  }

  static func read(
    _ answer: FetchResponse.Partition, at position: CopyPosition, in body: UnsafeMutableRawBufferPointer
  ) -> (SourceAnswer, UnsafeMutableRawBufferPointer?) {
    switch answer.errorCode {
    case .none: break
    case .offsetOutOfRange: return (.outOfRange, nil)
    // A broker that has just come up may not know the topic yet: whether it is gone, the source's metadata says.
    case .notLeaderOrFollower, .fencedLeaderEpoch, .unknownLeaderEpoch, .unknownTopicOrPartition, .unknownTopicId,
      .inconsistentTopicId:
      return (.moved, nil)
    case let code: return (.refused(code), nil)
    }
    if answer.divergingEpoch.epoch >= 0 {
      return (
        .diverging(LeaderEpoch(answer.divergingEpoch.epoch), upTo: Offset(answer.divergingEpoch.endOffset)), nil
      )
    }
    var records = UnsafeMutableRawBufferPointer(rebasing: body[..<0])
    if case .inFrame(let range) = answer.records, range.lowerBound >= 0, range.upperBound <= body.count {
      records = UnsafeMutableRawBufferPointer(rebasing: body[range])
    }
    // The byte of a batch that says its format. Sources send what they keep in older ones as it is.
    if records.count > formatByte, records[formatByte] < 2 { return (.refused(.unsupportedForMessageFormat), nil) }
    // The same checks as of a leader of our own: an order, checksums, offsets that go on.
    let ask = Replication.FetchRequest(
      id: FetchID(0), from: .none, brokerEpoch: BrokerEpoch(-1), leaderEpoch: position.ownEpoch, offset: position.end,
      lastEpoch: position.lastEpoch, logStart: position.start)
    let (outcome, count) = CopiedBatches.check(
      UnsafeRawBufferPointer(records), for: ask, highWatermark: Offset(answer.highWatermark),
      logStart: Offset(answer.logStartOffset))
    guard case .records(let copied) = outcome else { return (.refused(.corruptMessage), nil) }
    return (
      .records(
        from: copied.start, upTo: copied.end, runs: copied.epochs.map { EpochRun($0.epoch, at: $0.offset) },
        highWatermark: copied.highWatermark, logStart: copied.logStart),
      UnsafeMutableRawBufferPointer(rebasing: records[..<count])
    )
  }
}
