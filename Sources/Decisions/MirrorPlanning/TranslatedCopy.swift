public import Vocabulary

/// One partition that is copied by consuming and producing, to other offsets than the source's.
///
/// What survives a crash is at the target alone: the copy itself, and the synchronisations that were written down. From
/// those two the next one begins, so that no record is left out and none is written twice, wherever the crash was.
public struct TranslatedCopy<Record: Equatable & Sendable>: Sendable {
  /// A record of the source, and where it is in the copy.
  public struct Place: Hashable, Sendable {
    public let upstream: Offset
    public let downstream: Offset
    public init(upstream: Offset, downstream: Offset) {
      self.upstream = upstream
      self.downstream = downstream
    }
  }

  public private(set) var runs: OffsetRuns
  /// Where the next record goes.
  public private(set) var next: Offset
  private var present: PresentRecords<Record>
  /// The source's offsets of what is on its way to the target.
  private var sent: [Offset] = []
  private var newRuns: [Place] = []
  private var last: Place?

  /// - Parameters:
  ///   - runs: what is known of places from synchronisations.
  ///   - end: where the copy ends.
  ///   - tail: the copy's records from the point where copying goes on.
  public init(runs: OffsetRuns, end: Offset, tail: [(record: Record, at: Offset)]) {
    self.runs = runs
    next = end
    present = PresentRecords(tail)
  }

  /// Whether the next record of the source is to be written; then it is taken for sent.
  public mutating func mustWrite(_ record: @autoclosure () -> Record, from upstream: Offset) -> Bool {
    if !present.isEmpty, let place = present.take(record()) {
      note(Place(upstream: upstream, downstream: place))
      return false
    }
    sent.append(upstream)
    return true
  }

  /// The next `count` of those that were sent are at the target.
  /// - Parameter first: where the first of them is, if that was said.
  /// - Returns: where it was expected, if it is somewhere else: somebody else writes there, or what was sent before a crash
  ///   came late.
  public mutating func appended(_ count: Int, at first: Offset?) -> Offset? {
    let expected = next
    if let first { next = first }
    let known = min(count, sent.count)
    for offset in sent[..<known] {
      note(Place(upstream: offset, downstream: next))
      next = next + 1
    }
    sent.removeFirst(known)
    return first.map { $0 != expected } == true ? expected : nil
  }

  private mutating func note(_ place: Place) {
    if runs.add(place.upstream, at: place.downstream) { newRuns.append(place) }
    last = place
  }

  /// What is to be written down since the last time: where runs begin, and the last record.
  public mutating func takeSyncs() -> [Place] {
    guard let last else { return [] }
    defer { (newRuns, self.last) = ([], nil) }
    return newRuns.last == last ? newRuns : newRuns + [last]
  }
}
