import Synchronization

/// Bytes that wait to be written together.
final class OutputBuffer: Sendable {
  /// As many are written at once.
  static let bytesMax = 64 << 10
  private let bytes = Mutex<[UInt8]>([])

  /// True when it is time to write.
  func add(_ more: [UInt8]) -> Bool {
    bytes.withLock { bytes in
      bytes += more
      return bytes.count >= Self.bytesMax
    }
  }

  func take() -> [UInt8] {
    bytes.withLock { bytes in
      defer { bytes = [] }
      return bytes
    }
  }
}
