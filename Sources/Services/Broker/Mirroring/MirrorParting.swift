import KafkaClient
import KafkaProtocol
import EventLoop
import LogStorage
import MirrorPlanning
import Vocabulary

/// Finds what a copy has and its source has not, and writes it to a file of its own. Nothing of the log is changed by it:
/// that comes once the metadata says where the file is.
struct MirrorParting: Sendable {
  let target: MirrorFetcher.Target
  let source: SourceCluster
  let peer: Peer
  let order: PartingOrder
  let bytesMax: Int64
  let broker: NodeID
  let pool: BlockingPool
  let throttle: ReplicationThrottle
  let planted: MirrorMistake?
  let whenDone: @Sendable () -> Void

  /// How much of what both should have is compared, right below where they part.
  private static let comparedBytes = 256 << 10

  private var partition: Partition { target.lane.partition }
  private var position: CopyPosition { order.position }

  func begin() {
    guard let search = order.search else { return end { $0.partingWasNeedless() } }
    ask(search)
  }

  private func end(_ tell: (MirrorLane) -> Void) {
    tell(target.lane)
    whenDone()
  }

  private func giveUp(_ reason: String) { end { $0.partingFailed(.notNow(reason)) } }

  // MARK: Where the logs part

  private func ask(_ search: DivergenceSearch) {
    var request = OffsetForLeaderEpochRequest()
    request.replicaID = -1
    var topic = OffsetForLeaderEpochRequest.Topic()
    topic.topic = target.topic.text
    var ask = OffsetForLeaderEpochRequest.Partition()
    ask.partition = target.index
    ask.currentLeaderEpoch = target.sourceEpoch.value
    ask.leaderEpoch = search.asked.value
    topic.partitions = [ask]
    request.topics = [topic]
    peer.ask(request, within: SourceCluster.span) { result in
      guard case .success(let answer) = result, let said = answer.response.topics.first?.partitions.first,
        said.errorCode == .none
      else { return giveUp("the source does not say where its epochs end") }
      var search = search
      switch search.answered(LeaderEpoch(said.leaderEpoch), upTo: Offset(said.endOffset)) {
      case .ask: self.ask(search)
      case .same: end { $0.partingWasNeedless() }
      case .unclear: giveUp("what the source says of its epochs makes no sense")
      case .parts(let point): pool.run { compare(below: point) }
      }
    }
  }

  // MARK: Whether they are the same below

  private func compare(below point: Offset) {
    guard let own = try? partition.log.lastBatches(below: point, within: Self.comparedBytes) else {
      return giveUp("the log cannot be read below offset \(point.value)")
    }
    askStart { start in
      guard let first = own.first else {
        // Nothing is left here of what both have: what the source has before it was never here.
        let cutTo = min(point, order.sharedEnd ?? start)
        return pool.run { keep(from: point, cutTo: cutTo) }
      }
      // Nor there.
      guard start < point else { return pool.run { keep(from: point) } }
      let isCompacted = partition.log.settings.cleanup.contains(.compact)
      fetch(from: max(start, first.baseOffset)) { source in
        let other = difference(
          own: own.map { BatchMark($0) }, source: source, below: point, isCompacted: isCompacted)
        if let other { return end { $0.partingFailed(.differs(at: other)) } }
        // A cleaner may have removed what is shared because of what is not: all that the source has is copied again.
        keep(from: point, cutTo: isCompacted && planted != .keepsWhatWasCleaned ? start : nil)
      }
    }
  }

  private func askStart(then: @escaping @Sendable (Offset) -> Void) {
    var request = ListOffsetsRequest()
    request.replicaID = -1
    var topic = ListOffsetsRequest.Topic()
    topic.name = target.topic.text
    var ask = ListOffsetsRequest.Partition()
    ask.partitionIndex = target.index
    ask.currentLeaderEpoch = target.sourceEpoch.value
    ask.timestamp = -2
    topic.partitions = [ask]
    request.topics = [topic]
    peer.ask(request, lowest: 4, within: SourceCluster.span) { result in
      guard case .success(let answer) = result, let found = answer.response.topics.first?.partitions.first,
        found.errorCode == .none, found.offset >= 0
      else { return giveUp("the source does not say where it begins") }
      then(Offset(found.offset))
    }
  }

  private func fetch(from offset: Offset, then: @escaping @Sendable ([BatchMark]) -> Void) {
    var request = KafkaProtocol.FetchRequest()
    request.maxWaitMs = 0
    request.minBytes = 0
    request.maxBytes = Int32(2 * Self.comparedBytes)
    var ask = KafkaProtocol.FetchRequest.Partition()
    ask.partition = target.index
    ask.currentLeaderEpoch = target.sourceEpoch.value
    ask.fetchOffset = offset.value
    ask.lastFetchedEpoch = -1
    ask.partitionMaxBytes = request.maxBytes
    var topic = KafkaProtocol.FetchRequest.Topic()
    topic.topic = target.topic.text
    topic.topicID = target.id
    topic.partitions = [ask]
    request.topics = [topic]
    source.fetch(from: peer, request, within: SourceCluster.span) { answer in
      pool.run {
        // It is counted, and not held back: it is little, and a partition stands still meanwhile.
        if let answer { throttle.take(answer.frame.count, at: monotonicNow()) }
        guard let answer, answer.response.errorCode == .none,
          let said = answer.response.responses.first?.partitions.first, said.errorCode == .none,
          case .inFrame(let range) = said.records,
          let marks = Self.marks(in: answer.frame.dropFirst(answer.bodyStart), range), !marks.isEmpty
        else { return giveUp("the source does not send what is to be compared") }
        then(marks)
      }
    }
  }

  /// Nil where the checksum of a batch is wrong.
  private static func marks(in body: ArraySlice<UInt8>, _ range: Range<Int>) -> [BatchMark]? {
    body.withUnsafeBytes { raw in
      guard range.lowerBound >= 0, range.upperBound <= raw.count else { return nil }
      var cursor = RecordBatchCursor(UnsafeRawBufferPointer(rebasing: raw[range]))
      var marks: [BatchMark] = []
      while let batch = try? cursor.next() {
        guard batch.isChecksumValid else { return nil }
        marks.append(BatchMark(batch.header))
      }
      return marks
    }
  }

  // MARK: Keeping

  private func keep(from point: Offset, cutTo: Offset? = nil) {
    let epoch = position.lastEpoch
    let name = "set-aside.\(target.id)-\(target.index).to-\(position.end.value).epoch-\(epoch.value)"
    do throws(StorageError) {
      switch try partition.log.keep(from: point, as: name, bytesMax: bytesMax) {
      case .nothing: end { $0.partingFailed(.notNow("there was nothing to set aside")) }
      case .tooMuch: end { $0.partingFailed(.tooMuch(limit: bytesMax)) }
      case .kept(let kept):
        // A log that changed meanwhile is looked through anew.
        guard kept.end == position.end else { return giveUp("the log has changed") }
        let what = SetAside(
          kept.start.value..<kept.end.value, records: kept.records, bytes: kept.bytes, epoch: epoch, broker: broker,
          path: kept.path)
        end { $0.saved(what, cutTo: cutTo ?? kept.start) }
      }
    } catch {
      giveUp("\(error)")
    }
  }
}

extension BatchMark {
  init(_ header: RecordBatchHeader) {
    self.init(
      base: header.baseOffset, next: header.nextOffset, epoch: header.partitionLeaderEpoch, count: header.recordsCount,
      crc: header.crc)
  }
}
