import ClusterMetadata
import LogStorage
import Vocabulary

/// In which folder a copy lies (KIP-858, KIP-113): where it is found, else where the metadata says, else where there is
/// least.
extension Storage {
  /// The folder that a copy is found in; nil where it has to be made anew. Of two the one counts that the metadata names.
  func place(of name: TopicPartition, _ topic: TopicState?, _ node: NodeID) throws(StorageError) -> StorageFolder? {
    let assigned = topic.flatMap { Self.assigned(name.partition, of: $0, on: node) } ?? .zero
    var found: StorageFolder?
    for folder in folders where try folder.holds(name) {
      if folder.id == assigned { return folder }
      found = found ?? folder
    }
    guard found == nil, assigned != .zero, assigned != .unassignedDirectory else { return found }
    if let folder = folders.first(where: { $0.id == assigned }) {
      guard folder.hasFailed else { return nil }
      throw StorageError(.open, "\(folder.path)/\(name)", .invalid("its disk has failed"))
    }
    guard directories.absent.isEmpty else {
      let absent = directories.absent.joined(separator: ", ")
      throw StorageError(.open, "\(name)", .invalid("it may be in a folder that could not be opened: \(absent)"))
    }
    return nil
  }

  /// For a copy that is made anew.
  func newPlace(of name: TopicPartition, _ topic: TopicState, _ node: NodeID) throws(StorageError) -> StorageFolder {
    let assigned = Self.assigned(name.partition, of: topic, on: node)
    let usable = folders.filter { !$0.hasFailed }
    guard let folder = usable.first(where: { $0.id == assigned }) ?? usable.min(by: { $0.load < $1.load }) else {
      throw StorageError(.open, "\(name)", .invalid("the disk of every folder of log.dirs has failed"))
    }
    return folder
  }

  /// The directory that the metadata names for this broker's copy.
  static func assigned(_ index: PartitionIndex, of topic: TopicState, on node: NodeID) -> UniqueID? {
    guard topic.partitions.indices.contains(Int(index.value)) else { return nil }
    let state = topic.partitions[Int(index.value)]
    guard let at = state.replicas.firstIndex(of: node), state.directories.indices.contains(at) else { return nil }
    return state.directories[at]
  }

  /// Whether one of these copies lies where the metadata does not say.
  func hasUnassigned(_ topic: UniqueID, _ indexes: [Int], _ image: MetadataImage) -> Bool {
    guard let held = table.topic(topic), let state = image.topics[topic], let node = world?.node else { return false }
    return indexes.contains { index in
      guard let copy = held.partition(Int32(index)),
        let assigned = Self.assigned(copy.name.partition, of: state, on: node)
      else { return false }
      return isAssignedElsewhere(copy, assigned)
    }
  }

  /// Whether the controller has to be told where this copy lies. With a single folder there is nothing to tell to a
  /// controller that does not ask.
  func isAssignedElsewhere(_ partition: Partition, _ assigned: UniqueID) -> Bool {
    assigned != partition.world.directory && (assigned != .zero || folders.count > 1)
  }
}
