import Vocabulary

/// Where a streaming codec writes: a window of fixed size, from which bytes are moved to a result that grows with
/// what was really written and never beyond the limit.
struct BoundedOutput: ~Copyable {
  static let windowSize = 64 << 10

  private var bytes: [UInt8] = []
  private let limit: ByteCount
  let window: UnsafeMutableRawBufferPointer

  init(limit: ByteCount) {
    self.limit = limit
    window = .allocate(byteCount: Self.windowSize, alignment: 16)
  }
  deinit { window.deallocate() }

  /// How many bytes more the limit allows.
  var room: Int { max(0, limit.value - bytes.count) }

  /// Takes the first `count` bytes of the window.
  mutating func take(_ count: Int) throws(CompressionError) {
    guard count <= room else { throw .tooLarge(limit) }
    try makeRoom(for: count)
    bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: window[..<count]))
  }

  /// Lets `write` fill `count` bytes in place of the window; false from it means that they are corrupt.
  mutating func append(
    _ count: Int, filledBy write: (UnsafeMutableRawBufferPointer) -> Bool
  ) throws(CompressionError) {
    if count <= Self.windowSize {
      guard count <= room else { throw .tooLarge(limit) }
      guard write(UnsafeMutableRawBufferPointer(rebasing: window[..<count])) else { throw .corrupt }
      try take(count)
    } else {
      guard count <= room else { throw .tooLarge(limit) }
      var isWhole = false
      let block = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        isWhole = write(UnsafeMutableRawBufferPointer(buffer))
        initialized = isWhole ? count : 0
      }
      guard isWhole else { throw .corrupt }
      if bytes.isEmpty {
        bytes = block
      } else {
        try makeRoom(for: count)
        bytes.append(contentsOf: block)
      }
    }
  }

  consuming func finish() -> [UInt8] { bytes }

  // An array would double itself beyond the limit.
  private mutating func makeRoom(for count: Int) throws(CompressionError) {
    let needed = bytes.count + count
    guard needed > bytes.capacity else { return }
    bytes.reserveCapacity(max(needed, min(limit.value, bytes.capacity * 2)))
  }
}
