public import Vocabulary

/// The records at the end of a copy of which nothing says whether they were noted as copied: after a crash, those between
/// the last synchronisation and the end. They are found again by what they are, since compaction may have taken some of
/// them away at the source meanwhile, so that counting would leave out others.
public struct PresentRecords<Record: Equatable & Sendable>: Sendable {
  private var records: [(record: Record, at: Offset)]
  private var next = 0

  /// - Parameter records: in the order of their offsets in the copy.
  public init(_ records: [(record: Record, at: Offset)]) { self.records = records }

  public var isEmpty: Bool { next == records.count }

  /// Where the record is in the copy; nil for one that is not, which is to be written. To be asked for the records of the
  /// source one after the other: what was passed over is not in the source any more.
  public mutating func take(_ record: Record) -> Offset? {
    guard let place = records[next...].firstIndex(where: { $0.record == record }) else { return nil }
    next = place + 1
    let found = records[place].at
    if isEmpty { (records, next) = ([], 0) }
    return found
  }
}
