import MirrorPlanning
import Testing
import Vocabulary

/// A source whose records come and are compacted away, a target that takes some of what it is sent, and a mirror between
/// them that dies between any two steps.
private struct CopyingWorld {
  struct Record: Hashable, Sendable {
    let key: Int
    let value: Int
  }
  enum Mistake: CaseIterable {
    /// Copying goes on where the last synchronisation is, whatever is in the copy.
    case forgetsTheTail
    /// What is in the copy after the last synchronisation is counted, and not looked at.
    case counts
  }
  private var random: UInt64
  private let mistake: Mistake?
  var source: [(offset: Offset, record: Record)] = []
  private var end = Offset(0)
  var target: [Record] = []
  private var syncs: [TranslatedCopy<Record>.Place] = []
  private var copy: TranslatedCopy<Record>?
  private var position = Offset(0)
  private var skip: Int64 = 0

  init(seed: UInt64, _ mistake: Mistake? = nil) {
    random = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    self.mistake = mistake
  }

  private mutating func below(_ bound: Int) -> Int {
    random ^= random << 13
    random ^= random >> 7
    random ^= random << 17
    return Int(random % UInt64(bound))
  }

  mutating func step() {
    switch below(10) {
    case 0...3:
      source.append((end, Record(key: below(6), value: Int(end.value))))
      end = end + 1
    case 4: compact()
    case 5: copy = nil
    default: mirror(mayDie: true)
    }
  }

  /// The last record of each key stays, and what is not that old.
  private mutating func compact() {
    let dirty = Offset(max(0, end.value - Int64(below(5))))
    let last = Dictionary(source.map { ($0.record.key, $0.offset) }) { $1 }
    source.removeAll { $0.offset < dirty && last[$0.record.key] != $0.offset }
  }

  private mutating func begin() {
    let ended = Offset(Int64(target.count))
    let sync = syncs.last.map { ($0.upstream, $0.downstream) }
    guard case .success(let point) = planResume(sync: sync, start: source.first?.offset ?? end, end: ended) else {
      Issue.record("a copy of our own is not continued")
      return
    }
    var runs = OffsetRuns()
    for sync in syncs { runs.add(sync.upstream, at: sync.downstream) }
    var tail = (Int(point.downstream.value)..<target.count).map { (record: target[$0], at: Offset(Int64($0))) }
    skip = 0
    if mistake != nil { tail = [] }
    if mistake == .counts { skip = point.present }
    copy = TranslatedCopy(runs: runs, end: ended, tail: tail)
    position = point.upstream
    if syncs.isEmpty { syncs.append(.init(upstream: point.upstream, downstream: point.downstream)) }
  }

  /// Reads a few records, sends what is new in batches, and notes it; or dies in between.
  mutating func mirror(mayDie: Bool) {
    if copy == nil { begin() }
    guard var copy else { return }
    let read = source.filter { $0.offset >= position }.prefix(1 + below(6))
    var batch: [Record] = []
    for (offset, record) in read {
      position = offset + 1
      if skip > 0 {
        skip -= 1
      } else if copy.mustWrite(record, from: offset) {
        batch.append(record)
      }
    }
    while !batch.isEmpty {
      let count = 1 + below(batch.count)
      let first = Offset(Int64(target.count))
      target += batch.prefix(count)
      batch.removeFirst(count)
      if mayDie, below(5) == 0 { return self.copy = nil }
      // Now and then an answer is lost, and the second says no more than that it is there.
      let elsewhere = copy.appended(count, at: below(4) == 0 ? nil : first)
      #expect(elsewhere == nil)
    }
    for sync in copy.takeSyncs() {
      if mayDie, below(8) == 0 { return self.copy = nil }
      syncs.append(sync)
    }
    self.copy = copy
  }

  mutating func settle() {
    for _ in 0..<1000 where copy == nil || position < end { mirror(mayDie: false) }
  }

  /// What a group that has committed this at the source reads first at the target, if it is carried.
  func goesOn(_ committed: Offset) -> Int? { copy?.runs.translate(committed).map { Int($0.value) } }

  static func history(_ seed: UInt64, _ mistake: Mistake? = nil) -> CopyingWorld {
    var world = CopyingWorld(seed: seed, mistake)
    for _ in 0..<150 { world.step() }
    world.settle()
    return world
  }

  /// Each record once and in order, and none that the source still has is missing.
  var isWhole: Bool {
    let values = target.map(\.value)
    return zip(values, values.dropFirst()).allSatisfy { $0 < $1 } && Set(target).isSuperset(of: source.map(\.record))
  }
}

@Suite struct TranslatedCopyTests {
  @Test(arguments: 0..<30) func everyRecordIsCopiedOnceWhereverTheMirrorDies(hundred: Int) {
    for seed in 0..<50 {
      let seed = UInt64(hundred * 50 + seed)
      let world = CopyingWorld.history(seed)
      #expect(world.isWhole, "\(seed)")
      for (offset, record) in world.source {
        guard let place = world.goesOn(offset) else { continue }
        // A group reads nothing twice that it has read, and leaves nothing out, as far as the mirror saw it pass.
        #expect(!world.target[..<place].contains { $0.value >= record.value }, "\(seed) \(offset)")
      }
    }
  }

  @Test(arguments: CopyingWorld.Mistake.allCases) fileprivate func aPlantedMistakeIsSeen(mistake: CopyingWorld.Mistake)
  {
    #expect((0..<300).contains { !CopyingWorld.history($0, mistake).isWhole })
  }
}
