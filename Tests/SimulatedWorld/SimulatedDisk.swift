public import LogStorage
import Synchronization

/// A disk that keeps only what was synced.
///
/// Files hold what was written, and beside it what is durable. `syncData` makes a file's bytes durable,
/// `syncDirectory` its folder's names. When the power fails, each write that was not synced is kept, lost or
/// torn by sectors, and each change of a name is kept or lost, as the seed decides. Every effect is counted,
/// so that a test can cut the power before the nth.
public final class SimulatedDisk: Disk {
  /// What a planted bug leaves out, to prove that a test would notice.
  public enum Bug: Sendable {
    case none
    case ignoresSyncData
    case ignoresSyncDirectory
    /// The first sync of a file after it was cut.
    case ignoresSyncAfterCut
  }

  let world: Mutex<World>

  public init(seed: UInt64, bug: Bug = .none) {
    world = Mutex(World(random: SeededRandom(seed: seed), bug: bug))
  }

  /// Effects so far: everything that changes something or syncs it.
  public var effects: Int { world.withLock { $0.effects } }
  /// How often bytes of a file were read.
  public var reads: Int { world.withLock { $0.reads } }
  public var isPowerOff: Bool { world.withLock { $0.isOff } }

  /// Cuts the power instead of performing effect number `effect`, counted from 0.
  public func cutPower(atEffect effect: Int?) { world.withLock { $0.powerCut = effect } }

  /// Cuts the power now.
  public func cutPower() { world.withLock { $0.isOff = true } }

  /// The power comes back: what was not synced is decided, and open files are gone.
  public func restorePower() { world.withLock { $0.restorePower() } }

  /// From now on at most this many bytes can be written; then ENOSPC, with a part of the write done.
  public func limitSpace(to bytes: Int?) { world.withLock { $0.spaceLeft = bytes } }

  /// The next sync of a file fails, and what it should have made durable is lost, as Linux does it.
  public func failNextSync() { world.withLock { $0.failsNextSync = true } }

  /// From now on no file can be opened or created: EMFILE.
  public func lacksDescriptors(_ lacks: Bool) { world.withLock { $0.lacksDescriptors = lacks } }

  /// From now on files whose names end so are gone whenever they are opened, though they were there a moment ago.
  public func removesWhenOpened(_ suffix: String) { world.withLock { $0.vanishing = suffix } }

  /// Writes over a file's bytes, durably, behind everybody's back.
  public func damage(_ path: String, _ change: (inout [UInt8]) -> Void) {
    world.withLock { world in
      guard var inode = world.inode(path) else { return }
      change(&inode.bytes)
      inode.durable = inode.bytes
      inode.pending = []
      world.inodes[inode.number] = inode
    }
  }

  /// A file's bytes as a program sees them now.
  public func peek(_ path: String) -> [UInt8]? { world.withLock { $0.inode(path)?.bytes } }

  /// The names of a folder's files as a program sees them now, in no order.
  public func peekNames(in folder: String) -> [String] {
    world.withLock { $0.folders[folder].map { Array($0.names.keys) } ?? [] }
  }

  public func open(_ path: String) throws(StorageError) -> any DiskFile {
    try world.withLock { world throws(StorageError) in
      try world.checkPower(.open, path)
      if world.lacksDescriptors { throw StorageError(.open, path, .system(24)) }
      if let suffix = world.vanishing, path.hasSuffix(suffix), world.inode(path) != nil { world.remove(path) }
      guard let inode = world.inode(path) else { throw StorageError(.open, path, .system(2)) }
      return SimulatedFile(self, path, inode.number, world.boot)
    }
  }

  public func create(_ path: String) throws(StorageError) -> any DiskFile {
    try world.withLock { world throws(StorageError) in
      if world.lacksDescriptors { throw StorageError(.create, path, .system(24)) }
      try world.effect(.create, path)
      let number = try world.create(path)
      return SimulatedFile(self, path, number, world.boot)
    }
  }

  public func size(of path: String) throws(StorageError) -> Int64? {
    try world.withLock { world throws(StorageError) in
      try world.checkPower(.read, path)
      if world.folders[path] != nil { return 0 }
      return world.inode(path).map { Int64($0.bytes.count) }
    }
  }

  public func rename(_ path: String, to newPath: String) throws(StorageError) {
    try world.withLock { world throws(StorageError) in
      try world.effect(.rename, path)
      try world.rename(path, to: newPath)
    }
  }

  public func unlink(_ path: String) throws(StorageError) {
    try world.withLock { world throws(StorageError) in
      guard world.inode(path) != nil else { return }
      try world.effect(.unlink, path)
      world.remove(path)
    }
  }

  public func list(_ path: String) throws(StorageError) -> [String] {
    try world.withLock { world throws(StorageError) in
      try world.checkPower(.list, path)
      guard let folder = world.folders[path] else { throw StorageError(.list, path, .system(2)) }
      let inside = world.folders.keys.filter { !$0.isEmpty && World.split($0).folder == path }
      return (folder.names.keys + inside.map { World.split($0).name }).sorted()
    }
  }

  public func createDirectory(_ path: String) throws(StorageError) {
    try world.withLock { world throws(StorageError) in
      guard world.folders[path] == nil else { return }
      try world.effect(.createDirectory, path)
      world.folders[path] = Folder()
    }
  }

  public func removeDirectory(_ path: String) throws(StorageError) {
    try world.withLock { world throws(StorageError) in
      try world.effect(.removeDirectory, path)
      world.folders[path] = nil
    }
  }

  public func syncDirectory(_ path: String) throws(StorageError) {
    try world.withLock { world throws(StorageError) in
      try world.effect(.syncDirectory, path)
      guard world.bug != .ignoresSyncDirectory, var folder = world.folders[path] else { return }
      folder.durable = folder.names
      folder.pending = []
      world.folders[path] = folder
    }
  }

  public func lock(_ path: String) throws(StorageError) -> (any DiskLock)? {
    let isFree = world.withLock { $0.locks.insert(path).inserted }
    return isFree ? SimulatedLock(self, path) : nil
  }
}

private final class SimulatedLock: DiskLock {
  private let disk: SimulatedDisk
  private let path: String
  init(_ disk: SimulatedDisk, _ path: String) {
    self.disk = disk
    self.path = path
  }
  deinit { disk.world.withLock { _ = $0.locks.remove(path) } }
}

private final class SimulatedFile: DiskFile {
  private let disk: SimulatedDisk
  private let path: String
  private let number: Int
  private let boot: Int
  let descriptor: Int32 = -1

  init(_ disk: SimulatedDisk, _ path: String, _ number: Int, _ boot: Int) {
    self.disk = disk
    self.path = path
    self.number = number
    self.boot = boot
  }

  private func access<T: Sendable>(
    _ operation: StorageError.Operation, _ body: (inout World, inout Inode) throws(StorageError) -> T
  ) throws(StorageError) -> T {
    try disk.world.withLock { world throws(StorageError) in
      guard world.boot == boot, var inode = world.inodes.removeValue(forKey: number) else {
        throw StorageError(operation, path, .invalid("the file was open when the power failed"))
      }
      defer { world.inodes[number] = inode }
      return try body(&world, &inode)
    }
  }

  func size() throws(StorageError) -> Int64 {
    try access(.read) { _, inode throws(StorageError) in Int64(inode.bytes.count) }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int64) throws(StorageError) -> Int {
    let bytes = try access(.read) { world, inode throws(StorageError) -> [UInt8] in
      try world.checkPower(.read, path)
      world.reads += 1
      guard position >= 0, position < inode.bytes.count else { return [] }
      return Array(inode.bytes[Int(position)..<min(inode.bytes.count, Int(position) + buffer.count)])
    }
    buffer.copyBytes(from: bytes)
    return bytes.count
  }

  func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws(StorageError) {
    let data = [UInt8](bytes)
    try access(.write) { world, inode throws(StorageError) in
      do throws(StorageError) {
        try world.effect(.write, path)
      } catch {
        // The power may fail in the middle: the write is then as unsure as any other that was not synced.
        inode.pending.append(.write(Int(position), data))
        throw error
      }
      guard let left = world.spaceLeft else { return inode.apply(.write(Int(position), data)) }
      inode.apply(.write(Int(position), Array(data.prefix(left))))
      world.spaceLeft = max(0, left - data.count)
      if left < data.count { throw StorageError(.write, path, .system(28)) }
    }
  }

  func truncate(to size: Int64) throws(StorageError) {
    try access(.truncate) { world, inode throws(StorageError) in
      try world.effect(.truncate, path)
      inode.apply(.truncate(Int(size)))
    }
  }

  func syncData() throws(StorageError) {
    try access(.sync) { world, inode throws(StorageError) in
      try world.effect(.sync, path)
      if world.failsNextSync {
        world.failsNextSync = false
        inode.pending = []
        throw StorageError(.sync, path, .system(5))
      }
      guard world.bug != .ignoresSyncData else { return }
      if world.bug == .ignoresSyncAfterCut, case .truncate? = inode.pending.last { return }
      inode.durable = inode.bytes
      inode.pending = []
    }
  }
}
