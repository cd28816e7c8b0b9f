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
  private struct Asked: Sendable {
    let target: Target
    let position: CopyPosition
  }
  struct World: Sendable {
    let source: SourceCluster
    let pool: BlockingPool
    let settings: CopySettings
    let planted: MirrorMistake?
    /// Somebody else leads: the source must be looked at.
    let mustLook: @Sendable () -> Void
  }

  private let node: NodeID
  private let world: World
  private let state = Mutex(State())

  private struct State {
    var targets: [Target] = []
    var wait = TimeSpan.zero
    var isAsking = false
    var isStopped = false
  }

  init(_ node: NodeID, _ world: World) {
    self.node = node
    self.world = world
  }

  /// What is to be copied from now on, and for how long the source may hold back an answer that has no records. Asks at
  /// once if nothing is under way.
  func copy(_ targets: [Target], within wait: TimeSpan) {
    let mustStart = state.withLock { state in
      state.targets = targets
      state.wait = wait
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
    let asked = targets.compactMap { target in
      target.lane.wish(at: now).map { Asked(target: target, position: $0) }
    }
    guard !asked.isEmpty, let peer = world.source.peer(of: node, for: .copying) else {
      return state.withLock { $0.isAsking = false }
    }
    let request = Self.request(asked, wait, world.settings, world.planted)
    let span = TimeSpan.milliseconds(SourceCluster.span.milliseconds + Int64(request.maxWaitMs))
    // v13 is the first that asks for topics by id: by its name, a topic that was made again would be taken for the old one.
    peer.ask(request, lowest: 13, within: span) { result in
      // What came is checked and written on a thread that may block, never on the connection's loop.
      self.world.pool.run { self.answered(asked, result) }
    }
  }

  private static func request(
    _ asked: [Asked], _ wait: TimeSpan, _ settings: CopySettings, _ planted: MirrorMistake?
  ) -> KafkaProtocol.FetchRequest {
    var request = KafkaProtocol.FetchRequest()
    request.maxWaitMs = Int32(clamping: wait.milliseconds)
    request.minBytes = 1
    request.maxBytes = settings.responseMaxBytes
    // They come in the order of their topics.
    var topics: [KafkaProtocol.FetchRequest.Topic] = []
    for one in asked {
      var ask = KafkaProtocol.FetchRequest.Partition()
      ask.partition = one.target.index
      ask.currentLeaderEpoch = one.target.sourceEpoch.value
      ask.fetchOffset = one.position.end.value
      ask.lastFetchedEpoch = planted == .comparesNoEpochs ? -1 : one.position.lastEpoch.value
      ask.partitionMaxBytes = settings.partitionMaxBytes
      if topics.last?.topicID != one.target.id {
        var topic = KafkaProtocol.FetchRequest.Topic()
        topic.topic = one.target.topic.text
        topic.topicID = one.target.id
        topics.append(topic)
      }
      topics[topics.count - 1].partitions.append(ask)
    }
    // Another order each time, so that a full answer leaves out nobody for ever.
    var chance = Chance()
    request.topics = topics.shuffled(using: &chance)
    return request
  }

  private func answered(_ asked: [Asked], _ result: Result<PeerAnswer<FetchResponse>, ClientError>) {
    guard case .success(var answer) = result, answer.response.errorCode == .none else {
      for one in asked { _ = one.target.lane.answered(.unreachable, at: one.position) }
      world.mustLook()
      return state.withLock { $0.isAsking = false }
    }
    take(asked, &answer)
    ask()
  }

  private struct Key: Hashable {
    let topic: UniqueID
    let index: Int32
  }

  private func take(_ asked: [Asked], _ answer: inout PeerAnswer<FetchResponse>) {
    var found: [Key: FetchResponse.Partition] = [:]
    for topic in answer.response.responses {
      for partition in topic.partitions {
        found[Key(topic: topic.topicID, index: partition.partitionIndex)] = partition
      }
    }
    let start = answer.bodyStart
    answer.frame.withUnsafeMutableBytes { raw in
      let body = UnsafeMutableRawBufferPointer(rebasing: raw[start...])
      for one in asked {
        let key = Key(topic: one.target.id, index: one.target.index)
        // A full answer may leave somebody out.
        guard let partition = found[key] else { continue }
        take(one, partition, body)
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
    guard let peer = world.source.peer(of: node, for: .questions) else { return }
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

/// Reads what a source has sent for one partition. Until it has been checked here it may be anything.
enum MirroredBatches {
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
