import Glibc
import LogStorage

/// The bytes of server.properties.
enum ConfigurationFile {
  /// Its text; refuses what cannot be a configuration.
  static func read(_ path: String) throws -> String {
    let disk = FileDisk()
    guard let size = try disk.size(of: path) else {
      throw ConfigurationError("\(path): there is no such file")
    }
    guard size <= 1 << 20 else { throw ConfigurationError("\(path): \(size) bytes are too many for a configuration") }
    var bytes = [UInt8](repeating: 0, count: Int(size))
    // In a ConfigMap nobody may write.
    let file = try disk.openToRead(path)
    _ = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
    guard let text = String(validating: bytes, as: UTF8.self) else {
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
