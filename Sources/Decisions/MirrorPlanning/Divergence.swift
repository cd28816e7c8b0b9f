public import Vocabulary

// Where a copy and its source part, and what of the copy the source does not have. Nothing is cut off before both are
// known, and before what is cut off is kept somewhere else.

/// Looks for the offset at which our log and the source's part, by asking the source where epochs end (KIP-101, KIP-279).
public struct DivergenceSearch: Hashable, Sendable {
  public enum Step: Hashable, Sendable {
    /// Where this epoch ends at the source is to be asked.
    case ask(LeaderEpoch)
    /// What is here from this offset on is not what the source has.
    case parts(at: Offset)
    /// The source has all that is here.
    case same
    /// What the source said makes no sense: nothing is concluded from it.
    case unclear
  }
  private let runs: [EpochRun]
  private let start: Offset
  private let end: Offset
  private let emptyAt: Offset?
  private let limit: Offset
  /// The epoch that is asked about.
  public private(set) var asked: LeaderEpoch

  /// Nil where our own log has no records.
  /// - Parameters:
  ///   - runs: the epochs of our own log, in order.
  ///   - emptyAt: where the source ends, if that is known: all of it, if it has no epochs.
  ///   - limit: what comes from here on is known not to be shared, whatever the epochs say that are left at the source.
  public init?(
    _ runs: [EpochRun], from start: Offset, upTo end: Offset, emptyAt: Offset? = nil, limit: Offset? = nil
  ) {
    guard end > start, let last = runs.last(where: { $0.start < end }) else { return nil }
    self.runs = runs.filter { $0.start < end }
    self.start = start
    self.end = end
    self.emptyAt = emptyAt
    self.limit = min(end, max(start, limit ?? end))
    asked = last.epoch
  }

  /// - Parameters:
  ///   - epoch: the largest of the source's that is not above the one that was asked about; `.none` where it has none.
  ///   - there: where that one ends at the source.
  public mutating func answered(_ epoch: LeaderEpoch, upTo there: Offset) -> Step {
    guard epoch != .none else {
      return part(at: emptyAt ?? start)
    }
    guard epoch <= asked, there >= .zero else { return .unclear }
    // All that is here was written in epochs that the source does not have.
    guard let place = runs.lastIndex(where: { $0.epoch <= epoch }) else { return .parts(at: start) }
    guard runs[place].epoch == epoch else {
      // It has an epoch that we lack; the one before it may be the last that both have.
      asked = runs[place].epoch
      return .ask(asked)
    }
    let here = place + 1 < runs.count ? runs[place + 1].start : end
    return part(at: min(here, there))
  }

  private func part(at offset: Offset) -> Step {
    let common = max(start, min(offset, limit))
    return common < end ? .parts(at: common) : .same
  }
}

/// Up to where the log of an old owner is the same as that of the cluster that has taken over, as the new owner's report
/// says it: what comes after was written by each alone. Retention may have removed there what epochs would tell it by.
public struct SharedEnd: Hashable, Sendable {
  public let end: Offset
  /// The last epoch in which the old owner may have written; the new one's are above.
  public let epoch: LeaderEpoch
  public init(_ end: Offset, epoch: LeaderEpoch) {
    self.end = end
    self.epoch = epoch
  }

  /// `end=300,epoch=4`
  public init?(text: String) {
    var values: [Substring: Int64] = [:]
    for pair in text.split(separator: ",") {
      let halves = pair.split(separator: "=", maxSplits: 1)
      if halves.count == 2, let number = Int64(halves[1]) { values[halves[0]] = number }
    }
    guard let end = values["end"], let epoch = values["epoch"].flatMap({ Int32(exactly: $0) }) else { return nil }
    self.init(Offset(end), epoch: LeaderEpoch(epoch))
  }

  /// Whether there is something in our log that is not shared, and was not copied since either.
  public func isExceeded(by position: CopyPosition) -> Bool {
    position.end > end && position.lastEpoch <= epoch && position.end > position.start
  }
}

/// What tells a batch from every other one.
public struct BatchMark: Hashable, Sendable {
  public let base: Offset
  /// The offset after its last record.
  public let next: Offset
  public let epoch: LeaderEpoch
  public let count: Int32
  public let crc: UInt32
  public init(base: Offset, next: Offset, epoch: LeaderEpoch, count: Int32, crc: UInt32) {
    self.base = base
    self.next = next
    self.epoch = epoch
    self.count = count
    self.crc = crc
  }
}

/// The first offset at which batches differ that should be the same: both logs have the epochs of the other there.
///
/// - Parameters:
///   - point: where the logs part; what comes after it is not looked at.
///   - isCompacted: whether each side may have thrown out records and made batches anew. Then only what batches of the
///     same offset were written as is compared.
public func difference(
  own: [BatchMark], source: [BatchMark], below point: Offset, isCompacted: Bool
) -> Offset? {
  guard let from = source.first?.base, let upTo = source.last?.next else { return nil }
  let there = Dictionary(source.map { ($0.base, $0) }) { first, _ in first }
  for mine in own where mine.base >= from && mine.next <= min(point, upTo) {
    guard let theirs = there[mine.base] else {
      if isCompacted { continue }
      return mine.base
    }
    guard theirs.epoch == mine.epoch, theirs.next == mine.next else { return mine.base }
    guard !isCompacted else { continue }
    guard theirs.count == mine.count, theirs.crc == mine.crc else { return mine.base }
  }
  return nil
}

/// What was cut off from a copy, and where it is kept.
public struct SetAside: Hashable, Sendable {
  /// How many are remembered of a partition; the files and the logs of the processes have all.
  public static let rememberedMax = 16

  /// Its offsets.
  public let range: Range<Int64>
  public let records: Int64
  public let bytes: Int64
  /// The epoch of the last record.
  public let epoch: LeaderEpoch
  /// The broker on whose disk the file is.
  public let broker: NodeID
  /// A segment file as Kafka's own.
  public let path: String
  public init(
    _ range: Range<Int64>, records: Int64, bytes: Int64, epoch: LeaderEpoch, broker: NodeID, path: String
  ) {
    self.range = range
    self.records = records
    self.bytes = bytes
    self.epoch = epoch
    self.broker = broker
    self.path = path
  }

  /// One word: `from=300,to=400,records=100,bytes=5000,epoch=4,broker=1,path=/data/…`.
  public var text: String {
    "from=\(range.lowerBound),to=\(range.upperBound),records=\(records),bytes=\(bytes),epoch=\(epoch.value),"
      + "broker=\(broker.value),path=\(Self.escaped(path))"
  }

  public init?(text: String) {
    var values: [Substring: Substring] = [:]
    for pair in text.split(separator: ",") {
      let halves = pair.split(separator: "=", maxSplits: 1)
      if halves.count == 2 { values[halves[0]] = halves[1] }
    }
    func number(_ key: Substring) -> Int64? { values[key].flatMap { Int64($0) } }
    guard let from = number("from"), let to = number("to"), from <= to, let records = number("records"),
      let bytes = number("bytes"), let epoch = values["epoch"].flatMap({ Int32($0) }),
      let broker = values["broker"].flatMap({ Int32($0) }), let path = values["path"]
    else { return nil }
    self.init(
      from..<to, records: records, bytes: bytes, epoch: LeaderEpoch(epoch), broker: NodeID(broker),
      path: Self.unescaped(path))
  }

  /// Several, in the order in which they were set aside.
  public static func parse(list: String?) -> [SetAside] {
    (list ?? "").split(separator: ";").compactMap { SetAside(text: String($0)) }
  }

  /// The list with one more; nil where it is in it.
  public func added(to list: String?) -> String? {
    var all = Self.parse(list: list)
    guard !all.contains(self) else { return nil }
    // The same once more after a crash is what counts: the file was written again.
    all.removeAll { $0.range == range && $0.epoch == epoch && $0.broker == broker }
    all.append(self)
    return all.suffix(Self.rememberedMax).map(\.text).joined(separator: ";")
  }

  /// What divides words and lists is written as a number.
  private static func escaped(_ path: String) -> String {
    path.map { " ,;%".contains($0) ? "%\($0.asciiValue ?? 0)." : String($0) }.joined()
  }

  private static func unescaped(_ text: Substring) -> String {
    var result = ""
    var rest = text
    while let mark = rest.firstIndex(of: "%") {
      result += rest[..<mark]
      let after = rest[rest.index(after: mark)...]
      guard let dot = after.firstIndex(of: "."), let code = UInt8(after[..<dot]) else { return result + rest[mark...] }
      result.append(Character(UnicodeScalar(code)))
      rest = after[after.index(after: dot)...]
    }
    return result + rest
  }
}
