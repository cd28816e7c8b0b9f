import SimulatedWorld
import Testing
import Vocabulary

@testable import LogStorage

/// A disk that fails stops the writes, says why, and leaves what was durable readable.
@Suite struct FailureTests {
  @Test func aFullDiskStopsWritesAndLeavesReads() throws {
    let disk = SimulatedDisk(seed: 1)
    let log = try Make.log(disk)
    try log.put(Make.batch(["kept"]))
    try log.flush()
    disk.limitSpace(to: 30)
    let error = #expect(throws: StorageError.self) { _ = try log.put(Make.batch(["lost"])) }
    #expect(error?.reason == .system(28) && error?.operation == .write)
    #expect(error?.path.hasSuffix("00000000000000000000.log") == true)
    disk.limitSpace(to: nil)
    #expect(throws: StorageError.self) { _ = try log.put(Make.batch(["refused"])) }
    #expect(throws: StorageError.self) { try log.flush() }
    #expect(log.failure == error)
    #expect(try log.values() == ["kept"])
    #expect(!log.close().isClean)
    let again = try Make.log(disk, recovery: .afterCrash(recoveryPoint: Offset(1)))
    #expect(try again.values() == ["kept"])
    #expect(try again.put(Make.batch(["next"])).baseOffset == Offset(1))
  }

  @Test func aFailedSyncIsNeverTriedAgain() throws {
    let disk = SimulatedDisk(seed: 2)
    let log = try Make.log(disk)
    try log.put(Make.batch(["a"]))
    disk.failNextSync()
    #expect(throws: StorageError.self) { try log.flush() }
    // The kernel would say yes to a second sync, although the pages are lost.
    #expect(throws: StorageError.self) { try log.flush() }
    #expect(log.syncedOffset == .zero)
    #expect(try log.values() == ["a"])
  }

  @Test func aFlippedBitEndsTheLogWhereItIs() throws {
    let disk = SimulatedDisk(seed: 3)
    let log = try Make.log(disk)
    for n in 0..<10 { try log.put(Make.batch(["value \(n)"])) }
    try log.flush()
    log.abandon()
    let file = "data/orders-0/00000000000000000000.log"
    let size = try #require(disk.peek(file)?.count)
    disk.damage(file) { $0[size / 2] ^= 4 }
    let again = try Make.log(disk, recovery: .afterCrash(recoveryPoint: .zero))
    #expect(try again.values() == (0..<again.endOffset.value).map { "value \($0)" })
    #expect(again.endOffset < Offset(6) && again.endOffset > Offset(3))
  }

  @Test(arguments: ["index", "timeindex"])
  func anIndexThatLiesOrIsLostIsNotBelieved(kind: String) throws {
    for damage in 0..<5 {
      let disk = SimulatedDisk(seed: 4)
      var settings = LogSettings()
      settings.segmentBytes = ByteCount(2_000)
      settings.indexInterval = ByteCount(100)
      let log = try Make.log(disk, settings)
      for n in 0..<100 { try log.put(Make.batch(["value \(n)"], at: 1_000 + Int64(n))) }
      log.close()
      for name in try disk.list("data/orders-0") where name.hasSuffix(".\(kind)") {
        disk.damage("data/orders-0/\(name)") { bytes in
          switch damage {
          case 0: bytes = []
          case 1: bytes = Array(bytes.dropLast(3))
          case 3: bytes = Array(bytes.dropFirst(kind == "index" ? 8 : 12).enumerated().map { $1 })
          case 2: for place in bytes.indices where place % 4 == 3 { bytes[place] ^= 0x15 }
          default: bytes = bytes.map { _ in 0 }
          }
        }
      }
      let again = try Make.log(disk, settings)
      #expect(try again.values() == (0..<100).map { "value \($0)" })
      for offset in 0..<100 as Range<Int64> {
        let outcome = try again.read(from: Offset(offset), maxBytes: 1, upTo: again.endOffset, minimum: .oneBatch)
        guard case .slice(let slice) = outcome else {
          Issue.record("nothing at \(offset)")
          continue
        }
        #expect(slice.firstBatchBaseOffset == Offset(offset), "damage \(damage)")
        let found = try again.offset(forTimestamp: Timestamp(milliseconds: 1_000 + offset))
        #expect(found?.offset == Offset(offset), "damage \(damage)")
      }
    }
  }

  @Test func aFolderOfAnotherTopicIsRefused() throws {
    let disk = SimulatedDisk(seed: 5)
    try Make.log(disk).close()
    #expect(throws: StorageError.self) {
      _ = try PartitionLog.open(
        disk: disk, openFiles: OpenFiles(limit: 16), directory: "data/orders-0", topicPartition: Make.partition,
        topicID: UniqueID(high: 1, low: 1), settings: LogSettings(), recovery: .clean, now: .none)
    }
  }

  @Test func aLackOfDescriptorsPassesBy() throws {
    let disk = SimulatedDisk(seed: 7)
    var settings = LogSettings()
    settings.segmentBytes = ByteCount(150)
    let log = try Make.log(disk, settings)
    disk.lacksDescriptors(true)
    #expect(throws: StorageError.self) { _ = try log.put(Make.batch(["first"])) }
    disk.lacksDescriptors(false)
    for n in 0..<6 {
      try log.put(Make.batch(["\(n)"]))
      disk.lacksDescriptors(true)
      // Either the segment is open and has room, or it fails and nothing has changed.
      let end = log.endOffset
      do { try log.put(Make.batch(["more"])) } catch is StorageError { #expect(log.endOffset == end) }
      _ = try? log.flush()
      disk.lacksDescriptors(false)
    }
    #expect(log.failure == nil)
    try log.flush()
    let values = try log.values()
    #expect(values.count == Int(log.endOffset.value))
    log.close()
    #expect(try Make.log(disk, settings).values() == values)
  }

  @Test func fewOpenFilesServeManyPartitions() throws {
    let disk = SimulatedDisk(seed: 6)
    let files = OpenFiles(limit: 16)
    let logs = try (0..<100).map { try Make.log(disk, directory: "data/orders-\($0)", files: files) }
    #expect(files.count == 0, "a log that nobody uses holds no file")
    for round in 0..<3 {
      for log in logs { try log.put(Make.batch(["round \(round)"])) }
      #expect(files.count <= 16)
    }
    for log in logs { #expect(try log.values() == ["round 0", "round 1", "round 2"]) }
    for log in logs { log.close() }
    #expect(files.count == 0)
  }
}
