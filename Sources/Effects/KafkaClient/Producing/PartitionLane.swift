import KafkaProtocol
import Vocabulary

/// What one partition still has to get, in order. Only the first batch is on its way; the next is stamped when that one
/// was acknowledged, so that sequences have no gaps.
struct PartitionLane {
  let partition: TopicPartition
  private(set) var waiting: [RecordBatchBuilder]
  /// The first of `waiting` as bytes, which stay the same however often they are sent.
  var ready: ReadyBatch?

  init(_ partition: TopicPartition, _ builder: RecordBatchBuilder) {
    self.partition = partition
    waiting = [builder]
  }

  var isDone: Bool { waiting.isEmpty }

  /// The first batch was appended.
  mutating func advance() {
    ready = nil
    waiting.removeFirst()
  }

  /// Makes two batches of the first, which the broker finds too large. False when it has one record only. The broker
  /// kept nothing of it, so that its stamp is free for the first half.
  mutating func split() -> Bool {
    guard let whole = waiting.first, whole.recordsCount > 1 else { return false }
    // What was just built can be read.
    let bytes = whole.build()
    guard let header = try? RecordBatchHeader(bytes), let records = try? header.records(in: whole.body) else {
      return false
    }
    let middle = records.count / 2
    waiting.replaceSubrange(0..<1, with: [Self.batch(records[..<middle]), Self.batch(records[middle...])])
    ready = nil
    return true
  }

  private static func batch(_ records: ArraySlice<OwnedRecord>) -> RecordBatchBuilder {
    var builder = RecordBatchBuilder()
    for record in records {
      builder.append(
        timestamp: record.timestamp, key: record.key, value: record.value,
        headers: record.headers.map { ($0.key, $0.value) })
    }
    return builder
  }
}
