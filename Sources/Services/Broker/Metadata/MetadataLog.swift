import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import Vocabulary

/// The log of what the cluster agrees on, `__cluster_metadata-0`, in Kafka's record format.
///
/// What `append` returned from is on disk: one batch for one change, so that a change is there whole or not at all.
struct MetadataLog: Sendable {
  /// Batches are larger than any client's: a request may create many topics at once.
  static let batchBytesMax = ByteCount.mebibytes(512)
  static let partition = TopicPartition(.clusterMetadata, PartitionIndex(0))
  static var folder: String { "\(partition)" }

  let log: PartitionLog

  func append(_ records: [ClusterMetadata.MetadataRecord]) throws(StorageError) {
    let now = wallClockNow()
    var builder = RecordBatchBuilder()
    for record in records {
      builder.append(timestamp: now, key: nil, value: MetadataRecordFormat.encode(record).encodeValue())
    }
    var batch = builder.build()
    let outcome = batch.withUnsafeMutableBytes { bytes -> Result<Result<Appended, AppendRefusal>, StorageError> in
      do throws(StorageError) {
        return .success(try log.append(bytes, origin: .coordinator, leaderEpoch: LeaderEpoch(1), now: now))
      } catch {
        return .failure(error)
      }
    }
    switch try outcome.get() {
    case .success: _ = try log.flush()
    case .failure(let refusal):
      throw StorageError(.append, log.directory, .invalid(refusal.message))
    }
  }

  /// The image that the whole log replays into.
  func load() throws -> MetadataImage {
    var image = MetadataImage()
    try log.replay(upTo: log.endOffset) { record in
      guard let value = record.value, let known = try KafkaProtocol.MetadataRecord.decodeValue(value),
        let fact = MetadataRecordFormat.decode(known)
      else {
        throw StorageError(
          .recover, log.directory,
          .invalid("the record at offset \(record.offset.value) is of a kind that this version does not know"))
      }
      image.replay(fact)
    }
    return image
  }
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
