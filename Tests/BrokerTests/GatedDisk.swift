import EventLoop
import LogStorage
import SimulatedWorld
import Synchronization

/// A simulated disk whose syncs of segments are counted, and held back for as long as a test wants.
final class GatedDisk: Disk {
  let inner: SimulatedDisk
  /// The number of each sync of a segment, as it begins.
  let began = Events<Int>()
  private let permits: Semaphore
  private let state = Mutex((syncs: 0, isClosed: false))

  init(seed: UInt64 = 1) throws {
    inner = SimulatedDisk(seed: seed)
    permits = try Semaphore()
  }

  var syncs: Int { state.withLock { $0.syncs } }

  /// From now on each sync waits for a permit.
  func close() { state.withLock { $0.isClosed = true } }

  /// Lets one sync go on: one that waits, or the next.
  func permitOne() { permits.signal() }

  fileprivate func syncing(_ path: String) {
    guard path.hasSuffix(".log") else { return }
    let (number, isClosed) = state.withLock { state in
      state.syncs += 1
      return (state.syncs, state.isClosed)
    }
    began.add(number)
    if isClosed { permits.wait() }
  }

  func open(_ path: String) throws(StorageError) -> any DiskFile { GatedFile(try inner.open(path), path, self) }
  func create(_ path: String) throws(StorageError) -> any DiskFile { GatedFile(try inner.create(path), path, self) }
  func size(of path: String) throws(StorageError) -> Int64? { try inner.size(of: path) }
  func rename(_ path: String, to newPath: String) throws(StorageError) { try inner.rename(path, to: newPath) }
  func unlink(_ path: String) throws(StorageError) { try inner.unlink(path) }
  func list(_ path: String) throws(StorageError) -> [String] { try inner.list(path) }
  func createDirectory(_ path: String) throws(StorageError) { try inner.createDirectory(path) }
  func removeDirectory(_ path: String) throws(StorageError) { try inner.removeDirectory(path) }
  func syncDirectory(_ path: String) throws(StorageError) { try inner.syncDirectory(path) }
  func lock(_ path: String) throws(StorageError) -> (any DiskLock)? { try inner.lock(path) }
}

private final class GatedFile: DiskFile {
  private let inner: any DiskFile
  private let path: String
  private let disk: GatedDisk

  init(_ inner: any DiskFile, _ path: String, _ disk: GatedDisk) {
    self.inner = inner
    self.path = path
    self.disk = disk
  }

  var descriptor: Int32 { inner.descriptor }
  func size() throws(StorageError) -> Int64 { try inner.size() }
  func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int64) throws(StorageError) -> Int {
    try inner.read(into: buffer, at: position)
  }
  func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws(StorageError) {
    try inner.write(bytes, at: position)
  }
  func truncate(to size: Int64) throws(StorageError) { try inner.truncate(to: size) }
  func syncData() throws(StorageError) {
    disk.syncing(path)
    try inner.syncData()
  }
}
