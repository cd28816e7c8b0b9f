import SimulatedWorld
import Testing
import Vocabulary

@testable import LogStorage

@Suite struct RetentionTests {
  private func log(
    _ disk: SimulatedDisk, batches: Int = 20, _ change: (inout LogSettings) -> Void
  ) throws -> (log: PartitionLog, settings: LogSettings) {
    var settings = LogSettings()
    settings.segmentBytes = ByteCount(100)
    change(&settings)
    let log = try Make.log(disk, settings)
    for n in 0..<batches { try log.put(Make.batch(["\(n)"], at: 1_000 + Int64(n) * 100)) }
    return (log, settings)
  }

  @Test func segmentsGoWhenTheirLastRecordIsTooOldEvenTheActiveOne() throws {
    let disk = SimulatedDisk(seed: 1)
    let (log, settings) = try log(disk) { $0.retentionSpan = .milliseconds(1_000) }
    let removed = try log.applyRetention(now: Timestamp(milliseconds: 2_550), highWatermark: log.endOffset)
    #expect(removed == (0..<6).map { Offset($0) })
    #expect(log.startOffset == Offset(6))
    #expect(try log.applyRetention(now: Timestamp(milliseconds: 9_999), highWatermark: Offset(10)).count == 4)
    _ = try log.applyRetention(now: Timestamp(milliseconds: 9_999), highWatermark: log.endOffset)
    #expect(log.startOffset == Offset(20) && log.endOffset == Offset(20) && log.segmentCount == 1)
    #expect(try log.put(Make.batch(["next"])).baseOffset == Offset(20))
    log.close()
    let again = try Make.log(disk, settings)
    #expect(again.startOffset == Offset(20) && again.endOffset == Offset(21))
  }

  @Test func theOldestSegmentsGoUntilTheRestFits() throws {
    let (log, _) = try log(SimulatedDisk(seed: 2)) {
      $0.retentionSpan = nil
      $0.retentionBytes = ByteCount(75 * 5)
    }
    #expect(log.size.value > 75 * 5)
    _ = try log.applyRetention(now: Timestamp(milliseconds: 9_999), highWatermark: log.endOffset)
    #expect(log.size.value >= 75 * 5 && log.size.value < 75 * 6)
    #expect(try log.values().last == "19")
  }

  @Test func aCompactedLogKeepsItsOldRecords() throws {
    let (log, _) = try log(SimulatedDisk(seed: 3)) {
      $0.cleanup = .compact
      $0.retentionSpan = .milliseconds(1)
    }
    #expect(try log.applyRetention(now: Timestamp(milliseconds: 1 << 40), highWatermark: log.endOffset).isEmpty)
    #expect(log.startOffset == .zero)
  }

  @Test func deletedRecordsStayDeletedAfterACrash() throws {
    let disk = SimulatedDisk(seed: 4)
    let (log, settings) = try log(disk) { _ in }
    try log.flush()
    #expect(try log.deleteRecords(before: Offset(21)) == nil)
    #expect(try log.deleteRecords(before: Offset(7)) == Offset(7))
    #expect(try log.deleteRecords(before: Offset(3)) == Offset(7))
    disk.cutPower()
    disk.restorePower()
    let again = try Make.log(disk, settings, recovery: .afterCrash(recoveryPoint: .zero))
    #expect(again.startOffset == Offset(7))
    #expect(try again.values() == (7..<20).map { "\($0)" })
    guard case .outOfRange = try again.read(from: Offset(6), maxBytes: 1, upTo: again.endOffset, minimum: .oneBatch)
    else {
      Issue.record("a deleted record was read")
      return
    }
  }

  @Test func whatWasCutOffIsReplacedAndItsEpochsGo() throws {
    let disk = SimulatedDisk(seed: 5)
    let (log, settings) = try log(disk) { _ in }
    try log.put(Make.batch(["x"]), epoch: 4)
    #expect(log.leaderEpochs.latest == LeaderEpoch(4))
    #expect(try log.truncate(to: Offset(8)) == Offset(8))
    #expect(log.leaderEpochs.latest == LeaderEpoch(1))
    try log.put(Make.batch(["new"]), epoch: 5)
    #expect(log.leaderEpochs.end(of: LeaderEpoch(4), logEnd: log.endOffset)?.epoch == LeaderEpoch(1))
    #expect(log.leaderEpochs.end(of: LeaderEpoch(4), logEnd: log.endOffset)?.end == Offset(8))
    #expect(log.leaderEpochs.end(of: LeaderEpoch(6), logEnd: log.endOffset) == nil)
    log.close()
    let again = try Make.log(disk, settings)
    #expect(try again.values() == (0..<8).map { "\($0)" } + ["new"])
    #expect(again.leaderEpochs == log.leaderEpochs)
    try again.restart(at: Offset(100), now: Timestamp(milliseconds: 1))
    #expect(again.startOffset == Offset(100) && again.endOffset == Offset(100))
    #expect(try again.put(Make.batch(["far"])).baseOffset == Offset(100))
  }

  @Test func anOldActiveSegmentIsRolled() throws {
    let (log, _) = try log(SimulatedDisk(seed: 6), batches: 1) { $0.segmentSpan = .milliseconds(500) }
    #expect(try !log.rollIfDue(now: Timestamp(milliseconds: 1_499)))
    #expect(try log.rollIfDue(now: Timestamp(milliseconds: 1_500)))
    #expect(try !log.rollIfDue(now: Timestamp(milliseconds: 9_500)))
    #expect(log.activeSegmentStart == log.endOffset)
  }
}
