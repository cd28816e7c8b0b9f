public import Vocabulary

/// Files of a log directory that hold one offset for each of its partitions, in Kafka's format.
public enum OffsetCheckpoint: String, Sendable, CaseIterable {
  case recoveryPoints = "recovery-point-offset-checkpoint"
  case logStarts = "log-start-offset-checkpoint"
  case highWatermarks = "replication-offset-checkpoint"
  case cleaned = "cleaner-offset-checkpoint"

  static func encode(_ offsets: [TopicPartition: Offset]) -> [UInt8] {
    CheckpointText.encode(
      offsets.sorted { $0.key < $1.key }.map { "\($0.key.topic) \($0.key.partition.value) \($0.value.value)" })
  }

  static func decode(_ bytes: [UInt8]) -> [TopicPartition: Offset]? {
    guard let lines = CheckpointText.decode(bytes) else { return nil }
    var offsets: [TopicPartition: Offset] = [:]
    for line in lines {
      let words = line.split(separator: " ")
      guard words.count == 3, let topic = TopicName(String(words[0])), let partition = Int32(words[1]), partition >= 0,
        let offset = Int64(words[2]), offset >= 0
      else { return nil }
      offsets[TopicPartition(topic, PartitionIndex(partition))] = Offset(offset)
    }
    return offsets
  }

  /// Nil where the file is missing or cannot be believed: then everything is recovered from the start.
  public func read(_ disk: any Disk, _ directory: String) throws(StorageError) -> [TopicPartition: Offset]? {
    let bytes = try disk.contents(of: "\(directory)/\(rawValue)", limit: CheckpointText.bytesMax)
    return bytes.flatMap(Self.decode)
  }
}
