import ClusterMetadata
import LogStorage
package import Vocabulary

/// What a node has of a partition, for a simulation that looks at several nodes at the same moment.
package struct PartitionStanding: Sendable {
  package let topic: UniqueID
  package let leads: Bool
  package let epoch: LeaderEpoch
  package let start: Offset
  package let end: Offset
  package let highWatermark: Offset
}

extension Broker {
  /// Nil where this node has no copy.
  package func standing(of name: TopicPartition) -> PartitionStanding? {
    guard let partition = partitions.partition(name) else { return nil }
    return PartitionStanding(
      topic: partition.topicID, leads: partition.leads, epoch: partition.leaderEpoch, start: partition.log.startOffset,
      end: partition.log.endOffset, highWatermark: partition.highWatermark)
  }

  package func agreedTopic(_ name: TopicName) -> Bool { image.topic(named: name) != nil }

  /// Which topic has the name, and how many partitions; nil where there is none.
  package func agreedShape(ofTopic name: String) -> (id: UniqueID, partitions: Int)? {
    TopicName(name).flatMap { image.topic(named: $0) }.map { ($0.id, $0.partitions.count) }
  }

  /// What was set on a topic, as far as this node has followed the metadata.
  package func agreedConfigs(ofTopic name: String) -> [String: String] { image.configs(of: .topic(name)) }
  package func agreedConfigs(ofMirror name: String) -> [String: String] { image.configs(of: .mirror(name)) }

  /// What this node says about a mirror's partitions that it leads, by the keys of their status.
  package func mirrorStatus(of name: String) -> [(key: String, value: String)] { mirrors.status(of: name) }
}
