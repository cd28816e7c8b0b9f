import SimulatedWorld
import Testing
import Vocabulary

@testable import LogStorage

/// A disk on which somebody removes indexes between the look for one and its opening, as a compacted segment does that
/// takes its predecessors' place.
private struct VanishingDisk: Disk {
  let inner: SimulatedDisk

  func open(_ path: String) throws(StorageError) -> any DiskFile {
    if path.hasSuffix("index") { try inner.unlink(path) }
    return try inner.open(path)
  }
  func create(_ path: String) throws(StorageError) -> any DiskFile { try inner.create(path) }
  func size(of path: String) throws(StorageError) -> Int64? { try inner.size(of: path) }
  func rename(_ path: String, to newPath: String) throws(StorageError) { try inner.rename(path, to: newPath) }
  func unlink(_ path: String) throws(StorageError) { try inner.unlink(path) }
  func list(_ path: String) throws(StorageError) -> [String] { try inner.list(path) }
  func createDirectory(_ path: String) throws(StorageError) { try inner.createDirectory(path) }
  func removeDirectory(_ path: String) throws(StorageError) { try inner.removeDirectory(path) }
  func syncDirectory(_ path: String) throws(StorageError) { try inner.syncDirectory(path) }
  func lock(_ path: String) throws(StorageError) -> (any DiskLock)? { try inner.lock(path) }
}

@Suite struct VanishingIndexTests {
  private func log() throws -> PartitionLog {
    let log = try Make.log(VanishingDisk(inner: SimulatedDisk(seed: 1)), CleanerTests.settings())
    for n in 0..<40 { try log.put(Make.batch(["v\(n)"], keys: ["k\(n)"])) }
    #expect(log.segmentCount > 2)
    return log
  }

  @Test func aFlushNeedsNoIndexThatIsBeingReplaced() throws {
    let log = try log()
    #expect(try log.flush() == Offset(40))
    #expect(log.failure == nil)
  }

  @Test func aReaderWalksWhereAnIndexHasJustGone() throws {
    let log = try log()
    #expect(try log.values() == (0..<40).map { "v\($0)" })
    #expect(try log.offset(forTimestamp: Timestamp(milliseconds: 1))?.offset == .zero)
    #expect(log.failure == nil)
  }
}
