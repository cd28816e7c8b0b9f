import Glibc

enum SystemText {
  static func message(for number: Int32) -> String {
    guard let text = strerror(number) else { return "error \(number)" }
    return "\(String(cString: text)) (\(number))"
  }
}

/// The operating system's file system.
public struct FileDisk: Disk {
  public init() {}

  static func retrying(_ call: () -> Int) -> Int {
    while true {
      let result = call()
      if result >= 0 || errno != EINTR { return result }
    }
  }

  private func failure(_ operation: StorageError.Operation, _ path: String) -> StorageError {
    StorageError(operation, path, .system(errno))
  }

  private func descriptor(
    _ operation: StorageError.Operation, _ path: String, flags: Int32
  ) throws(StorageError) -> Int32 {
    let descriptor = Self.retrying { Int(Glibc.open(path, flags | O_CLOEXEC, 0o644)) }
    guard descriptor >= 0 else { throw failure(operation, path) }
    return Int32(descriptor)
  }

  public func open(_ path: String) throws(StorageError) -> any DiskFile {
    OpenFile(descriptor: try descriptor(.open, path, flags: O_RDWR), path: path)
  }

  /// A file that is never written, such as a configuration; who may only read it is not refused.
  public func openToRead(_ path: String) throws(StorageError) -> any DiskFile {
    OpenFile(descriptor: try descriptor(.open, path, flags: O_RDONLY), path: path)
  }

  public func create(_ path: String) throws(StorageError) -> any DiskFile {
    OpenFile(descriptor: try descriptor(.create, path, flags: O_RDWR | O_CREAT | O_TRUNC), path: path)
  }

  public func size(of path: String) throws(StorageError) -> Int64? {
    var status = stat()
    if stat(path, &status) == 0 { return Int64(status.st_size) }
    if errno == ENOENT { return nil }
    throw failure(.read, path)
  }

  public func rename(_ path: String, to newPath: String) throws(StorageError) {
    guard Glibc.rename(path, newPath) == 0 else { throw failure(.rename, path) }
  }

  public func unlink(_ path: String) throws(StorageError) {
    guard Glibc.unlink(path) == 0 || errno == ENOENT else { throw failure(.unlink, path) }
  }

  public func list(_ path: String) throws(StorageError) -> [String] {
    guard let folder = opendir(path) else { throw failure(.list, path) }
    defer { closedir(folder) }
    var names: [String] = []
    errno = 0
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
      errno = 0
    }
    guard errno == 0 else { throw failure(.list, path) }
    return names
  }

  public func createDirectory(_ path: String) throws(StorageError) {
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw failure(.createDirectory, path) }
  }

  public func removeDirectory(_ path: String) throws(StorageError) {
    guard rmdir(path) == 0 || errno == ENOENT else { throw failure(.removeDirectory, path) }
  }

  public func syncDirectory(_ path: String) throws(StorageError) {
    let folder = OpenFile(
      descriptor: try descriptor(.syncDirectory, path, flags: O_RDONLY | O_DIRECTORY), path: path)
    guard fsync(folder.descriptor) == 0 else { throw failure(.syncDirectory, path) }
  }

  public func lock(_ path: String) throws(StorageError) -> (any DiskLock)? {
    let file = OpenFile(descriptor: try descriptor(.lock, path, flags: O_RDWR | O_CREAT), path: path)
    if flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 { return file }
    if errno == EWOULDBLOCK { return nil }
    throw failure(.lock, path)
  }
}

/// A file descriptor with one owner.
private final class OpenFile: DiskFile, DiskLock {
  let descriptor: Int32
  private let path: String

  init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit { close(descriptor) }

  private func failure(_ operation: StorageError.Operation) -> StorageError {
    StorageError(operation, path, .system(errno))
  }

  func size() throws(StorageError) -> Int64 {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure(.read) }
    return Int64(status.st_size)
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int64) throws(StorageError) -> Int {
    var done = 0
    while done < buffer.count {
      let count = FileDisk.retrying {
        pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(position) + off_t(done))
      }
      guard count >= 0 else { throw failure(.read) }
      if count == 0 { break }
      done += count
    }
    return done
  }

  func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws(StorageError) {
    var done = 0
    while done < bytes.count {
      let count = FileDisk.retrying {
        pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(position) + off_t(done))
      }
      guard count > 0 else { throw count == 0 ? StorageError(.write, path, .system(ENOSPC)) : failure(.write) }
      done += count
    }
  }

  func truncate(to size: Int64) throws(StorageError) {
    guard FileDisk.retrying({ Int(ftruncate(descriptor, off_t(size))) }) == 0 else { throw failure(.truncate) }
  }

  func syncData() throws(StorageError) {
    guard FileDisk.retrying({ Int(fdatasync(descriptor)) }) == 0 else { throw failure(.sync) }
  }
}
