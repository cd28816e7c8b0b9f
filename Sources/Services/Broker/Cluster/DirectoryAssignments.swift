import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import Synchronization
import Telemetry
import Vocabulary

/// Whether the controller is being told where replicas lie.
enum AssignmentTurn {
  case idle
  case asking
  /// More has come since.
  case askingWithMore
}

extension Broker {
  private static let assignmentSpan = TimeSpan.seconds(10)
  private static let assignmentPause = TimeSpan.milliseconds(200)

  /// Tells the controller where replicas of this broker lie, where the metadata names another directory or none
  /// (KIP-858): the disk was replaced, and what was on it is gone, or the broker has chosen one of several. Until the
  /// controller knows, what lay on a lost disk cannot be in sync, and what lies on a failing one is not known to go.
  func assignReplicas(in image: MetadataImage) {
    let isFirst = assignments.withLock { turn in
      defer { turn = turn == .idle ? .asking : .askingWithMore }
      return turn == .idle
    }
    if isFirst { askForAssignments(in: image) }
  }

  private func askForAssignments(in image: MetadataImage) {
    let id = settings.nodeID
    var request = AssignReplicasToDirsRequest()
    request.brokerID = id.value
    request.brokerEpoch = image.brokers[id]?.epoch ?? -1
    request.directories = storage.folders.compactMap { unknown(in: $0, image) }
    guard !request.directories.isEmpty else { return assignments.withLock { $0 = .idle } }
    for entry in request.directories {
      log.info(
        "the controller is told in which directory replicas lie",
        ["directory": "\(entry.id)", "partitions": entry.topics.reduce(0) { $0 + $1.partitions.count }])
    }
    channel.ask(request, within: Self.assignmentSpan, here: Broker.assignReplicasToDirs) { result in
      let isOver = self.assignments.withLock { turn in
        guard case .success(let response) = result, response.errorCode != .notController, turn == .asking else {
          turn = .asking
          return false
        }
        turn = .idle
        return true
      }
      if isOver { return }
      // By then the metadata says what has been told already.
      self.loops[0].schedule(after: Self.assignmentPause) { self.pool.run { self.askForAssignments(in: self.image) } }
    }
  }

  /// What lies in the folder and is not known to; nil without any.
  private func unknown(in folder: StorageFolder, _ image: MetadataImage) -> AssignReplicasToDirsRequest.Directory? {
    var entry = AssignReplicasToDirsRequest.Directory()
    entry.id = folder.id
    for topic in image.topicsByName {
      guard let held = partitions.topic(topic.id) else { continue }
      var moved = AssignReplicasToDirsRequest.Topic()
      moved.topicID = topic.id
      for partition in held.partitions where partition.world.directory == folder.id {
        guard let assigned = Storage.assigned(partition.name.partition, of: topic, on: settings.nodeID),
          storage.isAssignedElsewhere(partition, assigned)
        else { continue }
        var place = AssignReplicasToDirsRequest.Partition()
        place.partitionIndex = partition.name.partition.value
        moved.partitions.append(place)
      }
      if !moved.partitions.isEmpty { entry.topics.append(moved) }
    }
    return entry.topics.isEmpty ? nil : entry
  }
}
