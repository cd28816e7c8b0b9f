public import KafkaProtocol
import Wire
public import Vocabulary

/// A control record that ends a transaction.
public struct TransactionMarker: Sendable, Equatable {
  public var coordinatorEpoch: Int32
  public var isCommit: Bool

  /// Reads the marker of a control batch; nil for other control records, and for what does not parse.
  public init?(_ batch: RecordBatch) {
    guard batch.header.attributes.isControl, batch.header.attributes.compression == Compression.none else { return nil }
    var records = batch.records
    guard let record = try? records.next(), let key = record.key, let value = record.value, key.count >= 4,
      value.count >= 6
    else { return nil }
    let kind = Int16(bigEndian: key.loadUnaligned(fromByteOffset: 2, as: Int16.self))
    guard kind == 0 || kind == 1 else { return nil }
    isCommit = kind == 1
    coordinatorEpoch = Int32(bigEndian: value.loadUnaligned(fromByteOffset: 2, as: Int32.self))
  }
}

/// The control batch that ends a transaction on one partition (KIP-98).
public enum TransactionMarkerBatch {
  /// One batch of one record, for `PartitionLog.append` with the origin `.coordinator`: the key is version 0 and 0 for
  /// an abort or 1 for a commit, the value is version 0 and the coordinator's epoch.
  public static func build(
    outcome committed: Bool, producer: ProducerID, epoch: ProducerEpoch, coordinatorEpoch: Int32, at now: Timestamp
  ) -> [UInt8] {
    var key = ByteWriter(capacity: 4)
    key.int16(0)
    key.int16(committed ? 1 : 0)
    var value = ByteWriter(capacity: 6)
    value.int16(0)
    value.int32(coordinatorEpoch)
    var builder = RecordBatchBuilder(
      attributes: RecordBatchAttributes(isTransactional: true, isControl: true),
      producer: ProducerStamp(id: producer, epoch: epoch, baseSequence: -1))
    builder.append(timestamp: now, key: key.finish(), value: value.finish())
    return builder.build()
  }
}
