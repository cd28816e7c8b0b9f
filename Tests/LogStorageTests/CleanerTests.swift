import KafkaProtocol
import RecordCompression
import SimulatedWorld
import Testing
import Vocabulary

@testable import LogStorage

@Suite struct CleanerTests {
  static func settings(segmentBytes: Int = 400) -> LogSettings {
    var settings = LogSettings()
    settings.cleanup = .compact
    settings.segmentBytes = ByteCount(segmentBytes)
    settings.indexInterval = ByteCount(100)
    return settings
  }

  static func latest(_ records: [(offset: Int64, key: String, value: String?)]) -> [String: String?] {
    var latest: [String: String?] = [:]
    for record in records { latest[record.key] = .some(record.value) }
    return latest
  }

  @Test(arguments: Compression.allCases)
  func theLastValueOfEveryKeyStaysWhereItWas(codec: Compression) throws {
    let disk = SimulatedDisk(seed: 1)
    var settings = Self.settings()
    settings.compression = .codec(codec, level: nil)
    let log = try Make.log(disk, settings)
    for n in 0..<150 { try log.put(Make.batch(["v\(n)", "w\(n)"], keys: ["k\(n % 7)", "k\(n % 5)"])) }
    let before = try log.keyValues()
    try log.flush()
    let bytes = log.size
    let outcome = try Cleaner().clean(log, from: .zero, upTo: log.endOffset, now: Timestamp(milliseconds: 5_000))
    let after = try log.keyValues()
    #expect(log.size < bytes && outcome.bytesAfter < outcome.bytesBefore)
    #expect(outcome.firstDirtyOffset == log.activeSegmentStart)
    #expect(Self.latest(after) == Self.latest(before))
    let known = Dictionary(uniqueKeysWithValues: before.map { ($0.offset, $0) })
    for record in after {
      #expect(known[record.offset]?.value == record.value && known[record.offset]?.key == record.key)
    }
    // In the clean part every key is there once.
    let clean = after.filter { $0.offset < outcome.firstDirtyOffset.value }
    #expect(Set(clean.map(\.key)).count == clean.count)
    // What is clean stays as it is.
    let again = try Cleaner().clean(
      log, from: outcome.firstDirtyOffset, upTo: log.endOffset, now: Timestamp(milliseconds: 5_000))
    #expect(again.bytesAfter == again.bytesBefore)
    log.close()
    #expect(try Make.log(disk, settings).keyValues().map(\.offset) == after.map(\.offset))
  }

  @Test func everyOffsetLeadsToTheNextBatchThatIsLeft() throws {
    let log = try Make.log(SimulatedDisk(seed: 2), Self.settings())
    for n in 0..<100 { try log.put(Make.batch(["v\(n)"], keys: [n == 3 ? "rare" : "often"])) }
    try log.flush()
    _ = try Cleaner().clean(log, from: .zero, upTo: log.endOffset, now: Timestamp(milliseconds: 5_000))
    let bases = try log.everything().map { try $0.withUnsafeBytes { try RecordBatchHeader($0) } }
      .filter { $0.recordsCount > 0 }.map(\.baseOffset)
    #expect(bases.count < 30)
    for offset in 0..<100 as Range<Int64> {
      let outcome = try log.read(from: Offset(offset), maxBytes: 1, upTo: log.endOffset, minimum: .oneBatch)
      guard case .slice(let slice) = outcome else {
        Issue.record("nothing at \(offset)")
        continue
      }
      #expect(slice.firstBatchBaseOffset == bases.first { $0 >= Offset(offset) })
    }
  }

  @Test func aReaderIsNeverGivenOnlyBatchesWithoutRecords() throws {
    let log = try Make.log(SimulatedDisk(seed: 5), Self.settings())
    for n in 0..<60 as Range<Int64> {
      let producer = ProducerStamp(id: ProducerID(n), epoch: ProducerEpoch(0), baseSequence: 0)
      try log.put(Make.batch(["v\(n)"], keys: ["always"], producer: producer))
    }
    try log.flush()
    _ = try Cleaner().clean(log, from: .zero, upTo: log.endOffset, now: Timestamp(milliseconds: 5_000))
    let headers = try log.everything().map { try $0.withUnsafeBytes { try RecordBatchHeader($0) } }
    #expect(log.segmentCount > 10)
    for offset in 0..<60 as Range<Int64> {
      let outcome = try log.read(from: Offset(offset), maxBytes: 700, upTo: log.endOffset, minimum: .oneBatch)
      guard case .slice(let slice) = outcome else {
        Issue.record("nothing at \(offset)")
        continue
      }
      let first = try slice.bytes().withUnsafeBytes { try RecordBatchHeader($0) }
      #expect(
        first.recordsCount > 0 && first.baseOffset == headers.first { $0.lastOffset >= Offset(offset) }?.baseOffset)
    }
  }

  @Test func aTombstoneStaysForTheRetentionAndThenGoes() throws {
    var settings = Self.settings(segmentBytes: 100)
    settings.deleteRetention = .milliseconds(1_000)
    let log = try Make.log(SimulatedDisk(seed: 3), settings)
    try log.put(Make.batch(["value"], keys: ["gone"]))
    try log.put(Make.batch([""], keys: ["gone"]))
    func cleaned(at now: Int64, from first: Offset) throws -> Offset {
      for n in 0..<3 { try log.put(Make.batch(["filler \(n)"], keys: ["f\(n)"])) }
      try log.flush()
      return try Cleaner().clean(log, from: first, upTo: log.endOffset, now: Timestamp(milliseconds: now))
        .firstDirtyOffset
    }
    var dirty = try cleaned(at: 10_000, from: .zero)
    #expect(try log.keyValues().filter { $0.key == "gone" }.map(\.value) == [nil])
    let horizon = try log.everything().map { try $0.withUnsafeBytes { try RecordBatchHeader($0) } }
      .first { $0.attributes.hasDeleteHorizon }
    #expect(horizon?.baseTimestamp == Timestamp(milliseconds: 11_000))
    dirty = try cleaned(at: 10_999, from: dirty)
    #expect(try log.keyValues().contains { $0.key == "gone" })
    _ = try cleaned(at: 11_000, from: dirty)
    #expect(try !log.keyValues().contains { $0.key == "gone" })
  }

  @Test func aProducerGoesOnAfterItsRecordsAreCompactedAway() throws {
    let disk = SimulatedDisk(seed: 4)
    let settings = Self.settings(segmentBytes: 150)
    var log = try Make.log(disk, settings)
    func stamp(_ sequence: Int32) -> ProducerStamp {
      ProducerStamp(id: ProducerID(9), epoch: ProducerEpoch(0), baseSequence: sequence)
    }
    for n in 0..<3 as Range<Int32> { try log.put(Make.batch(["v\(n)"], keys: ["k"], producer: stamp(n))) }
    for n in 0..<4 { try log.put(Make.batch(["last \(n)"], keys: ["k"])) }
    try log.flush()
    _ = try Cleaner().clean(log, from: .zero, upTo: log.endOffset, now: Timestamp(milliseconds: 5_000))
    // Without any snapshot the log alone must tell the sequence.
    let end = log.endOffset
    log.abandon()
    for name in try disk.list("data/orders-0") where name.hasSuffix(".snapshot") {
      try disk.unlink("data/orders-0/\(name)")
    }
    log = try Make.log(disk, settings, recovery: .afterCrash(recoveryPoint: end))
    #expect(try log.put(Make.batch(["v2"], keys: ["k"], producer: stamp(2))).baseOffset == Offset(2))
    #expect(try log.put(Make.batch(["v3"], keys: ["k"], producer: stamp(3))).baseOffset == end)
  }

  @Test func aMapThatIsTooSmallCleansInSeveralRuns() throws {
    let log = try Make.log(SimulatedDisk(seed: 5), Self.settings())
    for n in 0..<300 { try log.put(Make.batch(["v\(n)"], keys: ["k\(n % 60)"])) }
    try log.flush()
    let expected = Self.latest(try log.keyValues())
    var cleaner = Cleaner()
    cleaner.bufferBytes = ByteCount(16 * KeyOffsets.slotBytes)
    var dirty = Offset.zero
    var runs = 0
    while dirty < log.activeSegmentStart, runs < 100 {
      let next = try cleaner.clean(log, from: dirty, upTo: log.endOffset, now: Timestamp(milliseconds: 5_000))
      #expect(next.firstDirtyOffset > dirty)
      dirty = next.firstDirtyOffset
      runs += 1
    }
    #expect(runs > 2)
    #expect(Self.latest(try log.keyValues()) == expected)
  }

  @Test func whatLiesAboveTheHighWatermarkOrIsTooYoungIsNotCleaned() throws {
    var settings = Self.settings(segmentBytes: 100)
    let log = try Make.log(SimulatedDisk(seed: 6), settings)
    for n in 0..<20 { try log.put(Make.batch(["v\(n)"], keys: ["k"], at: 1_000 + Int64(n))) }
    #expect(try Cleaner().clean(log, from: .zero, upTo: log.endOffset, now: .none).firstDirtyOffset == .zero)
    try log.flush()
    #expect(try Cleaner().clean(log, from: .zero, upTo: Offset(5), now: .none).firstDirtyOffset <= Offset(5))
    settings.compactionLagMin = .milliseconds(100)
    log.update(settings)
    let young = try Cleaner().clean(log, from: Offset(5), upTo: log.endOffset, now: Timestamp(milliseconds: 1_110))
    #expect(young.firstDirtyOffset.value <= 11)
    #expect(try log.cleaningUrgency(from: Offset(0), upTo: log.endOffset, now: Timestamp(milliseconds: 9_999)) != nil)
  }

  /// Cuts the power before every effect of a workload that cleans, and during the recovery that follows.
  @Test(arguments: 0..<6 as Range<UInt64>)
  func aPowerCutDuringCleaningLosesNoKey(seed: UInt64) throws {
    let total = try CleaningRun.run(seed: seed, cut: nil).effects
    for cut in stride(from: Int(seed % 6), to: total, by: 6) {
      let failures = try CleaningRun.run(seed: seed, cut: cut).failures
      #expect(failures.isEmpty, "seed \(seed), cut \(cut): \(failures.joined(separator: "; "))")
      if !failures.isEmpty { return }
    }
  }

  @Test(arguments: [SimulatedDisk.Bug.ignoresSyncData, .ignoresSyncDirectory])
  func aDiskThatDoesNotSyncLosesKeysAndIsFoundOut(bug: SimulatedDisk.Bug) throws {
    var found = 0
    for seed in 0..<6 as Range<UInt64> where found == 0 {
      let total = try CleaningRun.run(seed: seed, cut: nil).effects
      for cut in stride(from: 0, to: total, by: 5) where found == 0 {
        found += try CleaningRun.run(seed: seed, cut: cut, bug: bug).failures.count
      }
    }
    #expect(found > 0)
  }
}

/// Appends, flushes and cleans until the power fails.
struct CleaningRun {
  let disk: SimulatedDisk
  var random: SeededRandom
  let settings = CleanerTests.settings(segmentBytes: 300)
  var written: [Int64: (key: String, value: String?)] = [:]
  var synced: Int64 = 0
  var end: Int64 = 0
  var dirty = Offset.zero

  static func run(
    seed: UInt64, cut: Int?, bug: SimulatedDisk.Bug = .none
  ) throws -> (effects: Int, failures: [String]) {
    var run = CleaningRun(
      disk: SimulatedDisk(seed: seed &* 7_919 &+ UInt64(cut ?? 0), bug: bug), random: SeededRandom(seed: seed))
    try run.disk.createDirectory("data")
    run.disk.cutPower(atEffect: cut)
    do { try run.work() } catch {}
    let effects = run.disk.effects
    guard cut != nil else { return (effects, []) }
    return (effects, run.recover())
  }

  private mutating func work() throws {
    let log = try Make.log(disk, settings)
    for n in 0..<90 {
      let key = "k\(Int.random(in: 0..<6, using: &random))"
      let value = Int.random(in: 0..<8, using: &random) == 0 ? nil : "value \(n)"
      written[end] = (key, value)
      end = try log.put(Make.batch([value ?? ""], keys: [key])).endOffset.value
      if Int.random(in: 0..<6, using: &random) == 0 { synced = try log.flush().value }
      if n % 30 == 29 {
        synced = try log.flush().value
        dirty = try Cleaner().clean(
          log, from: dirty, upTo: log.endOffset, now: Timestamp(milliseconds: Int64(n) * 1_000)
        )
        .firstDirtyOffset
      }
    }
    log.close()
  }

  private mutating func recover() -> [String] {
    disk.cutPower()
    disk.restorePower()
    let point = Int64.random(in: 0...synced, using: &random)
    disk.cutPower(atEffect: disk.effects + Int.random(in: 0..<12, using: &random))
    _ = try? Make.log(disk, settings, recovery: .afterCrash(recoveryPoint: Offset(point)))
    disk.cutPower()
    disk.restorePower()
    do {
      let log = try Make.log(disk, settings, recovery: .afterCrash(recoveryPoint: Offset(point)))
      var failures = check(try log.keyValues(), log.endOffset.value)
      try log.flush()
      _ = try Cleaner().clean(log, from: .zero, upTo: log.endOffset, now: Timestamp(milliseconds: 100_000))
      failures += check(try log.keyValues(), log.endOffset.value)
      return failures
    } catch {
      return ["the log does not open: \(error)"]
    }
  }

  private func check(_ records: [(offset: Int64, key: String, value: String?)], _ logEnd: Int64) -> [String] {
    var failures: [String] = []
    if logEnd < synced { failures.append("the log ends at \(logEnd), synced \(synced)") }
    var previous: Int64 = -1
    for record in records {
      if record.offset <= previous { failures.append("offset \(record.offset) after \(previous)") }
      previous = record.offset
      guard let expected = written[record.offset], expected.key == record.key, expected.value == record.value else {
        failures.append("offset \(record.offset) holds what was never there")
        continue
      }
    }
    let found = CleanerTests.latest(records)
    for (key, expected) in lastValues(before: logEnd) {
      // A tombstone that is gone says the same as one that is there.
      if (found[key] ?? nil) != expected {
        failures.append("\(key) is \(String(describing: found[key])), not \(expected ?? "nil")")
      }
    }
    return failures
  }

  private func lastValues(before end: Int64) -> [String: String?] {
    var last: [String: String?] = [:]
    for (_, record) in written.filter({ $0.key < end }).sorted(by: { $0.key < $1.key }) {
      last[record.key] = .some(record.value)
    }
    return last
  }
}
