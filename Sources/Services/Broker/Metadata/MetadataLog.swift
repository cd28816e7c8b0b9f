import LogStorage
import Vocabulary

/// Where what the cluster agrees on lies: `__cluster_metadata-0`, in Kafka's record format. `MetadataQuorum` writes it.
enum MetadataLog {
  /// Batches are larger than any client's: a request may create many topics at once.
  static let batchBytesMax = ByteCount.mebibytes(512)
  static let partition = TopicPartition(.clusterMetadata, PartitionIndex(0))
  static var folder: String { "\(partition)" }
}

extension LogDirectory {
  /// Opens or creates `__cluster_metadata-0`.
  func openMetadataLog(now: Timestamp) throws(StorageError) -> PartitionLog {
    var settings = LogSettings()
    settings.retentionSpan = nil
    settings.batchBytesMax = MetadataLog.batchBytesMax
    return try openLog(MetadataLog.partition, topicID: .clusterMetadataTopic, settings: settings, now: now)
  }
}
