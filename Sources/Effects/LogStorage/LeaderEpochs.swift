public import Vocabulary

/// Where each leader epoch of a partition began (KIP-101): how a follower finds where its log parts from
/// its leader's. Kept in `leader-epoch-checkpoint`, and in every batch.
public struct LeaderEpochs: Hashable, Sendable {
  public struct Entry: Hashable, Sendable {
    public let epoch: LeaderEpoch
    public let start: Offset
    public init(epoch: LeaderEpoch, start: Offset) {
      self.epoch = epoch
      self.start = start
    }
  }
  /// Epochs and offsets rise.
  public private(set) var entries: [Entry] = []

  public init() {}

  public var latest: LeaderEpoch? { entries.last?.epoch }

  /// Notes that `epoch` begins at `start`. An older or known epoch changes nothing; entries that the new
  /// one contradicts go. True when something changed.
  mutating func assign(_ epoch: LeaderEpoch, start: Offset) -> Bool {
    guard epoch.value >= 0 else { return false }
    if let last = entries.last, last.epoch >= epoch { return false }
    while let last = entries.last, last.start >= start { entries.removeLast() }
    entries.append(Entry(epoch: epoch, start: start))
    return true
  }

  /// The largest epoch that is not above `asked`, and where it ends; nil when `asked` is above every known one.
  /// Below every known one the answer is `asked` itself, ending where the first known one begins.
  public func end(of asked: LeaderEpoch, logEnd: Offset) -> (epoch: LeaderEpoch, end: Offset)? {
    guard asked.value >= 0, let last = entries.last else { return nil }
    if asked == last.epoch { return (asked, logEnd) }
    guard let higher = entries.firstIndex(where: { $0.epoch > asked }) else { return nil }
    if higher == 0 { return (asked, entries[0].start) }
    return (entries[higher - 1].epoch, entries[higher].start)
  }

  /// The epoch of the record at `offset`.
  public func epoch(at offset: Offset) -> LeaderEpoch? { entries.last { $0.start <= offset }?.epoch }

  /// Entries at or after `end` go.
  mutating func truncate(to end: Offset) -> Bool {
    let before = entries.count
    while let last = entries.last, last.start >= end { entries.removeLast() }
    return entries.count != before
  }

  /// Entries that end at or before `start` go; the one that covers it begins there.
  mutating func advance(to start: Offset) -> Bool {
    guard let covering = entries.lastIndex(where: { $0.start <= start }) else { return false }
    let changed = covering > 0 || entries[covering].start < start
    let epoch = entries[covering].epoch
    entries.removeFirst(covering + 1)
    entries.insert(Entry(epoch: epoch, start: start), at: 0)
    return changed
  }

  var fileBytes: [UInt8] {
    CheckpointText.encode(entries.map { "\($0.epoch.value) \($0.start.value)" })
  }

  /// Nil for text that is not an epoch file, or contradicts itself.
  init?(fileBytes: [UInt8]) {
    guard let lines = CheckpointText.decode(fileBytes) else { return nil }
    for line in lines {
      let words = line.split(separator: " ")
      guard words.count == 2, let epoch = Int32(words[0]), let start = Int64(words[1]), epoch >= 0, start >= 0 else {
        return nil
      }
      if let last = entries.last, last.epoch.value >= epoch || last.start.value > start { return nil }
      entries.append(Entry(epoch: LeaderEpoch(epoch), start: Offset(start)))
    }
  }
}
