import KafkaProtocol
import SimulatedWorld
import Testing
import Vocabulary

@testable import LogStorage

/// Several producers, markers, truncations, restarts and power cuts: what a log knows of its transactions is at every
/// moment what a scan of the log says.
@Suite struct TransactionModelTests {
  @Test(arguments: 0..<24 as Range<UInt64>)
  func whatIsKnownOfTransactionsIsWhatTheLogSays(seed: UInt64) throws {
    var run = try TransactionRun(seed: seed)
    try run.run(steps: 120)
    #expect(run.looks > 100)
  }

  @Test(arguments: 0..<10 as Range<UInt64>)
  func aPowerCutAtAnyEffectLeavesAnIndexThatTellsTheTruth(seed: UInt64) throws {
    var whole = try TransactionRun(seed: seed)
    try whole.run(steps: 40)
    for cut in stride(from: Int(seed % 7), to: whole.disk.effects, by: 7) {
      var run = try TransactionRun(seed: seed, cut: cut)
      do { try run.run(steps: 40) } catch is StorageError {}
      try run.recover()
      try run.run(steps: 15)
    }
  }

  /// Recovery believes whole segments below a recovery point that was written down before the log was cut.
  @Test(arguments: 0..<8 as Range<UInt64>)
  func whatGrowsAnewBelowAnOldRecoveryPointIsDurableOnceItsSegmentIsFull(seed: UInt64) throws {
    let disk = SimulatedDisk(seed: seed)
    let log = try Make.log(disk)
    for n in 0..<40 { try log.put(Make.batch(["plain \(n)"])) }
    let point = try log.flush()
    try log.truncate(to: Offset(2))
    try log.write(["t"], by: 4)
    try log.end(4, committed: false)
    try log.rollNow(now: Timestamp(milliseconds: 2_000))
    disk.cutPower()
    disk.restorePower()
    let again = try Make.log(disk, recovery: .afterCrash(recoveryPoint: point))
    #expect(again.endOffset == Offset(4))
    #expect(try again.abortedTransactions(from: .zero, to: Offset(4)).map(\.lastOffset) == [Offset(3)])
  }
}

struct TransactionRun {
  let disk: SimulatedDisk
  var random: SeededRandom
  var settings = LogSettings()
  var log: PartitionLog
  var highWatermark: Int64 = 0
  var recoveryPoint = Offset.zero
  var looks = 0
  private let producers: [Int64] = [3, 4, 5, 6]
  private let plain: Int64 = 9

  init(seed: UInt64, cut: Int? = nil) throws {
    disk = SimulatedDisk(seed: seed &* 7_919 &+ UInt64(cut ?? 0))
    random = SeededRandom(seed: seed)
    settings.segmentBytes = ByteCount(700)
    settings.indexInterval = ByteCount(100)
    log = try Make.log(disk, settings)
    disk.cutPower(atEffect: cut)
  }

  mutating func run(steps: Int) throws {
    for _ in 0..<steps {
      try step()
      try look()
    }
  }

  /// The power comes back, and fails once more while the log recovers.
  mutating func recover() throws {
    for round in 0..<2 {
      disk.cutPower()
      disk.restorePower()
      if round == 0 { disk.cutPower(atEffect: disk.effects + Int.random(in: 0..<8, using: &random)) }
      do throws(StorageError) {
        log = try Make.log(disk, settings, recovery: .afterCrash(recoveryPoint: recoveryPoint))
      } catch {
        guard round == 0 else { throw error }
      }
    }
    highWatermark = log.endOffset.value
    try look()
  }

  private mutating func step() throws {
    let producer = producers.randomElement(using: &random) ?? 3
    switch Int.random(in: 0..<30, using: &random) {
    case 0..<11: try write(producer)
    case 11..<17: try end(producer)
    case 17..<19: try log.put(Make.batch(["plain"]))
    case 19..<23: highWatermark = Int64.random(in: highWatermark...log.endOffset.value, using: &random)
    case 23..<26:
      let synced = try log.flush()
      if Bool.random(using: &random) { recoveryPoint = synced }
    case 26: try truncate()
    case 27: try log.rollNow(now: Timestamp(milliseconds: 2_000))
    default: try restart()
    }
  }

  private mutating func write(_ id: Int64) throws {
    let known = log.activeProducers.first { $0.id.value == id }
    let sequence = (known?.lastSequence ?? -1) + 1
    let values = (0..<Int.random(in: 1...3, using: &random)).map { "\(id).\(log.endOffset.value).\($0)" }
    try log.write(values, by: id, epoch: known?.epoch.value ?? 0, from: sequence)
  }

  /// A transaction that timed out is taken back with a newer epoch.
  private mutating func end(_ id: Int64) throws {
    let known = log.activeProducers.first { $0.id.value == id }
    let bumps = Int.random(in: 0..<5, using: &random) == 0
    try log.end(
      id, committed: !bumps && Bool.random(using: &random), epoch: (known?.epoch.value ?? 0) + (bumps ? 1 : 0),
      coordinator: known?.coordinatorEpoch ?? 0)
  }

  private mutating func truncate() throws {
    let target = Int64.random(in: max(0, log.endOffset.value - 30)...log.endOffset.value, using: &random)
    // The recovery point that was written down stays where it is.
    let end = try log.truncate(to: Offset(target))
    highWatermark = min(highWatermark, end.value)
  }

  private mutating func restart() throws {
    if Bool.random(using: &random) {
      guard case .clean = log.close() else { throw StorageError(.write, "", .invalid("the power failed")) }
      recoveryPoint = log.endOffset
      log = try Make.log(disk, settings)
    } else {
      log.abandon()
      log = try Make.log(disk, settings, recovery: .afterCrash(recoveryPoint: recoveryPoint))
    }
    // What a snapshot covers counts as committed.
    highWatermark = log.endOffset.value
  }

  private mutating func look() throws {
    let truth = try TransactionTruth(log)
    let end = log.endOffset.value
    looks += 1
    #expect(log.firstOpenTransaction?.value == truth.open.values.min())
    let stable = log.lastStableOffset(below: Offset(highWatermark))
    #expect(stable.value == truth.lastStable(below: highWatermark), "high watermark \(highWatermark)")
    try #require(try log.abortedTransactions(from: .zero, to: Offset(end)) == truth.aborted)
    let from = Int64.random(in: 0...end, using: &random)
    let to = Int64.random(in: from...end, using: &random)
    #expect(try log.abortedTransactions(from: Offset(from), to: Offset(to)) == truth.aborted(from: from, to: to))
    #expect(
      try log.committedValues(below: stable) == truth.committed.filter { $0.offset < stable.value }.map(\.value))
    checkFiles(truth)
  }

  private func checkFiles(_ truth: TransactionTruth) {
    var found: [AbortedTransaction] = []
    for name in disk.peekNames(in: "data/orders-0").sorted() where name.hasSuffix(".txnindex") {
      let entries = disk.peek("data/orders-0/\(name)").flatMap(TransactionIndexFiles.decode)
      #expect(entries?.isEmpty == false, "\(name)")
      found += entries ?? []
    }
    #expect(found == truth.aborted)
  }
}
