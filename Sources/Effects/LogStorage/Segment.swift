import Vocabulary

/// One file of a partition's log, which holds the batches from its base offset to the next segment's.
struct Segment: Sendable {
  let baseOffset: Offset
  let log: FileSlot
  /// Bytes of whole batches; the file is never longer while the log is healthy.
  var size: Int64
  /// The largest timestamp and the offset that has it. Nil until somebody asks: then it is read from the files.
  var latest: (time: Timestamp, offset: Offset)?
  /// When the segment was created or opened, for `segment.ms`.
  let openedAt: Timestamp
  /// The first batch's timestamp, for `segment.ms`. Nil where it is not known yet.
  var firstTimestamp: Timestamp?
  /// Something in it is not yet durable.
  var isUnsynced: Bool
  /// Its index files are written, but not yet durable.
  var isIndexUnsynced = false
  /// How many transactions its `.txnindex` file holds; without any there is none.
  var abortedCount = 0
}

/// A place between batches.
struct BatchMark: Sendable {
  /// The base offset of the batch that begins here, or where the next one is expected.
  var offset: Int64
  var position: Int64
  /// The offset after the batch that begins here, where that is known.
  var next: Int64 = -1
}

/// The last batches of the active segment, so that a consumer at the log's end costs no read to find its place.
struct TailMarks: Sendable {
  static let countMax = 32
  /// A ring of batch starts in the order of the log.
  private var marks: [BatchMark] = []
  private var first = 0

  var oldest: BatchMark? { marks.isEmpty ? nil : marks[first] }

  mutating func note(_ mark: BatchMark) {
    if marks.count < Self.countMax {
      marks.append(mark)
    } else {
      marks[first] = mark
      first = (first + 1) % Self.countMax
    }
  }

  mutating func removeAll() {
    marks.removeAll(keepingCapacity: true)
    first = 0
  }

  private func mark(_ index: Int) -> BatchMark { marks[(first + index) % marks.count] }

  /// The last mark that satisfies `holds`; earlier ones must satisfy it too.
  func last(where holds: (BatchMark) -> Bool) -> BatchMark? {
    var index = marks.count - 1
    while index >= 0 {
      let candidate = mark(index)
      if holds(candidate) { return candidate }
      index -= 1
    }
    return nil
  }

  /// The first mark after `position`.
  func first(after position: Int64) -> BatchMark? {
    for index in 0..<marks.count {
      let candidate = mark(index)
      if candidate.position > position { return candidate }
    }
    return nil
  }
}
