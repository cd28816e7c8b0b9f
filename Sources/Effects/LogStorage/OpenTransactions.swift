import Vocabulary

/// The transactions of a log that bound what may be read of it: those without an outcome, and those whose marker may
/// not be committed yet.
///
/// The earliest of either is asked for with every read that wants committed data only, so that it is known without a
/// search.
struct OpenTransactions: Sendable, Equatable {
  /// More ended ones are told in pairs, as if they were one: what is readable is then told late, and never early.
  static let endedMax = 4_096

  struct Ended: Sendable, Equatable {
    var first: Int64
    var marker: Int64
  }

  /// The first offsets of the transactions that are open, rising.
  private(set) var open: [Int64] = []
  /// Those whose marker is in the log, by their markers. `first` rises too: a transaction that began before another one
  /// and ended after it bounds whatever that one bounds.
  private(set) var ended: [Ended] = []

  var isEmpty: Bool { open.isEmpty && ended.isEmpty }
  var firstOpen: Int64? { open.first }

  /// The first offset of the earliest one.
  var first: Int64? {
    guard let oldest = ended.first?.first else { return open.first }
    return open.first.map { min($0, oldest) } ?? oldest
  }

  mutating func begin(at offset: Int64) {
    if let last = open.last, last > offset {
      open.insert(offset, at: place(of: offset))
    } else {
      open.append(offset)
    }
  }

  /// Forgets one that began there, as when its producer is replaced.
  mutating func forget(_ first: Int64) {
    let place = place(of: first)
    if place < open.count, open[place] == first { open.remove(at: place) }
  }

  mutating func end(_ first: Int64, marker: Int64) {
    forget(first)
    noteEnded(Ended(first: first, marker: marker))
  }

  private mutating func noteEnded(_ transaction: Ended) {
    while let last = ended.last, last.first >= transaction.first { ended.removeLast() }
    ended.append(transaction)
    guard ended.count > Self.endedMax else { return }
    ended = stride(from: 0, to: ended.count, by: 2).map { place in
      Ended(first: ended[place].first, marker: ended[min(place + 1, ended.count - 1)].marker)
    }
  }

  /// Markers below the high watermark are there for good.
  mutating func settle(below highWatermark: Int64) {
    guard let oldest = ended.first, oldest.marker < highWatermark else { return }
    ended.removeFirst(ended.firstIndex { $0.marker >= highWatermark } ?? ended.count)
  }

  /// What was known before the log was cut at `end` of transactions that had ended by then.
  mutating func keepEnded(of earlier: OpenTransactions, below end: Int64) {
    let replayed = ended
    ended = []
    for transaction in earlier.ended where transaction.marker < min(end, replayed.first?.marker ?? end) {
      noteEnded(transaction)
    }
    for transaction in replayed { noteEnded(transaction) }
  }

  private func place(of first: Int64) -> Int {
    var low = 0
    var high = open.count
    while low < high {
      let middle = (low + high) / 2
      if open[middle] < first { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
