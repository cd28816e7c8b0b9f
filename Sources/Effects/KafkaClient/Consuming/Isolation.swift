import KafkaProtocol
import Vocabulary

/// Whether records of transactions are seen that may still be taken back, or were (KIP-98).
public enum Isolation: Int8, Sendable, Hashable {
  case readUncommitted = 0
  case readCommitted = 1
}

/// The transactions of one answer that were taken back: for each the producer, and where its first record is. They end at
/// the producer's next marker.
struct AbortedTransactions {
  private static let abortMarker: Int16 = 0
  /// The last one first.
  private var begin: [(first: Offset, producer: ProducerID)]
  private var open: Set<ProducerID> = []

  init(_ list: [FetchResponse.AbortedTransaction]) {
    begin = list.map { (Offset($0.firstOffset), ProducerID($0.producerID)) }.sorted { $0.first > $1.first }
  }

  /// Whether the batch is to be left out. To be asked for all batches of the answer, in their order.
  mutating func leaveOut(_ batch: RecordBatch) throws -> Bool {
    guard !(begin.isEmpty && open.isEmpty), batch.header.attributes.isTransactional else { return false }
    while let next = begin.last, next.first <= batch.header.lastOffset { open.insert(begin.removeLast().producer) }
    let producer = batch.header.producer.id
    guard batch.header.attributes.isControl else { return open.contains(producer) }
    if try isAbort(batch) { open.remove(producer) }
    return false
  }

  /// Control records have a version and a kind as their key, and are not compressed.
  private func isAbort(_ batch: RecordBatch) throws -> Bool {
    var cursor = RecordCursor(body: batch.body, header: batch.header)
    guard let key = try cursor.next()?.key, key.count >= 4 else { return false }
    return Int16(bigEndian: key.loadUnaligned(fromByteOffset: 2, as: Int16.self)) == Self.abortMarker
  }
}
