import Consensus
import KafkaClient
import KafkaProtocol
import Vocabulary

/// Fetch of the metadata log (KIP-595, KIP-630), v12–18: earlier versions do not carry what replicas tell each other.
extension QuorumMessages {
  /// Beside the records there is little: an answer holds at most this many bytes of them, but always one batch.
  static let fetchBytesMax: Int32 = 8 << 20
  /// The first version with directories (KIP-853).
  static let fetchLowest: Int16 = 17

  static func request(
    _ fetch: Consensus.FetchRequest, cluster: String, highWatermark: Offset
  ) -> KafkaProtocol.FetchRequest {
    var partition = KafkaProtocol.FetchRequest.Partition()
    partition.partition = self.partition
    partition.currentLeaderEpoch = fetch.epoch.value
    partition.fetchOffset = fetch.offset.value
    partition.lastFetchedEpoch = fetch.lastFetchedEpoch.value
    partition.partitionMaxBytes = fetchBytesMax
    partition.replicaDirectoryID = fetch.replica.directory
    partition.highWatermark = highWatermark.value
    var topic = KafkaProtocol.FetchRequest.Topic()
    topic.topic = self.topic
    topic.topicID = .clusterMetadataTopic
    topic.partitions = [partition]
    var request = KafkaProtocol.FetchRequest()
    request.clusterID = cluster
    request.replicaID = fetch.replica.id.value
    request.replicaState.replicaID = fetch.replica.id.value
    request.maxWaitMs = Int32(clamping: fetch.maxWait.milliseconds)
    request.maxBytes = fetchBytesMax
    request.topics = [topic]
    return request
  }

  static func partition(_ request: KafkaProtocol.FetchRequest) -> KafkaProtocol.FetchRequest.Partition? {
    guard request.topics.count == 1, let topic = request.topics.first,
      topic.topicID == .clusterMetadataTopic || topic.topicID == .zero && topic.topic == self.topic,
      topic.partitions.count == 1, let partition = topic.partitions.first, partition.partition == self.partition
    else { return nil }
    return partition
  }

  static func read(_ request: KafkaProtocol.FetchRequest) -> Consensus.FetchRequest? {
    guard let partition = partition(request) else { return nil }
    let replica = request.replicaState.replicaID >= 0 ? request.replicaState.replicaID : request.replicaID
    return Consensus.FetchRequest(
      replica: ReplicaKey(NodeID(replica), partition.replicaDirectoryID), epoch: epoch(partition.currentLeaderEpoch),
      offset: Offset(partition.fetchOffset), lastFetchedEpoch: epoch(partition.lastFetchedEpoch),
      maxWait: .milliseconds(Int64(request.maxWaitMs)))
  }

  /// - Parameter records: the batches of a `range`.
  static func fetchResponse(
    _ head: AnswerHead, highWatermark: Offset, _ fetched: Fetched, records: [UInt8], logStart: Offset,
    _ place: LeaderPlace?
  ) -> FetchResponse {
    var partition = FetchResponse.Partition()
    partition.partitionIndex = self.partition
    partition.errorCode = head.error
    partition.highWatermark = highWatermark.value
    partition.lastStableOffset = highWatermark.value
    partition.logStartOffset = logStart.value
    partition.currentLeader.leaderID = (head.leader ?? .none).value
    partition.currentLeader.leaderEpoch = head.epoch.value
    partition.abortedTransactions = nil
    partition.records = .bytes(records)
    switch fetched {
    case .nothing, .range, .batches: break
    case .diverging(let end):
      partition.divergingEpoch.epoch = end.epoch.value
      partition.divergingEpoch.endOffset = end.end.value
    case .snapshot(let id):
      partition.snapshotID.endOffset = id.end.value
      partition.snapshotID.epoch = id.epoch.value
    }
    var topic = FetchResponse.Topic()
    topic.topic = self.topic
    topic.topicID = .clusterMetadataTopic
    topic.partitions = [partition]
    var response = FetchResponse()
    response.responses = [topic]
    if let place {
      var endpoint = FetchResponse.NodeEndpoint()
      endpoint.nodeID = place.id.value
      endpoint.host = place.address.host
      endpoint.port = Int32(place.address.port)
      response.nodeEndpoints = [endpoint]
    }
    return response
  }

  /// Reads what a leader answered. The records are checked and described; `bytes` are the whole batches of them.
  /// - Parameter body: the response's bytes, in which its records lie.
  static func read(
    _ response: FetchResponse, body: ArraySlice<UInt8>
  ) throws(MetadataBatchFault) -> (heard: Heard, bytes: [UInt8])? {
    guard response.errorCode == .none, let partition = response.responses.first?.partitions.first else { return nil }
    let leader = partition.currentLeader
    let head = head(partition.errorCode, leader.leaderID, leader.leaderEpoch)
    var fetched = Fetched.nothing
    var records: [UInt8] = []
    if partition.divergingEpoch.epoch >= 0 {
      let end = partition.divergingEpoch
      fetched = .diverging(EpochEnd(epoch: epoch(end.epoch), end: Offset(end.endOffset)))
    } else if partition.snapshotID.epoch >= 0 {
      let id = partition.snapshotID
      fetched = .snapshot(SnapshotID(end: Offset(id.endOffset), epoch: epoch(id.epoch)))
    } else {
      records = bytes(of: partition.records, in: body)
      let (batches, byteCount) = try MetadataBatches.read(records)
      guard !batches.isEmpty || records.isEmpty else { throw .malformed("there is no whole batch among its records") }
      records.removeLast(records.count - byteCount)
      if !batches.isEmpty { fetched = .batches(batches) }
    }
    let leaderPlace = response.nodeEndpoints.lazy.compactMap {
      place(head, $0.nodeID, $0.host, UInt16(exactly: $0.port) ?? 0)
    }.first
    return (
      Heard(
        answer: .fetch(head, highWatermark: Offset(partition.highWatermark), fetched), leader: leaderPlace), records
    )
  }

  static func bytes(of field: RecordsField, in body: ArraySlice<UInt8>) -> [UInt8] {
    switch field {
    case .null, .spliced: return []
    case .bytes(let bytes): return bytes
    case .inFrame(let range):
      let start = body.startIndex + range.lowerBound
      let end = body.startIndex + range.upperBound
      return start >= body.startIndex && end <= body.endIndex ? Array(body[start..<end]) : []
    }
  }
}
