import KafkaProtocol
import SimulatedWorld
import Testing
import Vocabulary

@testable import LogStorage

/// What the power may do to a log: cut before every single effect of a workload, again during recovery, with
/// the writes that were not synced lost or torn.
@Suite struct CrashTests {
  @Test(arguments: 0..<12 as Range<UInt64>)
  func aPowerCutAtAnyEffectLosesNothingThatWasFlushed(seed: UInt64) throws {
    let total = try CrashRun.run(seed: seed, cut: nil).effects
    #expect(total > 60)
    // Each seed takes every fourth effect; together they meet all kinds.
    for cut in stride(from: Int(seed % 4), to: total, by: 4) {
      let failures = try CrashRun.run(seed: seed, cut: cut).failures
      #expect(failures.isEmpty, "seed \(seed), cut \(cut): \(failures.joined(separator: "\n"))")
      if !failures.isEmpty { return }
    }
  }

  /// Seeds that once found something: a hole below a recovery point that was written down before a truncation,
  /// and a truncation into the batch that holds the log's start.
  @Test(arguments: [1006, 1007, 1011] as [UInt64])
  func whatWasFoundOnceIsNotFoundAgain(seed: UInt64) throws {
    let total = try CrashRun.run(seed: seed, cut: nil).effects
    for cut in 0..<total {
      let failures = try CrashRun.run(seed: seed, cut: cut).failures
      #expect(failures.isEmpty, "seed \(seed), cut \(cut): \(failures.joined(separator: "\n"))")
      if !failures.isEmpty { return }
    }
  }

  /// The tests above could pass because it sees nothing: with a disk that forgets to sync it must fail.
  @Test(arguments: [SimulatedDisk.Bug.ignoresSyncData, .ignoresSyncDirectory])
  func aDiskThatDoesNotSyncIsFoundOut(bug: SimulatedDisk.Bug) throws {
    var found = 0
    for seed in 0..<12 as Range<UInt64> where found == 0 {
      let total = try CrashRun.run(seed: seed, cut: nil).effects
      for cut in stride(from: 0, to: total, by: 3) {
        found += try CrashRun.run(seed: seed, cut: cut, bug: bug).failures.isEmpty ? 0 : 1
      }
    }
    #expect(found > 0)
  }
}

/// One workload, one power cut, and what must be true afterwards.
struct CrashRun {
  let disk: SimulatedDisk
  let cut: Int?
  var random: SeededRandom
  let settings: LogSettings
  /// What the log should hold: each batch by its base offset.
  var model: [(base: Int64, bytes: [UInt8])] = []
  var end: Int64 = 0
  var start: Int64 = 0
  var synced: Int64 = 0
  /// A checkpoint that was written some time ago.
  var recoveryPoint: Int64 = 0
  /// A truncation that was under way: either end is right.
  var pendingEnd: Int64?
  var pendingStart: Int64?
  var failures: [String] = []
  var nextValue = 0
  var sequence: Int32 = 0
  var producerEpoch: Int16 = 0
  /// What was done, for whoever has to understand a failure.
  var story: [String] = []

  init(seed: UInt64, cut: Int?, bug: SimulatedDisk.Bug = .none) {
    disk = SimulatedDisk(seed: seed &* 1_000_003 &+ UInt64(cut ?? 0), bug: bug)
    self.cut = cut
    random = SeededRandom(seed: seed)
    var settings = LogSettings()
    settings.segmentBytes = ByteCount(500)
    settings.indexInterval = ByteCount(150)
    self.settings = settings
  }

  static func run(
    seed: UInt64, cut: Int?, bug: SimulatedDisk.Bug = .none
  ) throws -> (effects: Int, failures: [String]) {
    var run = CrashRun(seed: seed, cut: cut, bug: bug)
    return try run.run()
  }

  private mutating func run() throws -> (effects: Int, failures: [String]) {
    try disk.createDirectory("data")
    disk.cutPower(atEffect: cut)
    do {
      var log = try Make.log(disk, settings)
      for _ in 0..<60 { try step(&log) }
      _ = log.close()
    } catch {}
    let effects = disk.effects
    guard cut != nil else { return (effects, []) }
    disk.cutPower()
    disk.restorePower()
    // The power may fail again while the log recovers.
    disk.cutPower(atEffect: disk.effects + Int.random(in: 0..<12, using: &random))
    _ = try? reopen()
    disk.cutPower()
    disk.restorePower()
    do {
      let log = try reopen()
      try check(log)
      try goOn(log)
    } catch {
      failures.append("the log does not open: \(error)")
    }
    if !failures.isEmpty { failures.append(story.suffix(20).joined(separator: ", ")) }
    return (effects, failures)
  }

  private func reopen() throws -> PartitionLog {
    try Make.log(disk, settings, recovery: .afterCrash(recoveryPoint: Offset(recoveryPoint)))
  }

  private mutating func step(_ log: inout PartitionLog) throws {
    switch Int.random(in: 0..<20, using: &random) {
    case 0..<12: try append(log)
    case 12..<16:
      synced = try log.flush().value
      story.append("flushed to \(synced)")
      if Bool.random(using: &random) { recoveryPoint = synced }
    case 16:
      let target = Int64.random(in: start...end, using: &random)
      // A batch that the target falls into goes as a whole.
      pendingEnd = model.last { $0.base <= target }?.base ?? target
      story.append("truncate \(target)")
      let new = try log.truncate(to: Offset(target)).value
      story.append("truncated to \(new)")
      pendingEnd = nil
      model.removeAll { $0.base >= new }
      end = new
      synced = min(synced, new)
    case 17:
      let target = Int64.random(in: start...end, using: &random)
      pendingStart = target
      story.append("delete before \(target)")
      _ = try log.deleteRecords(before: Offset(target))
      pendingStart = nil
      start = max(start, target)
    case 18:
      guard log.close().isClean else { throw StorageError(.write, "", .invalid("the power failed")) }
      recoveryPoint = end
      synced = end
      story.append("closed at \(end)")
      log = try Make.log(disk, settings)
    default:
      try log.flush(.rolledSegments)
    }
  }

  private mutating func append(_ log: PartitionLog) throws {
    let count = Int.random(in: 1...4, using: &random)
    let values = (0..<count).map { "value \(nextValue).\($0)" + String(repeating: "x", count: nextValue % 90) }
    nextValue += 1
    let stamp = ProducerStamp(id: ProducerID(5), epoch: ProducerEpoch(producerEpoch), baseSequence: sequence)
    let isIdempotent = Bool.random(using: &random)
    let bytes = Make.batch(values, producer: isIdempotent ? stamp : .none)
    // What the log should hold goes into the model first: the write may reach the disk although the power fails.
    var expected = bytes
    expected.withUnsafeMutableBytes {
      RecordBatchEdit.setBaseOffset(Offset(end), in: $0)
      RecordBatchEdit.setLeaderEpoch(LeaderEpoch(1), in: $0)
    }
    model.append((end, expected))
    story.append("append at \(end)")
    switch try log.tryPut(bytes) {
    case .success(let appended):
      if appended.isDuplicate || appended.baseOffset.value != end { failures.append("a wrong offset") }
      end = appended.endOffset.value
      if isIdempotent { sequence += Int32(count) }
    case .failure:
      // A truncation took the producer's last batches away: it starts again with a new epoch.
      model.removeLast()
      sequence = 0
      producerEpoch += 1
    }
  }

  private mutating func check(_ log: PartitionLog) throws {
    let oldestEnd = min(synced, pendingEnd ?? synced)
    if log.endOffset.value < oldestEnd { failures.append("the log ends at \(log.endOffset.value), synced \(synced)") }
    if log.startOffset.value < start { failures.append("the start went back to \(log.startOffset.value)") }
    if log.startOffset.value > max(start, pendingStart ?? start), log.startOffset.value > synced {
      failures.append("the start went on to \(log.startOffset.value)")
    }
    var next: Int64?
    for bytes in try log.everything() {
      let header = try bytes.withUnsafeBytes { try RecordBatchHeader($0) }
      if let next, header.baseOffset.value != next { failures.append("a hole before \(header.baseOffset.value)") }
      next = header.nextOffset.value
      guard model.last(where: { $0.base == header.baseOffset.value })?.bytes == bytes else {
        failures.append("offset \(header.baseOffset.value) holds what was never there")
        continue
      }
    }
    if let next, next != log.endOffset.value { failures.append("the log ends at \(log.endOffset.value), not \(next)") }
  }

  /// The recovered log works on, and comes back from a clean stop.
  private mutating func goOn(_ log: PartitionLog) throws {
    let before = try log.everything()
    try log.put(Make.batch(["after the crash"]))
    guard log.close().isClean else { return failures.append("it does not close") }
    let again = try Make.log(disk, settings)
    if try again.everything().dropLast() != before[...] { failures.append("the clean restart shows something else") }
    again.close()
  }
}
