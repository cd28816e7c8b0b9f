import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import Vocabulary

@testable import Broker

/// The metadata log as it was written before there was a quorum: epoch 1 throughout, one batch for one change.
struct FormerMetadataLog: Sendable {
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
