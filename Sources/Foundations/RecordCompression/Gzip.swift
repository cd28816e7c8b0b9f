import CZlib
import Vocabulary

/// RFC 1952, by zlib.
enum Gzip {
  static let levels = 1...9
  /// The largest window, with gzip's header and trailer.
  private static let windowBits: Int32 = 15 + 16
  /// zlib's counters are 32 bits wide.
  private static let feedMax = 1 << 30

  static func compress(_ bytes: UnsafeRawBufferPointer, level: Int?) throws(CompressionError) -> [UInt8] {
    var stream = z_stream()
    // Kafka says -1 for the default level too.
    let chosen = level.map { $0 == -1 ? Z_DEFAULT_COMPRESSION : clamp($0, to: levels) } ?? Z_DEFAULT_COMPRESSION
    let started = deflateInit2_(
      &stream, chosen, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
    guard started == Z_OK else { throw .outOfMemory }
    defer { deflateEnd(&stream) }
    var output = BoundedOutput(limit: ByteCount(.max))
    var rest = bytes[...]
    var status = Z_OK
    while status != Z_STREAM_END {
      let feed = rest.prefix(feedMax)
      let isLast = feed.count == rest.count
      point(&stream, at: UnsafeRawBufferPointer(rebasing: feed))
      repeat {
        point(&stream, into: output.window)
        status = deflate(&stream, isLast ? Z_FINISH : Z_NO_FLUSH)
        guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else { throw .outOfMemory }
        try output.take(output.window.count - Int(stream.avail_out))
      } while stream.avail_out == 0 || (isLast && status != Z_STREAM_END)
      rest = rest.dropFirst(feed.count)
    }
    return output.finish()
  }

  static func decompress(_ bytes: UnsafeRawBufferPointer, limit: ByteCount) throws(CompressionError) -> [UInt8] {
    var stream = z_stream()
    let started = inflateInit2_(&stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard started == Z_OK else { throw .outOfMemory }
    defer { inflateEnd(&stream) }
    var output = BoundedOutput(limit: limit)
    var rest = bytes[...]
    // Several members may follow each other.
    repeat {
      let feed = rest.prefix(feedMax)
      point(&stream, at: UnsafeRawBufferPointer(rebasing: feed))
      point(&stream, into: output.window)
      let status = inflate(&stream, Z_NO_FLUSH)
      let consumed = feed.count - Int(stream.avail_in)
      let produced = output.window.count - Int(stream.avail_out)
      rest = rest.dropFirst(consumed)
      try output.take(produced)
      switch status {
      case Z_OK: guard consumed > 0 || produced > 0 else { throw .corrupt }
      case Z_STREAM_END:
        if rest.isEmpty { return output.finish() }
        guard inflateReset(&stream) == Z_OK else { throw .corrupt }
      case Z_MEM_ERROR: throw .outOfMemory
      default: throw .corrupt
      }
    } while true
  }

  private static func point(_ stream: inout z_stream, at input: UnsafeRawBufferPointer) {
    // zlib reads through this pointer only; its type lacks the const.
    stream.next_in = UnsafeMutablePointer(mutating: input.assumingMemoryBound(to: UInt8.self).baseAddress)
    stream.avail_in = UInt32(input.count)
  }
  private static func point(_ stream: inout z_stream, into window: UnsafeMutableRawBufferPointer) {
    stream.next_out = window.assumingMemoryBound(to: UInt8.self).baseAddress
    stream.avail_out = UInt32(window.count)
  }
}
