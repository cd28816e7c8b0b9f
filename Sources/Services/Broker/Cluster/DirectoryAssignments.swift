import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import Telemetry
import Vocabulary

extension Broker {
  private static let assignmentSpan = TimeSpan.seconds(10)
  private static let assignmentPause = TimeSpan.milliseconds(200)

  /// Tells the controller that replicas of this broker lie in its directory where the metadata names another one: the
  /// disk was replaced, and what was on it is gone (KIP-858). Until the controller knows, they cannot be in sync.
  func assignReplicas(in image: MetadataImage) {
    let directory = identity.directoryID
    let id = settings.nodeID
    var request = AssignReplicasToDirsRequest()
    request.brokerID = id.value
    request.brokerEpoch = image.brokers[id]?.epoch ?? -1
    var entry = AssignReplicasToDirsRequest.Directory()
    entry.id = directory
    for topic in image.topicsByName {
      var moved = AssignReplicasToDirsRequest.Topic()
      moved.topicID = topic.id
      for (index, state) in topic.partitions.enumerated() {
        guard let at = state.replicas.firstIndex(of: id), state.directories.indices.contains(at),
          state.directories[at] != directory, state.directories[at] != .zero
        else { continue }
        var partition = AssignReplicasToDirsRequest.Partition()
        partition.partitionIndex = Int32(index)
        moved.partitions.append(partition)
      }
      if !moved.partitions.isEmpty { entry.topics.append(moved) }
    }
    guard !entry.topics.isEmpty else { return }
    request.directories = [entry]
    log.info(
      "replicas lie in another directory than before",
      ["directory": "\(directory)", "partitions": entry.topics.reduce(0) { $0 + $1.partitions.count }])
    channel.ask(request, within: Self.assignmentSpan, here: Broker.assignReplicasToDirs) { result in
      if case .success(let response) = result, response.errorCode != .notController { return }
      self.loops[0].schedule(after: Self.assignmentPause) { self.assignReplicas(in: self.image) }
    }
  }
}
