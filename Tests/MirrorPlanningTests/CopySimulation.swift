import MirrorPlanning
import Testing
import Vocabulary

/// A source that changes its mind, a link that loses answers, and a copy that must never leave anything out in silence.
///
/// The source may elect a leader that has less (its log is cut and goes on with other records in a higher epoch), remove
/// records, delete its topic and make it again. The copy is asked about every answer, also about those that come late.
struct CopySimulation {
  struct Record: Hashable {
    let epoch: Int32
    /// Which write it was: the same for ever.
    let value: UInt64
  }

  private var random: Chance
  private var now = Instant(nanoseconds: 0)
  private var nextValue: UInt64 = 1

  // The source.
  private var topic: UInt64 = 1
  private var start: Int64 = 0
  private var records: [Record] = []
  private var epoch: Int32 = 0
  private var mark: Int64 = 0
  private var end: Int64 { start + Int64(records.count) }

  // The copy.
  private var copy = PartitionCopy()
  private var held: [Int64: Record] = [:]
  private var copyStart: Int64 = 0
  private var copyEnd: Int64 = 0
  private var ownEpoch: Int32 = 50
  private let policy: GapPolicy
  private let setsAside: Bool
  private var mirroredTopic: UInt64 = 1

  private(set) var complaints: [String] = []
  private(set) var halts: Set<String> = []
  private(set) var copied = 0
  /// What was cut off, and kept.
  private(set) var setAside: [(from: Int64, records: [Record])] = []
  var accepted: [Range<Int64>] { copy.accepted }

  init(seed: UInt64, policy: GapPolicy, setsAside: Bool = false, planted: PlantedBug? = nil) {
    random = Chance(seed)
    self.policy = policy
    self.setsAside = setsAside
    copy.planted = planted
  }

  mutating func run(steps: Int) {
    for _ in 0..<steps where complaints.isEmpty {
      now = now + .milliseconds(Int64(random.below(400)))
      disturb()
      fetch()
      if setsAside { part() }
    }
  }

  // MARK: The source

  private mutating func disturb() {
    switch random.below(100) {
    case 0..<60: write(random.below(6))
    case 60..<80: mark = min(end, mark + Int64(random.below(5)))
    case 80..<84: elect(clean: true)
    case 84..<86: elect(clean: false)
    case 86..<90: remove()
    case 90: makeAgain()
    default: break
    }
  }

  private mutating func write(_ count: Int) {
    for _ in 0..<count {
      records.append(Record(epoch: epoch, value: nextValue))
      nextValue += 1
    }
  }

  /// A clean election keeps what is committed, an unclean one may not.
  private mutating func elect(clean: Bool) {
    let lowest = clean ? mark : max(start, mark - 4)
    let cut = lowest + Int64(random.below(Int(end - lowest) + 1))
    records.removeLast(Int(end - cut))
    mark = min(mark, cut)
    epoch += 1
  }

  private mutating func remove() {
    let next = start + Int64(random.below(Int(mark - start) + 1))
    records.removeFirst(Int(next - start))
    start = next
  }

  private mutating func makeAgain() {
    topic += 1
    start = 0
    records = []
    mark = 0
    epoch = 0
  }

  // MARK: The link

  private var position: CopyPosition {
    CopyPosition(
      start: Offset(copyStart), end: Offset(copyEnd),
      lastEpoch: LeaderEpoch(held[copyEnd - 1]?.epoch ?? -1), ownEpoch: LeaderEpoch(ownEpoch))
  }

  private mutating func fetch() {
    guard copy.wants(at: now) else { return }
    // The metadata hears of it a little later.
    if copy.recorded != copy.namedGaps, random.below(2) == 0 { copy.recorded = copy.namedGaps }
    let asked = position
    let (answer, batch) = random.below(10) == 0 ? (.unreachable, []) : self.answer(to: asked)
    take(answer, batch, asked)
    if case .resting = copy.phase, case .outOfRange = answer {
      take(.bounds(earliest: Offset(start), latest: Offset(mark)), [], asked)
    }
  }

  private mutating func take(_ answer: SourceAnswer, _ batch: [Record], _ asked: CopyPosition) {
    switch copy.answered(answer, at: asked, policy: policy, now: now) {
    case .append(let removed):
      for (index, record) in batch.enumerated() { held[asked.end.value + Int64(index)] = record }
      copyEnd = asked.end.value + Int64(batch.count)
      copied += batch.count
      forget(before: removed.value)
      check()
    case .keep(let removed):
      forget(before: removed.value)
      check()
    case .restart(let place, _):
      if copyEnd > 0, !copy.recorded.contains(copyEnd..<place.value) {
        complaints.append("offsets \(copyEnd) to \(place.value - 1) were left out, and nobody said so")
      }
      held = [:]
      copyStart = place.value
      copyEnd = place.value
    case .halt(let halt): halts.insert(halt.kind)
    case .askWhoLeads:
      // Whoever looks the topic up by its name finds the new one.
      if case .gone = answer { mirroredTopic = topic }
    case .askBounds, .rest: break
    }
  }

  // MARK: What the source does not have

  /// One step of it at a time: the source may change between any two.
  private mutating func part() {
    switch copy.parting {
    case .none:
      guard copy.beginParting(at: now), topic == mirroredTopic else {
        return copy.partingFailed(.notNow("the source is not there"), at: now)
      }
      guard
        var search = DivergenceSearch(
          runs(held.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }), from: Offset(copyStart),
          upTo: Offset(copyEnd),
          emptyAt: copy.sourceEnd)
      else { return copy.partingWasNeedless(at: now) }
      var asked = search.asked
      while true {
        let found = lastOffset(ofEpochUpTo: asked.value)
        switch search.answered(LeaderEpoch(found?.epoch ?? -1), upTo: Offset(found?.end ?? -1)) {
        case .ask(let next): asked = next
        case .same: return copy.partingWasNeedless(at: now)
        case .unclear: return copy.partingFailed(.notNow("unclear"), at: now)
        case .parts(let point):
          let what = SetAside(
            point.value..<copyEnd, records: copyEnd - point.value, bytes: 1, epoch: position.lastEpoch,
            broker: NodeID(1), path: "/kept")
          check(cut: point.value)
          return copy.saved(what, cutTo: point)
        }
      }
    case .searching: copy.partingFailed(.notNow("it never ended"), at: now)
    case .saved(let what, _):
      let recorded = random.below(3) > 0 ? [what] : []
      guard copy.mayCut(recorded) != nil else { return }
      if recorded.isEmpty { complaints.append("\(what.text) was cut off before anybody could know of it") }
      setAside.append((what.range.lowerBound, what.range.compactMap { held[$0] }))
      for offset in what.range { held[offset] = nil }
      copyEnd = what.range.lowerBound
      copy.cutOff(true, in: LeaderEpoch(ownEpoch))
    case .cut:
      ownEpoch += 1
      copy.epochBegan(LeaderEpoch(ownEpoch))
    }
  }

  /// Nothing is cut off that the source has in the same place.
  private mutating func check(cut point: Int64) {
    guard point >= start, point < end, let mine = held[point] else { return }
    if records[Int(point - start)] == mine { complaints.append("offset \(point) is the source's, and was cut off") }
  }

  private func runs(_ records: [(Int64, Record)]) -> [EpochRun] {
    var runs: [EpochRun] = []
    for (offset, record) in records where runs.last?.epoch.value != record.epoch {
      runs.append(EpochRun(LeaderEpoch(record.epoch), at: Offset(offset)))
    }
    return runs
  }

  private mutating func forget(before offset: Int64) {
    while copyStart < offset {
      held[copyStart] = nil
      copyStart += 1
    }
  }

  /// As a broker answers a consumer's Fetch that says its last epoch. A batch may reach beyond the high watermark where
  /// the answer is damaged: the copy has to notice.
  private mutating func answer(to asked: CopyPosition) -> (SourceAnswer, [Record]) {
    guard topic == mirroredTopic else { return (.gone(now: UniqueID(high: 0, low: topic)), []) }
    if asked.lastEpoch != .none, let found = lastOffset(ofEpochUpTo: asked.lastEpoch.value),
      found.epoch != asked.lastEpoch.value || found.end < asked.end.value
    {
      return (.diverging(LeaderEpoch(found.epoch), upTo: Offset(found.end)), [])
    }
    guard asked.end.value >= start, asked.end.value <= mark else { return (.outOfRange, []) }
    let limit = random.below(20) == 0 ? end : mark
    let upTo = min(limit, asked.end.value + Int64(random.below(8)))
    let batch = Array(records[Int(asked.end.value - start)..<Int(upTo - start)])
    var runs: [EpochRun] = []
    for (index, record) in batch.enumerated() where runs.last?.epoch.value != record.epoch {
      runs.append(EpochRun(LeaderEpoch(record.epoch), at: Offset(asked.end.value + Int64(index))))
    }
    return (
      .records(
        from: asked.end, upTo: Offset(upTo), runs: runs, highWatermark: Offset(mark), logStart: Offset(start)), batch
    )
  }

  private func lastOffset(ofEpochUpTo epoch: Int32) -> (epoch: Int32, end: Int64)? {
    guard !records.isEmpty else { return nil }
    // Older than everything that is there: it ends where the first that is known begins.
    guard let last = records.lastIndex(where: { $0.epoch <= epoch }) else { return (epoch, start) }
    return (records[last].epoch, start + Int64(last) + 1)
  }

  // MARK: What must hold

  /// Right after an answer that the copy went on with: it has nothing else than the source has, and nothing more.
  private mutating func check() {
    if copyEnd > mark { complaints.append("offset \(copyEnd - 1) was copied before it was committed") }
    for offset in copyStart..<copyEnd {
      guard let mine = held[offset] else {
        complaints.append("offset \(offset) is missing, and nobody said so")
        return
      }
      guard offset >= start else { continue }
      guard offset < end, records[Int(offset - start)] == mine else {
        complaints.append("offset \(offset) is not what the source has, and the copy goes on")
        return
      }
    }
  }
}

extension Halt {
  var kind: String {
    switch self {
    case .gap: "gap"
    case .diverged: "diverged"
    case .shorter: "shorter"
    case .gone: "gone"
    case .epochTooHigh: "epoch"
    case .differs: "differs"
    case .tooMuch: "too much"
    }
  }
}

/// Numbers that follow from a seed.
struct Chance {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }
  mutating func below(_ bound: Int) -> Int {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return bound <= 0 ? 0 : Int(state % UInt64(bound))
  }
}
