public import Vocabulary

/// Where the records of a source partition are in a copy that has other offsets.
///
/// Offsets that follow each other on both sides are one run; a hole of compaction or of control records at the source
/// ends it. What is not known any more is never guessed upwards: a group that moves may read a record twice, and leaves
/// out none.
public struct OffsetRuns: Hashable, Sendable {
  /// The record at `upstream` is at `downstream`, and so on, `count` of them.
  public struct Run: Hashable, Sendable {
    public let upstream: Offset
    public let downstream: Offset
    public fileprivate(set) var count: Int64
  }
  /// The oldest is forgotten first: groups that are further behind are not carried.
  public static let runsMax = 1000

  public private(set) var runs: [Run] = []

  public init() {}

  /// - Returns: whether a new run begins there, which a reader of synchronisations has to be told.
  @discardableResult
  public mutating func add(_ upstream: Offset, at downstream: Offset, count: Int64 = 1) -> Bool {
    if let last = runs.last {
      // A synchronisation that says what is known already.
      if upstream < last.upstream + last.count { return false }
      if upstream == last.upstream + last.count, downstream == last.downstream + last.count {
        runs[runs.count - 1].count += count
        return false
      }
    }
    runs.append(Run(upstream: upstream, downstream: downstream, count: count))
    if runs.count > Self.runsMax { runs.removeFirst() }
    return true
  }

  /// Where a group goes on that has read everything below `offset` at the source; nil where this is not known.
  public func translate(_ offset: Offset) -> Offset? {
    guard let run = runs.last(where: { $0.upstream <= offset }) else {
      // Before the first record of all, everything is still to be read.
      return runs.first.flatMap { $0.downstream == Offset(0) ? Offset(0) : nil }
    }
    return run.downstream + min(offset - run.upstream, run.count)
  }
}

/// Where copying goes on after a restart.
public struct ResumePoint: Hashable, Sendable {
  /// The first record of the source that is read, and where it is or will be in the copy.
  public let upstream: Offset
  public let downstream: Offset
  /// How many records from there on are in the copy already: those are read and not written again.
  public let present: Int64
}

public enum ResumeProblem: Error, Hashable, Sendable, CustomStringConvertible {
  /// The copy ends before a record that was known to be in it.
  case copyLostItsEnd(end: Offset, known: Offset)
  /// There are records in the copy, and nothing says where they come from.
  case isNotOurs(end: Offset)

  public var description: String {
    switch self {
    case .copyLostItsEnd(let end, let known):
      "the copy ends at offset \(end.value), and it had the record of offset \(known.value): the target has lost its end"
    case .isNotOurs(let end):
      "the topic at the target has records already (up to offset \(end.value)) that were not copied from this source;"
        + " it has to be empty, or to have another name"
    }
  }
}

/// - Parameters:
///   - sync: a record of the source and its place in the copy, the last that was written down.
///   - start: where the source's log begins.
///   - end: where the copy ends. Nobody else writes there, so that what follows `sync` in it are the source's records in
///     their order.
public func planResume(
  sync: (upstream: Offset, downstream: Offset)?, start: Offset, end: Offset
) -> Result<ResumePoint, ResumeProblem> {
  guard let sync else {
    guard end == Offset(0) else { return .failure(.isNotOurs(end: end)) }
    return .success(ResumePoint(upstream: start, downstream: end, present: 0))
  }
  guard end >= sync.downstream else { return .failure(.copyLostItsEnd(end: end, known: sync.downstream)) }
  return .success(ResumePoint(upstream: sync.upstream, downstream: sync.downstream, present: end - sync.downstream))
}
