import KafkaProtocol
import Vocabulary

/// What the cleaner knows of transactions while it walks over a log from its start.
///
/// All that it may clean lies below the last stable offset, so that every transaction that began there has an outcome.
/// Records that were taken back go at once, whatever their keys. A marker stays as long as a batch of its transaction
/// may be left, were it an empty one, and then for `delete.retention.ms`, so that whoever has read the records gets to
/// the marker too.
struct CleanedTransactions {
  /// Where each producer's last marker is, as far as the walk over the dirty part has seen it.
  var lastMarkers: [Int64: Int64] = [:]
  /// Producers of which there was a batch since their last marker.
  private var observed: Set<Int64> = []
  /// By producer, in the order of the log.
  private var aborted: [Int64: [AbortedTransaction]] = [:]
  private var byMarker: [Int64: AbortedTransaction] = [:]

  /// Takes over the transactions that were taken back and have records or markers in a segment.
  mutating func enter(_ piece: CleaningRound.Piece, of log: PartitionLog) throws(StorageError) {
    aborted = [:]
    byMarker = [:]
    for transaction in try log.abortedTransactions(from: piece.base, to: piece.end) {
      aborted[transaction.producer.value, default: []].append(transaction)
      byMarker[transaction.lastOffset.value] = transaction
    }
  }

  func isAborted(_ header: RecordBatchHeader) -> Bool {
    guard header.attributes.isTransactional, !header.attributes.isControl,
      let transactions = aborted[header.producerID.value]
    else { return false }
    // A producer's transactions follow one another.
    var low = 0
    var high = transactions.count
    while low < high {
      let middle = (low + high) / 2
      if transactions[middle].lastOffset < header.baseOffset { low = middle + 1 } else { high = middle }
    }
    return low < transactions.count && transactions[low].firstOffset <= header.baseOffset
  }

  func transaction(endedBy header: RecordBatchHeader) -> AbortedTransaction? { byMarker[header.baseOffset.value] }

  /// To be told of every batch, in order. True for a marker of which no batch is left.
  mutating func note(_ header: RecordBatchHeader) -> Bool {
    guard header.isIdempotent, header.attributes.isTransactional else { return false }
    if header.attributes.isControl { return observed.remove(header.producerID.value) == nil }
    observed.insert(header.producerID.value)
    return false
  }
}
