import Glibc

/// A file that is open for reading only, closed with its owner.
struct InputFile: ~Copyable {
  let path: String
  let size: Int64
  private let descriptor: Int32

  init(_ path: String) throws(Failure) {
    self.path = path
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure("\(path): \(String(cString: strerror(errno)))") }
    size = Int64(lseek(descriptor, 0, SEEK_END))
  }
  deinit { close(descriptor) }

  /// Up to `count` bytes; fewer at the file's end.
  func bytes(at position: Int64, count: Int) throws(Failure) -> [UInt8] {
    let wanted = max(0, min(count, Int(clamping: size - position)))
    var bytes: [UInt8] = []
    while bytes.count < wanted {
      var piece = [UInt8](repeating: 0, count: wanted - bytes.count)
      let got = pread(descriptor, &piece, piece.count, off_t(position) + off_t(bytes.count))
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw Failure("\(path): \(String(cString: strerror(errno)))") }
      if got == 0 { return bytes }
      // Nearly always the first read gives everything.
      if got == wanted { return piece }
      bytes += piece[..<got]
    }
    return bytes
  }

  /// Whether there is a folder of this name.
  static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}
