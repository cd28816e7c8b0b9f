/// Everything that a log asks of the world: the real one is `FileDisk`, tests have one that loses what was
/// not synced and fails on command.
///
/// The duties of an implementation: a write is visible to reads at once, and survives a crash only after
/// `syncData` of that file; a name that was created, renamed or removed survives only after
/// `syncDirectory` of its folder; a rename is atomic.
public protocol Disk: Sendable {
  /// Opens an existing file for reading and writing.
  func open(_ path: String) throws(StorageError) -> any DiskFile
  /// Creates an empty file, or empties the one that is there.
  func create(_ path: String) throws(StorageError) -> any DiskFile
  /// Nil where there is no such file or folder.
  func size(of path: String) throws(StorageError) -> Int64?
  /// Replaces what has the new name.
  func rename(_ path: String, to newPath: String) throws(StorageError)
  /// Removing what is not there is no error. Open files stay readable.
  func unlink(_ path: String) throws(StorageError)
  /// The names in a folder, in no order.
  func list(_ path: String) throws(StorageError) -> [String]
  /// Creating a folder that is there is no error; its parent must be there.
  func createDirectory(_ path: String) throws(StorageError)
  /// The folder must be empty.
  func removeDirectory(_ path: String) throws(StorageError)
  func syncDirectory(_ path: String) throws(StorageError)
  /// Holds a file against every other process, for as long as the result lives. Nil when another has it.
  func lock(_ path: String) throws(StorageError) -> (any DiskLock)?
}

/// An open file; closed when the last reference goes.
public protocol DiskFile: AnyObject, Sendable {
  /// For sendfile; -1 where there is none.
  var descriptor: Int32 { get }
  func size() throws(StorageError) -> Int64
  /// Reads up to the buffer's size; fewer bytes only at the file's end.
  func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int64) throws(StorageError) -> Int
  /// Writes all of it, or throws; then any part may have been written.
  func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws(StorageError)
  func truncate(to size: Int64) throws(StorageError)
  /// fdatasync: returns when the bytes and the size survive a loss of power.
  func syncData() throws(StorageError)
}

/// Held until it is released by its last reference.
public protocol DiskLock: AnyObject, Sendable {}

extension Disk {
  /// Nil where there is no such file, also where it was there a moment ago: indexes go while others look for them.
  func openIfPresent(_ path: String) throws(StorageError) -> (any DiskFile)? {
    do throws(StorageError) {
      return try open(path)
    } catch {
      guard error.isAbsence else { throw error }
      return nil
    }
  }

  /// The file's bytes; nil where there is no such file. `limit` bounds what a wrong file can cost.
  public func contents(of path: String, limit: Int) throws(StorageError) -> [UInt8]? {
    guard let size = try size(of: path) else { return nil }
    guard size <= Int64(limit) else {
      throw StorageError(.read, path, .invalid("\(size) bytes, where at most \(limit) are expected"))
    }
    return try openIfPresent(path)?.bytes(at: 0, count: Int(size))
  }

  /// Replaces a small file so that after a crash either the old or the new bytes are there, whole.
  public func replace(_ path: String, with bytes: [UInt8], in folder: String) throws(StorageError) {
    let temporary = path + ".tmp"
    let file = try create(temporary)
    try file.write(bytes, at: 0)
    try file.syncData()
    try rename(temporary, to: path)
    try syncDirectory(folder)
  }
}

extension DiskFile {
  /// Writes all of it, or throws; then any part may have been written.
  public func write(_ bytes: [UInt8], at position: Int64) throws(StorageError) {
    var failure: StorageError?
    bytes.withUnsafeBytes { raw in
      do throws(StorageError) { try write(raw, at: position) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// Up to `count` bytes; fewer at the file's end.
  public func bytes(at position: Int64, count: Int) throws(StorageError) -> [UInt8] {
    var failure: StorageError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      do throws(StorageError) {
        initialized = try read(into: UnsafeMutableRawBufferPointer(buffer), at: position)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }
}
