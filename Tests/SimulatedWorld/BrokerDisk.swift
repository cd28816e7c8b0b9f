import LogStorage
import Synchronization
import Vocabulary

/// The disk as one life of a process sees it: with the process, everything that it does to its disk ends too, in the
/// middle of what it was doing if the seed wants it.
final class BrokerDisk: Disk {
  private struct State {
    /// How many effects are left until the process dies.
    var effectsLeft: Int?
    var death = BrokerDeath.killed
  }
  private let disk: SimulatedDisk
  private let process: BrokerProcess
  private let watch: BrokerDiskWatch
  private let state = Mutex(State())

  init(_ disk: SimulatedDisk, _ process: BrokerProcess, watch: BrokerDiskWatch = BrokerDiskWatch()) {
    self.disk = disk
    self.process = process
    self.watch = watch
  }

  fileprivate func wrote(_ bytes: UnsafeRawBufferPointer, to path: String) {
    watch.wrote?(path, bytes) { self.topic(of: path) }
  }

  /// Whose records the folder of a file has, as it says itself.
  private func topic(of path: String) -> UniqueID? {
    guard let slash = path.lastIndex(of: "/"), let bytes = disk.peek(path[..<slash] + "/partition.metadata") else {
      return nil
    }
    return Self.topic(in: bytes)
  }

  /// Of a `partition.metadata` file.
  static func topic(in bytes: [UInt8]) -> UniqueID? {
    let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("topic_id: ") }
    return line.flatMap { UniqueID(String($0.dropFirst("topic_id: ".count))) }
  }
  fileprivate func syncs(_ path: String) -> Bool { watch.unsynced.map { !path.contains($0) } ?? true }

  /// The process dies in place of its effect after `count` others.
  func die(_ death: BrokerDeath, afterEffects count: Int) {
    state.withLock { $0 = State(effectsLeft: count, death: death) }
  }

  fileprivate func check(_ operation: StorageError.Operation, _ path: String) throws(StorageError) {
    if process.isDead { throw StorageError(operation, path, .invalid("the process is dead")) }
  }

  /// Before everything that changes the disk or syncs it.
  fileprivate func effect(_ operation: StorageError.Operation, _ path: String) throws(StorageError) {
    try check(operation, path)
    let death: BrokerDeath? = state.withLock { state in
      guard let left = state.effectsLeft else { return nil }
      state.effectsLeft = left > 0 ? left - 1 : nil
      return left == 0 ? state.death : nil
    }
    guard let death else { return }
    process.stage.note("\(process.host.name) dies in place of: \(operation) \(path)")
    process.die(death)
    if death == .powerLost { disk.cutPower() }
    try check(operation, path)
  }

  func open(_ path: String) throws(StorageError) -> any DiskFile {
    try check(.open, path)
    return BrokerFile(try disk.open(path), path, self)
  }
  func create(_ path: String) throws(StorageError) -> any DiskFile {
    try effect(.create, path)
    return BrokerFile(try disk.create(path), path, self)
  }
  func size(of path: String) throws(StorageError) -> Int64? {
    try check(.read, path)
    return try disk.size(of: path)
  }
  func rename(_ path: String, to newPath: String) throws(StorageError) {
    try effect(.rename, path)
    try disk.rename(path, to: newPath)
  }
  func unlink(_ path: String) throws(StorageError) {
    try effect(.unlink, path)
    try disk.unlink(path)
  }
  func list(_ path: String) throws(StorageError) -> [String] {
    try check(.list, path)
    return try disk.list(path)
  }
  func createDirectory(_ path: String) throws(StorageError) {
    try effect(.createDirectory, path)
    try disk.createDirectory(path)
  }
  func removeDirectory(_ path: String) throws(StorageError) {
    try effect(.removeDirectory, path)
    try disk.removeDirectory(path)
  }
  func syncDirectory(_ path: String) throws(StorageError) {
    try effect(.syncDirectory, path)
    try disk.syncDirectory(path)
  }
  /// Two lives of one node never overlap, so that nobody else can hold it.
  func lock(_ path: String) throws(StorageError) -> (any DiskLock)? {
    try check(.lock, path)
    return BrokerLock()
  }
}

/// Who looks at what a disk is told to do, and what of it the disk leaves out.
struct BrokerDiskWatch: Sendable {
  /// Comes after each write, under the locks of whoever writes.
  /// `topic` says whose folder it is.
  var wrote: (@Sendable (_ path: String, UnsafeRawBufferPointer, _ topic: () -> UniqueID?) -> Void)?
  /// Files with this in their names are not synced, though it is said that they were.
  var unsynced: String?
}

private final class BrokerLock: DiskLock {}

private final class BrokerFile: DiskFile {
  private let file: any DiskFile
  private let path: String
  private let disk: BrokerDisk
  let descriptor: Int32 = -1

  init(_ file: any DiskFile, _ path: String, _ disk: BrokerDisk) {
    self.file = file
    self.path = path
    self.disk = disk
  }
  func size() throws(StorageError) -> Int64 {
    try disk.check(.read, path)
    return try file.size()
  }
  func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int64) throws(StorageError) -> Int {
    try disk.check(.read, path)
    return try file.read(into: buffer, at: position)
  }
  func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws(StorageError) {
    try disk.effect(.write, path)
    try file.write(bytes, at: position)
    disk.wrote(bytes, to: path)
  }
  func truncate(to size: Int64) throws(StorageError) {
    try disk.effect(.truncate, path)
    try file.truncate(to: size)
  }
  func syncData() throws(StorageError) {
    try disk.effect(.sync, path)
    if disk.syncs(path) { try file.syncData() }
  }
}
