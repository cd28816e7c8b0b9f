import Glibc
import LogStorage

/// The bytes of server.properties.
enum ConfigurationFile {
  private static let bytesMax = 1 << 20

  /// Its text; refuses what cannot be a configuration. The file is only read: in a ConfigMap nobody may write.
  static func read(_ path: String) throws -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      let failure = errno
      if failure == ENOENT { throw ConfigurationError("\(path): there is no such file") }
      throw StorageError(.open, path, .system(failure))
    }
    defer { close(descriptor) }
    // One byte more than a configuration may have tells whether it has too many.
    var bytes = [UInt8](repeating: 0, count: bytesMax + 1)
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes { rest in
        Glibc.read(descriptor, rest.baseAddress?.advanced(by: filled), rest.count - filled)
      }
      if count == 0 { break }
      if count > 0 {
        filled += count
      } else if errno != EINTR {
        throw StorageError(.read, path, .system(errno))
      }
    }
    guard filled <= bytesMax else {
      throw ConfigurationError("\(path): more than \(bytesMax) bytes are too many for a configuration")
    }
    guard let text = String(validating: bytes[..<filled], as: UTF8.self) else {
      throw ConfigurationError("\(path): is not text in UTF-8")
    }
    return text
  }
}

/// One sentence on standard error, and the status that the process ends with.
enum Complaint {
  static func end(_ sentence: String, code: Int32) -> Int32 {
    let line = Array("swiftwater: \(sentence)\n".utf8)
    _ = write(2, line, line.count)
    return code
  }
}
