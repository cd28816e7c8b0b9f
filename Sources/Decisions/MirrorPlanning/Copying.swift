public import Vocabulary

// What a leader that copies from another cluster does with each answer. The log and the network are outside: the caller
// says what came and where the log stands, and performs the step that is returned.

/// Where a leader epoch of the source begins among the records that came.
public struct EpochRun: Hashable, Sendable {
  public let epoch: LeaderEpoch
  public let start: Offset
  public init(_ epoch: LeaderEpoch, at start: Offset) {
    self.epoch = epoch
    self.start = start
  }
}

/// Our own log when an answer is looked at.
public struct CopyPosition: Hashable, Sendable {
  public let start: Offset
  public let end: Offset
  /// The epoch of the last record; `.none` when there is none.
  public let lastEpoch: LeaderEpoch
  /// The epoch in which this broker leads.
  public let ownEpoch: LeaderEpoch
  public init(start: Offset, end: Offset, lastEpoch: LeaderEpoch, ownEpoch: LeaderEpoch) {
    self.start = start
    self.end = end
    self.lastEpoch = lastEpoch
    self.ownEpoch = ownEpoch
  }

  /// Nothing was ever copied: where the source begins is then where the copy begins, and nothing is missing.
  public var isUntouched: Bool { lastEpoch == .none && start == .zero && end == .zero }
}

/// What the source said to one Fetch, or to the question that follows an offset out of range.
public enum SourceAnswer: Hashable, Sendable {
  /// Whole batches whose checksums are right, from `start` up to `end`; none when they are equal.
  case records(from: Offset, upTo: Offset, runs: [EpochRun], highWatermark: Offset, logStart: Offset)
  /// The logs differ: the largest epoch of the source's that is not above our last one, and its end.
  case diverging(LeaderEpoch, upTo: Offset)
  /// The source has nothing at the offset that was asked for.
  case outOfRange
  /// What it has instead.
  case bounds(earliest: Offset, latest: Offset)
  /// The topic that was mirrored is not there any more; another one may have its name.
  case gone(now: UniqueID?)
  /// Another broker leads, in another epoch, or nobody does.
  case moved
  case refused(ErrorCode)
  case unreachable
}

public enum GapPolicy: Hashable, Sendable { case halt, accept }

/// Why a copy stands still until somebody decides: each says exactly where.
public enum Halt: Hashable, Sendable {
  /// The source removed records before they were copied: from the first offset that is missing to the first that is
  /// there (exclusive).
  case gap(from: Offset, to: Offset)
  /// What stands here from this offset on is not what the source has: it elected a leader that had less.
  case diverged(from: Offset)
  /// The source ends before our end.
  case shorter(sourceEnd: Offset)
  /// The topic was deleted at the source, or deleted and made again.
  case gone(now: UniqueID?)
  /// The source is in an epoch that is above ours: ours is raised before copying goes on.
  case epochTooHigh(LeaderEpoch)
  /// Both logs say that they are the same up to where they part, and their batches at this offset are not.
  case differs(at: Offset)
  /// More diverged than may be set aside.
  case tooMuch(limit: Int64)

  /// In words, for people and for the status.
  public var description: String {
    switch self {
    case .gap(let from, let to):
      "the source removed offsets \(from.value) to \(to.value - 1) before they were copied"
    case .diverged(let from): "what was copied from offset \(from.value) on is not what the source has now"
    case .shorter(let end): "the source ends at offset \(end.value), before the copy"
    case .gone(nil): "the topic was deleted at the source"
    case .gone(let id?): "the topic was deleted at the source and made again, with the id \(id)"
    case .epochTooHigh(let epoch): "the source writes in epoch \(epoch.value), above that of the copy"
    case .differs(let offset):
      "the batch at offset \(offset.value) is not the source's, though it has the same epoch; nothing was cut off"
    case .tooMuch(let limit):
      "more diverged than the \(limit) bytes that set.aside.bytes.max lets be set aside; nothing was cut off"
    }
  }
}

/// What is done next about one partition.
public enum CopyStep: Hashable, Sendable {
  /// The records are appended as they are. What the source removed before `logStart` goes here as well.
  case append(logStart: Offset)
  /// Nothing came; what the source removed goes here as well.
  case keep(logStart: Offset)
  /// The log begins anew at the source's start. `missing` is what is lost by it, where something is.
  case restart(at: Offset, missing: Range<Int64>?)
  case askBounds
  case askWhoLeads
  case rest
  case halt(Halt)
}

/// What is known of the source, and since when.
public struct SourceReading: Hashable, Sendable {
  public let highWatermark: Offset
  public let logStart: Offset
  public let at: Instant
  public init(highWatermark: Offset, logStart: Offset, at: Instant) {
    self.highWatermark = highWatermark
    self.logStart = logStart
    self.at = at
  }
}

/// The copying of one partition, for as long as this broker leads it.
public struct PartitionCopy: Sendable {
  public enum Phase: Hashable, Sendable {
    case copying
    case resting(until: Instant)
    case halted(Halt)
    /// The mirror is paused, or its topics have become this cluster's own.
    case stopped
  }
  public private(set) var phase = Phase.copying
  /// The last that the source said about itself. It is never renewed by anything else.
  public private(set) var reading: SourceReading?
  /// What was given up, since the policy allowed it.
  public private(set) var accepted: [Range<Int64>] = []
  /// What the metadata says was given up: nothing is passed over before it stands there, so that whoever leads next names
  /// it too.
  public var recorded: [Range<Int64>] = []
  /// What may be given up, and is not written down yet.
  public private(set) var pendingGap: Range<Int64>?
  /// What is to be written down.
  public var namedGaps: [Range<Int64>] {
    guard let pendingGap, !accepted.contains(pendingGap) else { return accepted }
    return accepted.suffix(Self.acceptedMax - 1) + [pendingGap]
  }
  /// What is being done about that which the source does not have.
  public internal(set) var parting = Parting.none
  /// Why it was not set aside yet.
  var partingTrouble: String?
  var partingNotBefore = Instant(nanoseconds: .min)
  private var failures = 0
  /// Why the source, or what it sent, was of no use the last time; nil once it was.
  public private(set) var refusal: ErrorCode?

  /// The pause after an answer that nothing could be done with; it doubles up to the longest.
  public static let restFirst = TimeSpan.milliseconds(100)
  public static let restMost = TimeSpan.seconds(3)
  /// Gaps that are remembered; the log of the process has them all.
  public static let acceptedMax = 64

  package var planted: PlantedBug?

  public init() {}

  /// Goes on with what the leader before knew, as the metadata has kept it.
  public init(reading: SourceReading?, accepted: [Range<Int64>]) {
    self.reading = reading
    self.accepted = accepted.suffix(Self.acceptedMax)
  }

  /// Whether the source is to be asked for records now.
  public func wants(at now: Instant) -> Bool {
    switch phase {
    case .copying: true
    case .resting(let until): now >= until
    case .halted, .stopped: false
    }
  }

  public mutating func stop() {
    phase = .stopped
    // What has been cut off stays so, and readers have not heard of it yet.
    if case .cut = parting { return }
    parting = .none
  }

  /// Goes on after a pause, or after what halted it was mended. What is being set aside is set aside first.
  public mutating func resume() {
    guard case .none = parting else { return }
    resumeCopying()
  }

  mutating func resumeCopying() {
    phase = .copying
    failures = 0
  }

  mutating func halt(_ halt: Halt) { phase = .halted(halt) }

  public mutating func answered(
    _ answer: SourceAnswer, at position: CopyPosition, policy: GapPolicy, now: Instant
  ) -> CopyStep {
    if case .stopped = phase { return .rest }
    // An answer that was under way when it began.
    guard case .none = parting else { return .rest }
    let step = step(for: answer, at: position, policy)
    if case .refused(let code) = answer { refusal = code } else { refusal = nil }
    switch step {
    case .append, .keep:
      guard case .records(_, _, _, let mark, let start) = answer else { break }
      reading = SourceReading(highWatermark: mark, logStart: start, at: now)
      pendingGap = nil
      resume()
    case .restart(_, let missing):
      if let missing { note(missing) }
      pendingGap = nil
      resume()
    case .askBounds, .askWhoLeads, .rest: rest(now)
    case .halt(let halt): phase = .halted(halt)
    }
    return step
  }

  private mutating func rest(_ now: Instant) {
    let span = min(
      Self.restMost, TimeSpan(nanoseconds: Self.restFirst.nanoseconds << Int64(min(failures, 5))))
    failures += 1
    phase = .resting(until: now + span)
  }

  private mutating func note(_ missing: Range<Int64>) {
    guard !accepted.contains(missing) else { return }
    if accepted.count == Self.acceptedMax { accepted.removeFirst() }
    accepted.append(missing)
  }

  private mutating func step(for answer: SourceAnswer, at position: CopyPosition, _ policy: GapPolicy) -> CopyStep {
    switch answer {
    case .records(let from, let end, let runs, let mark, let logStart):
      return take(from, end, runs, mark, logStart, at: position)
    case .diverging(let epoch, let end):
      if planted == .skipsDivergence { return .keep(logStart: position.start) }
      // Where our last epoch ends is our end; an older one is not known here, and the source's word counts.
      return .halt(.diverged(from: epoch == position.lastEpoch ? min(end, position.end) : end))
    case .outOfRange: return .askBounds
    case .bounds(let earliest, let latest): return bounded(earliest, latest, at: position, policy)
    case .gone(let id): return planted == .followsTheName ? .askWhoLeads : .halt(.gone(now: id))
    case .moved, .unreachable: return .askWhoLeads
    case .refused: return .rest
    }
  }

  private func take(
    _ from: Offset, _ end: Offset, _ runs: [EpochRun], _ mark: Offset, _ logStart: Offset,
    at position: CopyPosition
  ) -> CopyStep {
    // Somebody else has appended meanwhile: what came is for another place.
    guard from == position.end, end >= from else { return .rest }
    let removed = min(logStart, position.end)
    guard end > from else { return .keep(logStart: removed) }
    // Beyond its own high watermark a source may still change its mind.
    guard end <= mark || planted == .copiesBeyondTheMark else { return .rest }
    var last = position.lastEpoch
    for run in runs {
      if run.epoch > position.ownEpoch { return .halt(.epochTooHigh(run.epoch)) }
      guard run.epoch >= last, run.start < end else { return .halt(.diverged(from: run.start)) }
      last = run.epoch
    }
    guard runs.first?.start == from else { return .rest }
    return .append(logStart: removed)
  }

  private mutating func bounded(
    _ earliest: Offset, _ latest: Offset, at position: CopyPosition, _ policy: GapPolicy
  ) -> CopyStep {
    guard earliest <= latest else { return .rest }
    if latest < position.end { return .halt(.shorter(sourceEnd: latest)) }
    guard earliest > position.end else { return .rest }
    if position.isUntouched { return .restart(at: earliest, missing: nil) }
    if planted == .skipsGaps { return .restart(at: earliest, missing: nil) }
    switch policy {
    case .halt: return .halt(.gap(from: position.end, to: earliest))
    case .accept:
      let missing = position.end.value..<earliest.value
      // The source may have removed more since it was written down: that is another gap then.
      let known = recorded.filter { $0.lowerBound == missing.lowerBound && $0.upperBound <= missing.upperBound }
      guard let known = known.max(by: { $0.upperBound < $1.upperBound }) else {
        pendingGap = missing
        return .rest
      }
      return .restart(at: Offset(known.upperBound), missing: known)
    }
  }
}

/// Mistakes that the tests plant, to see that they would be noticed.
package enum PlantedBug: CaseIterable, Sendable {
  case skipsGaps
  case skipsDivergence
  case copiesBeyondTheMark
  case followsTheName
  case cutsBeforeItIsWrittenDown
}
