import Glibc
import SimulatedWorld
import Testing
import Vocabulary

@testable import LogStorage

@Suite struct StorageRegressionTests {
  @Test(arguments: [false, true])
  func whatIsAppendedAfterACleanStartCountsForRetentionAfterTheNext(rolls: Bool) throws {
    let disk = SimulatedDisk(seed: 1)
    var settings = LogSettings()
    settings.retentionSpan = .seconds(3600)
    settings.segmentSpan = .seconds(1_000_000)
    let first = try Make.log(disk, settings)
    try first.put(Make.batch(["old"], at: 1000), now: 1000)
    first.close()
    let second = try Make.log(disk, settings)
    try second.put(Make.batch(["young"], at: 90_000_000), now: 90_000_000)
    if rolls {
      settings.segmentSpan = .zero
      second.update(settings)
      _ = try second.rollIfDue(now: Timestamp(milliseconds: 90_000_001))
      #expect(second.segmentCount == 2)
    }
    second.close()
    let third = try Make.log(disk, settings, now: 90_001_000)
    let removed = try third.applyRetention(now: Timestamp(milliseconds: 90_001_000), highWatermark: third.endOffset)
    #expect(removed.isEmpty)
    #expect(try third.values() == ["old", "young"])
    #expect(try third.offset(forTimestamp: Timestamp(milliseconds: 2000))?.offset == Offset(1))
  }

  @Test func aCleaningThatOutlivesItsLogLeavesTheNextLogOfThatNameAlone() throws {
    let disk = SimulatedDisk(seed: 2)
    let old = try Make.log(disk, CleanerTests.settings())
    for n in 0..<40 { try old.put(Make.batch(["old \(n)"], keys: ["k\(n % 3)"])) }
    try old.flush()
    let round = try old.cleaningRound(from: .zero, upTo: old.endOffset, now: Timestamp(milliseconds: 5000))
    old.abandon()
    try disk.rename("data/orders-0", to: "data/orders-0.gone-delete")
    let new = try Make.log(disk, CleanerTests.settings())
    for n in 0..<40 { try new.put(Make.batch(["new \(n)"], keys: ["k\(n % 3)"])) }
    try new.flush()
    let expected = try new.values()
    let keys = KeyOffsets(bytes: 10_000, keys: 10)
    var transactions = CleanedTransactions()
    let group = try #require(round.groups(settings: CleanerTests.settings()).first)
    #expect(throws: StorageError.self) {
      _ = try SegmentRewrite(
        log: old, segments: group, keys: keys, producers: [:], now: Timestamp(milliseconds: 5000),
        decodedBytesMax: .mebibytes(1)
      ).run(&transactions)
    }
    #expect(throws: StorageError.self) {
      _ = try old.read(from: .zero, maxBytes: 1000, upTo: Offset(40), minimum: .oneBatch)
    }
    new.close()
    #expect(try Make.log(disk, CleanerTests.settings()).values() == expected)
  }

  @Test func aTopicOfTheSameNameDoesNotInheritACheckpoint() throws {
    let disk = SimulatedDisk(seed: 3)
    let identity = DirectoryIdentity(clusterID: "c", nodeID: NodeID(1), directoryID: UniqueID(high: 5, low: 6))
    func directory() throws(DirectoryRefusal) -> LogDirectory {
      try LogDirectory.open(disk: disk, openFiles: OpenFiles(limit: 64), path: "logs", expected: identity)
    }
    var owner: LogDirectory? = try directory()
    try owner?.save(.logStarts, [Make.partition: Offset(100)])
    try owner?.save(.recoveryPoints, [Make.partition: Offset(500)])
    owner = nil
    owner = try directory()
    let log = try #require(
      try owner?.openLog(Make.partition, topicID: Make.topicID, settings: LogSettings(), now: .none))
    #expect(log.startOffset == .zero && log.endOffset == .zero)
    try owner?.forget([Make.partition])
    try log.put(Make.batch(["new"]))
    try log.flush()
    log.abandon()
    owner = nil
    let again = try directory()
    #expect(again.logStarts.isEmpty && again.recoveryPoints.isEmpty)
    let reopened = try again.openLog(Make.partition, topicID: Make.topicID, settings: LogSettings(), now: .none)
    #expect(try reopened.values() == ["new"])
  }
}
