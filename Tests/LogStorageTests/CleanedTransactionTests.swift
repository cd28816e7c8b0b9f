import KafkaProtocol
import SimulatedWorld
import Testing
import Vocabulary

@testable import LogStorage

@Suite struct CleanedTransactionTests {
  private func settings(_ bytes: Int = 400) -> LogSettings {
    var settings = CleanerTests.settings(segmentBytes: bytes)
    settings.deleteRetention = .milliseconds(1_000)
    return settings
  }

  private func headers(_ log: PartitionLog) throws -> [RecordBatchHeader] {
    try log.everything().map { try $0.withUnsafeBytes { try RecordBatchHeader($0) } }
  }

  /// Cleans all that is there; what follows begins a segment of its own.
  @discardableResult
  private func clean(_ log: PartitionLog, from first: Offset = .zero, at now: Int64) throws -> Offset {
    try log.rollNow(now: Timestamp(milliseconds: 2_000))
    try log.flush()
    return try Cleaner().clean(
      log, from: first, upTo: log.lastStableOffset(below: log.endOffset), now: Timestamp(milliseconds: now)
    ).firstDirtyOffset
  }

  @Test func aValueThatWasTakenBackReplacesNothingAndGoes() throws {
    let disk = SimulatedDisk(seed: 1)
    let log = try Make.log(disk, settings())
    try log.write(["old"], by: 4, from: 0, keys: ["k"])
    try log.end(4, committed: true)
    try log.write(["wrong"], by: 4, from: 1, keys: ["k"])
    try log.end(4, committed: false)
    try log.write(["other"], by: 4, from: 2, keys: ["o"])
    try log.end(4, committed: true)
    try clean(log, at: 10_000)
    #expect(try log.committedValues(below: log.endOffset) == ["old", "other"])
    #expect(try log.values().contains("wrong") == false)
    log.close()
    let again = try Make.log(disk, settings())
    #expect(try again.committedValues(below: again.endOffset) == ["old", "other"])
  }

  @Test func aCommittedValueReplacesAnEarlierOne() throws {
    let log = try Make.log(SimulatedDisk(seed: 2), settings())
    try log.put(Make.batch(["old"], keys: ["k"]))
    try log.write(["new"], by: 4, keys: ["k"])
    try log.end(4, committed: true)
    try clean(log, at: 10_000)
    #expect(try log.committedValues(below: log.endOffset) == ["new"])
  }

  @Test func nothingAboveTheLastStableOffsetIsCleaned() throws {
    let log = try Make.log(SimulatedDisk(seed: 3), settings(100))
    try log.put(Make.batch(["old"], keys: ["k"]))
    try log.write(["open"], by: 4, keys: ["k"])
    try log.put(Make.batch(["new"], keys: ["k"]))
    try log.rollNow(now: Timestamp(milliseconds: 2_000))
    try log.flush()
    // Also who asks for more than that gets no more.
    _ = try Cleaner().clean(log, from: .zero, upTo: log.endOffset, now: Timestamp(milliseconds: 10_000))
    #expect(try log.keyValues().map(\.value) == ["old", "open", "new"])
  }

  @Test func aMarkerStaysWhileAnyBatchOfItsTransactionIsLeftAndThenForTheRetention() throws {
    let log = try Make.log(SimulatedDisk(seed: 4), settings())
    for (id, committed) in [(4, true), (5, false)] as [(Int64, Bool)] {
      try log.write(["v\(id)"], by: id, keys: ["k"])
      try log.end(id, committed: committed)
      // Its last batch tells the sequence, so that the ones before can go.
      try log.put(
        Make.batch(
          ["plain"], keys: ["p\(id)"],
          producer: ProducerStamp(id: ProducerID(id), epoch: ProducerEpoch(0), baseSequence: 1)))
    }
    try log.put(Make.batch(["last"], keys: ["k"]))
    func markers() throws -> [RecordBatchHeader] { try headers(log).filter(\.attributes.isControl) }
    try clean(log, at: 10_000)
    #expect(try log.values().filter { $0.hasPrefix("v") }.isEmpty)
    #expect(try markers().map(\.attributes.hasDeleteHorizon) == [false, false], "their batches went only now")
    try log.put(Make.batch(["more"], keys: ["m"]))
    try clean(log, at: 20_000)
    #expect(try markers().map(\.attributes.hasDeleteHorizon) == [true, true])
    #expect(try markers().allSatisfy { $0.baseTimestamp == Timestamp(milliseconds: 21_000) })
    #expect(try log.abortedTransactions(from: .zero, to: log.endOffset).count == 1)
    try log.put(Make.batch(["more"], keys: ["m"]))
    try clean(log, at: 20_999)
    #expect(try markers().count == 2)
    try log.put(Make.batch(["more"], keys: ["m"]))
    try clean(log, at: 21_000)
    #expect(try markers().isEmpty)
    #expect(try log.abortedTransactions(from: .zero, to: log.endOffset).isEmpty)
  }

  @Test func theLastMarkerOfAProducerWithoutBatchesStays() throws {
    let log = try Make.log(SimulatedDisk(seed: 5), settings())
    for _ in 0..<3 {
      try log.put(Make.transactional(["offset"], by: 4, from: -1, keys: ["k"]), .coordinator)
      try log.end(4, committed: true)
    }
    for round in 1..<6 as Range<Int64> {
      try log.put(Make.batch(["more"], keys: ["k"]))
      try clean(log, at: round * 10_000)
    }
    #expect(try headers(log).filter(\.attributes.isControl).map(\.baseOffset) == [Offset(5)])
  }

  /// Committed readers of a log that is cleaned again and again see the last committed value of every key, whatever the
  /// order of transactions, and what a scan says of those that are open.
  @Test(arguments: 0..<16 as Range<UInt64>)
  func cleaningChangesNothingThatAReaderOfCommittedDataReliesOn(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let disk = SimulatedDisk(seed: seed)
    var log = try Make.log(disk, settings(600))
    var model = KeyModel()
    var dirty = Offset.zero
    var now: Int64 = 10_000
    for _ in 0..<160 {
      let id = Int64.random(in: 3...6, using: &random)
      switch Int.random(in: 0..<20, using: &random) {
      case 0..<9: try model.write(log, id, &random)
      case 9..<14: try model.end(log, id, committed: Bool.random(using: &random))
      case 14..<16:
        try model.writePlain(log)
      case 16..<19:
        now += Int64.random(in: 0...900, using: &random)
        dirty = try clean(log, from: dirty, at: now)
      default:
        log.close()
        log = try Make.log(disk, settings(600))
      }
      try model.check(log)
    }
  }

  @Test(arguments: 0..<6 as Range<UInt64>)
  func aPowerCutDuringCleaningLeavesRecordsAndIndexTogether(seed: UInt64) throws {
    func run(cut: Int?) throws -> Int {
      var random = SeededRandom(seed: seed)
      let disk = SimulatedDisk(seed: seed &* 131 &+ UInt64(cut ?? 0))
      let log = try Make.log(disk, settings(500))
      var model = KeyModel()
      for n in 0..<40 {
        let id = Int64.random(in: 3...6, using: &random)
        if n % 3 < 2 { try model.write(log, id, &random) } else { try model.end(log, id, committed: n % 2 == 0) }
      }
      for id in 3...6 as ClosedRange<Int64> { try model.end(log, id, committed: id % 2 == 0) }
      try log.rollNow(now: Timestamp(milliseconds: 2_000))
      try log.flush()
      let before = disk.effects
      disk.cutPower(atEffect: cut.map { $0 + before })
      do {
        for now in [10_000, 20_000, 30_000] as [Int64] { try clean(log, at: now) }
      } catch is StorageError {}
      let effects = disk.effects - before
      guard cut != nil else { return effects }
      disk.cutPower()
      disk.restorePower()
      let again = try Make.log(disk, settings(500), recovery: .afterCrash(recoveryPoint: log.syncedOffset))
      #expect(again.endOffset == log.endOffset)
      try model.check(again)
      // It is cleaned on as if nothing had happened.
      try clean(again, at: 40_000)
      try model.check(again)
      return effects
    }
    // Each seed takes every sixth effect; together they meet all kinds.
    for cut in stride(from: Int(seed), to: try run(cut: nil), by: 6) { _ = try run(cut: cut) }
  }
}

/// What the keys of a log should hold.
private struct KeyModel {
  var committed: [String: (offset: Int64, value: String)] = [:]
  var everCommitted: Set<String> = []
  /// Where the markers are of transactions that were taken back.
  private var abortMarkers: Set<Int64> = []
  private var open: [Int64: [(key: String, offset: Int64, value: String)]] = [:]
  private var sequences: [Int64: Int32] = [:]

  mutating func write(_ log: PartitionLog, _ id: Int64, _ random: inout SeededRandom) throws {
    let key = "k\(Int.random(in: 0..<4, using: &random))"
    let offset = log.endOffset.value
    try log.write(["t\(offset)"], by: id, from: sequences[id, default: 0], keys: [key])
    sequences[id, default: 0] += 1
    open[id, default: []].append((key, offset, "t\(offset)"))
  }

  mutating func writePlain(_ log: PartitionLog) throws {
    let offset = log.endOffset.value
    try log.put(Make.batch(["p\(offset)"], keys: ["k0"]))
    committed["k0"] = (offset, "p\(offset)")
    everCommitted.insert("p\(offset)")
  }

  mutating func end(_ log: PartitionLog, _ id: Int64, committed isCommit: Bool) throws {
    let marker = try log.end(id, committed: isCommit).baseOffset.value
    if !isCommit, open[id] != nil { abortMarkers.insert(marker) }
    for record in open.removeValue(forKey: id) ?? [] where isCommit {
      everCommitted.insert(record.value)
      if committed[record.key].map({ $0.offset < record.offset }) ?? true {
        committed[record.key] = (record.offset, record.value)
      }
    }
  }

  func check(_ log: PartitionLog) throws {
    let first = open.values.compactMap { $0.first?.offset }.min()
    #expect(log.firstOpenTransaction?.value == first)
    let stable = log.lastStableOffset(below: log.endOffset)
    let values = Set(try log.committedValues(below: stable))
    for (key, last) in committed where last.offset < stable.value {
      #expect(values.contains(last.value), "the last value of \(key) at \(last.offset)")
    }
    #expect(values.isSubset(of: everCommitted), "something that was taken back is seen")
    // An entry without its marker would hide what the producer writes later.
    let markers = try log.everything().compactMap { bytes -> Int64? in
      let header = try bytes.withUnsafeBytes { try RecordBatchHeader($0) }
      return header.attributes.isControl ? header.baseOffset.value : nil
    }
    let entries = try log.abortedTransactions(from: .zero, to: log.endOffset).map(\.lastOffset.value)
    #expect(entries == markers.filter { abortMarkers.contains($0) })
  }
}
