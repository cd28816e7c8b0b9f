import Glibc
import SimulatedWorld
import Testing
import Vocabulary

@testable import LogStorage

@Suite struct LogDirectoryTests {
  private let mine = DirectoryIdentity(
    clusterID: "the-cluster", nodeID: NodeID(3), directoryID: UniqueID(high: 5, low: 6))

  private func open(_ disk: any Disk, _ identity: DirectoryIdentity, path: String = "logs") throws(DirectoryRefusal)
    -> LogDirectory
  {
    try LogDirectory.open(disk: disk, openFiles: OpenFiles(limit: 64), path: path, expected: identity)
  }

  private func refusal(_ disk: any Disk, _ identity: DirectoryIdentity) -> String? {
    do throws(DirectoryRefusal) {
      _ = try open(disk, identity)
      return nil
    } catch {
      return error.description
    }
  }

  @Test func aFolderOfAnotherNodeOrClusterIsRefusedAndNothingChanges() throws {
    let disk = SimulatedDisk(seed: 1)
    _ = try open(disk, mine)
    let before = disk.effects
    let other = DirectoryIdentity(clusterID: "another", nodeID: NodeID(3), directoryID: mine.directoryID)
    #expect(refusal(disk, other)?.contains("the-cluster") == true)
    let node = DirectoryIdentity(clusterID: "the-cluster", nodeID: NodeID(4), directoryID: mine.directoryID)
    #expect(refusal(disk, node)?.contains("node.id 3") == true)
    #expect(disk.effects == before)
    let later = DirectoryIdentity(clusterID: "the-cluster", nodeID: NodeID(3), directoryID: UniqueID(high: 9, low: 9))
    #expect(try open(disk, later).identity == mine, "a directory keeps its own id")
  }

  @Test func aSecondProcessIsTurnedAway() throws {
    let disk = SimulatedDisk(seed: 2)
    let first = try open(disk, mine)
    #expect(refusal(disk, mine)?.contains("in use by another process") == true)
    _ = first.path
  }

  @Test func partitionsWithoutAnOwnerAreNotTaken() throws {
    let disk = SimulatedDisk(seed: 3)
    try disk.createDirectory("logs")
    try disk.createDirectory("logs/orders-0")
    _ = try disk.create("logs/orders-0")
    #expect(refusal(disk, mine)?.contains("orders-0") == true)
  }

  @Test func aCleanStopIsTrustedOnce() throws {
    let disk = SimulatedDisk(seed: 4)
    var directory: LogDirectory? = try open(disk, mine)
    let log = try directory!.openLog(Make.partition, topicID: Make.topicID, settings: LogSettings(), now: .none)
    try log.put(Make.batch(["a"]))
    log.close()
    for checkpoint in OffsetCheckpoint.allCases { try directory!.save(checkpoint, [Make.partition: Offset(1)]) }
    try directory!.markClean(epoch: -1)
    directory = nil
    directory = try open(disk, mine)
    #expect(directory!.wasStoppedCleanly)
    #expect(directory!.recoveryPoints == [Make.partition: Offset(1)])
    #expect(directory!.highWatermarks == [Make.partition: Offset(1)])
    directory = nil
    #expect(try !open(disk, mine).wasStoppedCleanly)
  }

  @Test func checkpointsAreKafkasTextAndAreNotBelievedWhenCutOff() throws {
    let offsets = [Make.partition: Offset(7), TopicPartition(TopicName("a")!, PartitionIndex(12)): Offset(1 << 40)]
    let bytes = OffsetCheckpoint.encode(offsets)
    #expect(String(decoding: bytes, as: UTF8.self) == "0\n2\na 12 1099511627776\norders 0 7\n")
    #expect(OffsetCheckpoint.decode(bytes) == offsets)
    for cut in 0..<bytes.count { #expect(OffsetCheckpoint.decode(Array(bytes.prefix(cut))) == nil) }
  }

  @Test func foldersAreReadBackAsPartitions() {
    #expect(TopicPartition(folder: "my-topic.x-12") == TopicPartition(TopicName("my-topic.x")!, PartitionIndex(12)))
    for name in ["orders", "orders-", "orders-x", "orders-01", "-1", "orders-0.abc-delete", "orders--1"] {
      let found = TopicPartition(folder: name)
      #expect(found == nil || found?.description == name)
      #expect(name == "orders--1" || found == nil)
    }
  }

  /// The same on the machine's own file system.
  @Test func theRealDiskKeepsWhatTheSimulatedOneKeeps() throws {
    var template = Array("/tmp/logs-XXXXXX".utf8CString)
    let path = try #require(
      template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!).map { String(cString: $0) } })
    let disk = FileDisk()
    let log: PartitionLog
    do {
      let directory = try open(disk, mine, path: path)
      #expect(throws: DirectoryRefusal.self) { _ = try open(disk, mine, path: path) }
      var settings = LogSettings()
      settings.segmentBytes = ByteCount(500)
      settings.cleanup = [.compact, .delete]
      log = try directory.openLog(Make.partition, topicID: Make.topicID, settings: settings, now: .none)
      for n in 0..<100 { try log.put(Make.batch(["v\(n)"], keys: ["k\(n % 9)"])) }
      #expect(try log.flush() == Offset(100))
      _ = try Cleaner().clean(log, from: .zero, upTo: log.endOffset, now: Timestamp(milliseconds: 1))
      _ = try log.truncate(to: Offset(99))
      let before = try log.everything()
      #expect(log.close().isClean)
      try directory.markClean(epoch: -1)
      #expect(try directory.partitions().map(\.topicID) == [Make.topicID])
      let again = try directory.openLog(Make.partition, topicID: Make.topicID, settings: settings, now: .none)
      #expect(try again.everything() == before)
      again.close()
      try directory.retire(Make.partition, unique: UniqueID(high: 1, low: 2))
      #expect(try directory.partitions().isEmpty)
      try directory.removeRetired()
      #expect(try disk.list(path).allSatisfy { !$0.hasSuffix("-delete") })
    }
    for name in try disk.list(path) { try disk.unlink("\(path)/\(name)") }
    try disk.removeDirectory(path)
  }
}
