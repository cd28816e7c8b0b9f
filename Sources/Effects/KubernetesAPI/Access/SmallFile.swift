import EventLoop
import Glibc

/// Reads a file of configuration: a token, a certificate, a kubeconfig.
enum SmallFile {
  /// Larger ones are refused: none of these files is that large.
  static let bytesMax = 8 << 20

  static func read(_ path: String) throws(SystemError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError("read \(path)", code: errno) }
    defer { close(descriptor) }
    return try readAll(descriptor, named: path)
  }

  static func readAll(_ descriptor: Int32, named name: String) throws(SystemError) -> [UInt8] {
    var found: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if count == 0 { return found }
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError("read \(name)", code: errno)
      }
      found.append(contentsOf: buffer[..<count])
      guard found.count <= bytesMax else { throw SystemError("read \(name)", code: EFBIG) }
    }
  }
}
