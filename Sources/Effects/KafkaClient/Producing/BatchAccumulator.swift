import KafkaProtocol
import Vocabulary

/// Records that wait to be sent: one growing batch for each partition, in the order in which the partitions came.
struct BatchAccumulator {
  /// A batch that reaches this many bytes, before compression, is full.
  let batchBytesMax: ByteCount
  private var builders: [TopicPartition: RecordBatchBuilder] = [:]
  private var order: [TopicPartition] = []
  /// The bytes of all batches, before compression.
  private(set) var bytes = 0
  private(set) var recordsCount = 0

  init(batchBytesMax: ByteCount) { self.batchBytesMax = batchBytesMax }

  var isEmpty: Bool { order.isEmpty }

  enum Fill {
    case room
    /// The partition's batch is full: send before more is added.
    case full
  }

  mutating func append(_ record: OwnedRecord, to partition: TopicPartition) -> Fill {
    if builders[partition] == nil {
      order.append(partition)
      bytes += RecordBatchHeader.byteCount
    }
    let before = builders[partition]?.body.count ?? 0
    builders[partition, default: RecordBatchBuilder()].append(
      timestamp: record.timestamp, key: record.key, value: record.value,
      headers: record.headers.map { ($0.key, $0.value) })
    let after = builders[partition]?.body.count ?? 0
    bytes += after - before
    recordsCount += 1
    return after + RecordBatchHeader.byteCount >= batchBytesMax.value ? .full : .room
  }

  /// Takes everything out.
  mutating func drain() -> [(partition: TopicPartition, builder: RecordBatchBuilder)] {
    defer {
      builders = [:]
      order = []
      bytes = 0
      recordsCount = 0
    }
    return order.compactMap { partition in builders[partition].map { (partition, $0) } }
  }
}
