import EventLoop
import LogStorage
import SimulatedWorld
import Testing
import Vocabulary

@testable import Broker

@Suite struct EarlyStopTests {
  private let orders = TopicPartition(TopicName("orders")!, PartitionIndex(0))

  private func directory(on disk: SimulatedDisk) throws -> LogDirectory {
    try LogDirectory.open(
      disk: disk, openFiles: OpenFiles(limit: 16), path: "data",
      expected: DirectoryIdentity(clusterID: "c", nodeID: NodeID(1), directoryID: UniqueID(high: 1, low: 1)))
  }

  /// A process that ends in order before it has opened its logs. True when it leaves everything in order.
  private func stopEarly(_ directory: LogDirectory) throws -> Bool {
    let pool = try BlockingPool(threads: 1, name: "early")
    defer { pool.stop() }
    let metadata = try directory.openLog(
      TopicPartition(.clusterMetadata, PartitionIndex(0)), topicID: .zero, settings: LogSettings(),
      now: Timestamp(milliseconds: 1000))
    defer { directory.release() }
    return !Storage(LogDirectories(directory), pool: pool) { _, _ in }.close(alsoClosing: metadata).isEmpty
  }

  @Test func aBrokerThatStopsBeforeItHasRecoveredLeavesItsLogsToBeRecovered() throws {
    let disk = SimulatedDisk(seed: 1)
    let crashed = try directory(on: disk)
    try crashed.save(.recoveryPoints, [orders: Offset(5)])
    try crashed.save(.highWatermarks, [orders: Offset(7)])
    crashed.release()
    #expect(try !stopEarly(directory(on: disk)))
    let next = try directory(on: disk)
    #expect(next.recoveryPoints == [orders: Offset(5)] && next.highWatermarks == [orders: Offset(7)])
  }

  @Test func aBrokerThatStopsBeforeItHasOpenedLogsThatWereInOrderLeavesThemSo() throws {
    let disk = SimulatedDisk(seed: 1)
    let ended = try directory(on: disk)
    try ended.markClean(epoch: 3)
    ended.release()
    #expect(try stopEarly(directory(on: disk)))
  }
}
