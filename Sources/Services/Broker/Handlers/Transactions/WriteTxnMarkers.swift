import Coordination
import EventLoop
import KafkaProtocol
import LogStorage
import Replication
import Vocabulary

extension Broker {
  /// WriteTxnMarkers, v1–2: the transaction coordinator has a transaction ended in partitions that are led here (KIP-98).
  /// Administrators send it too, to end a transaction whose coordinator does not know of it (KIP-664).
  ///
  /// Per partition: NOT_LEADER_OR_FOLLOWER also while the group coordinator of a partition of group offsets is loading,
  /// INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED.
  func writeTxnMarkers(_ call: Call<WriteTxnMarkersRequest>) {
    let markers = call.request.markers
    var asked: [(marker: Int, topic: Int, partition: Int32)] = []
    for (i, marker) in markers.enumerated() {
      for (j, topic) in marker.topics.enumerated() {
        for partition in topic.partitionIndexes { asked.append((i, j, partition)) }
      }
    }
    let places = asked
    let gathering = Gathering<ErrorCode>(count: asked.count) { codes in
      call.answer(Self.response(to: markers, places: places, codes))
    }
    for (index, place) in asked.enumerated() {
      let marker = markers[place.marker]
      write(marker, to: marker.topics[place.topic].name, place.partition) { gathering.put($0, at: index) }
    }
  }

  private func write(
    _ marker: WriteTxnMarkersRequest.Marker, to topic: String, _ index: Int32,
    done: @escaping @Sendable (ErrorCode) -> Void
  ) {
    guard let held = heldTopic(topic) else { return done(.unknownTopicOrPartition) }
    guard let partition = held.partition(index) else { return done(held.absence(of: index)) }
    let producer = ProducerID(marker.producerID)
    let now = wallClockNow()
    var bytes = TransactionMarkerBatch.build(
      outcome: marker.transactionResult, producer: producer, epoch: ProducerEpoch(marker.producerEpoch),
      coordinatorEpoch: marker.coordinatorEpoch, at: now)
    if held.name == .consumerOffsets {
      guard let shard = groups.shard(at: Int(index)) else { return done(.notLeaderOrFollower) }
      return shard.endTransaction(
        of: producer, marker.transactionResult ? .committed : .aborted, marker: bytes, done: done)
    }
    bytes.withUnsafeMutableBytes { raw in
      partition.append(raw, origin: .coordinator, acks: .allInSync, timeout: Self.markerSpan, now: now) { outcome in
        if case .failed(let error) = outcome { self.storageFailed(error) }
        done(outcome.markerCode)
      }
    }
  }

  /// A marker that is not kept by then comes again: twice is no harm.
  private static let markerSpan = TimeSpan.seconds(5)

  private static func response(
    to markers: [WriteTxnMarkersRequest.Marker], places: [(marker: Int, topic: Int, partition: Int32)],
    _ codes: [ErrorCode]
  ) -> WriteTxnMarkersResponse {
    var response = WriteTxnMarkersResponse()
    response.markers = markers.map { marker in
      var answer = WriteTxnMarkersResponse.Marker()
      answer.producerID = marker.producerID
      answer.topics = marker.topics.map { topic in
        var entry = WriteTxnMarkersResponse.Topic()
        entry.name = topic.name
        return entry
      }
      return answer
    }
    for (place, code) in zip(places, codes) {
      var entry = WriteTxnMarkersResponse.Partition()
      entry.partitionIndex = place.partition
      entry.errorCode = code
      response.markers[place.marker].topics[place.topic].partitions.append(entry)
    }
    return response
  }
}

extension AppendOutcome {
  /// What WriteTxnMarkers says.
  var markerCode: ErrorCode {
    switch self {
    case .kept: .none
    case .refused(let refusal): refusal.code
    case .failed: .kafkaStorageError
    }
  }
}
