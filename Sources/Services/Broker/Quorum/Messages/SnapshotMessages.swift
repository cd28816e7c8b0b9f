import Consensus
import KafkaClient
import KafkaProtocol
import Vocabulary

/// FetchSnapshot (KIP-630), v0–1.
extension QuorumMessages {
  static func request(
    _ fetch: Consensus.FetchSnapshotRequest, cluster: String, pieceMax: ByteCount
  ) -> KafkaProtocol.FetchSnapshotRequest {
    var partition = KafkaProtocol.FetchSnapshotRequest.Partition()
    partition.partition = self.partition
    partition.currentLeaderEpoch = fetch.epoch.value
    partition.snapshotID.endOffset = fetch.snapshot.end.value
    partition.snapshotID.epoch = fetch.snapshot.epoch.value
    partition.position = Int64(fetch.position.value)
    partition.replicaDirectoryID = fetch.replica.directory
    var topic = KafkaProtocol.FetchSnapshotRequest.Topic()
    topic.name = self.topic
    topic.partitions = [partition]
    var request = KafkaProtocol.FetchSnapshotRequest()
    request.clusterID = cluster
    request.replicaID = fetch.replica.id.value
    request.maxBytes = Int32(clamping: pieceMax.value)
    request.topics = [topic]
    return request
  }

  static func read(_ request: KafkaProtocol.FetchSnapshotRequest) -> Consensus.FetchSnapshotRequest? {
    guard request.topics.count == 1, let topic = request.topics.first, topic.name == self.topic,
      topic.partitions.count == 1, let partition = topic.partitions.first, partition.partition == self.partition
    else { return nil }
    let id = SnapshotID(
      end: Offset(partition.snapshotID.endOffset), epoch: epoch(partition.snapshotID.epoch))
    return Consensus.FetchSnapshotRequest(
      replica: ReplicaKey(NodeID(request.replicaID), partition.replicaDirectoryID),
      epoch: epoch(partition.currentLeaderEpoch), snapshot: id, position: ByteCount(Int(partition.position)))
  }

  /// - Parameter bytes: those of the piece, or its beginning.
  static func snapshotResponse(
    _ head: AnswerHead, _ piece: Piece?, bytes: [UInt8], _ place: LeaderPlace?
  ) -> FetchSnapshotResponse {
    var partition = FetchSnapshotResponse.Partition()
    partition.index = self.partition
    partition.errorCode = head.error
    partition.currentLeader.leaderID = (head.leader ?? .none).value
    partition.currentLeader.leaderEpoch = head.epoch.value
    if let piece {
      partition.snapshotID.endOffset = piece.snapshot.end.value
      partition.snapshotID.epoch = piece.snapshot.epoch.value
      partition.size = Int64(piece.size.value)
      partition.position = Int64(piece.position.value)
    }
    partition.unalignedRecords = .bytes(bytes)
    var topic = FetchSnapshotResponse.Topic()
    topic.name = self.topic
    topic.partitions = [partition]
    var response = FetchSnapshotResponse()
    response.topics = [topic]
    if let place {
      var endpoint = FetchSnapshotResponse.NodeEndpoint()
      endpoint.nodeID = place.id.value
      endpoint.host = place.address.host
      endpoint.port = place.address.port
      response.nodeEndpoints = [endpoint]
    }
    return response
  }

  static func read(
    _ response: FetchSnapshotResponse, body: ArraySlice<UInt8>
  ) -> (heard: Heard, bytes: [UInt8])? {
    guard response.errorCode == .none, let partition = response.topics.first?.partitions.first else { return nil }
    let leader = partition.currentLeader
    let head = head(partition.errorCode, leader.leaderID, leader.leaderEpoch)
    let bytes = bytes(of: partition.unalignedRecords, in: body)
    var piece: Piece?
    if head.error == .none, partition.size <= Int64(SnapshotFile.bytesMax) {
      let id = SnapshotID(
        end: Offset(partition.snapshotID.endOffset), epoch: epoch(partition.snapshotID.epoch))
      piece = Piece(
        snapshot: id, size: ByteCount(Int(partition.size)), position: ByteCount(Int(partition.position)),
        count: ByteCount(bytes.count))
    }
    let leaderPlace = response.nodeEndpoints.lazy.compactMap { place(head, $0.nodeID, $0.host, $0.port) }.first
    return (Heard(answer: .fetchSnapshot(head, piece), leader: leaderPlace), bytes)
  }
}
