import CLZ4
import Vocabulary

/// LZ4's frame format, with independent blocks of 64 KiB and a correct header checksum, as Java's clients want it
/// from record batches of version 2.
enum LZ4 {
  static let levels = 1...17
  /// Kafka's default level stands for the fast compressor; every other level is one of the high compressor's.
  private static let levelOfFastCompressor = 9

  static func compress(_ bytes: UnsafeRawBufferPointer, level: Int?) throws(CompressionError) -> [UInt8] {
    var preferences = LZ4F_preferences_t()
    preferences.frameInfo.blockSizeID = LZ4F_max64KB
    preferences.frameInfo.blockMode = LZ4F_blockIndependent
    preferences.compressionLevel = libraryLevel(level)
    let bound = LZ4F_compressFrameBound(bytes.count, &preferences)
    var failed = false
    let result = [UInt8](unsafeUninitializedCapacity: bound) { buffer, initialized in
      let written = LZ4F_compressFrame(buffer.baseAddress, buffer.count, bytes.baseAddress, bytes.count, &preferences)
      failed = LZ4F_isError(written) != 0
      initialized = failed ? 0 : written
    }
    guard !failed else { throw .outOfMemory }
    return result
  }

  static func decompress(_ bytes: UnsafeRawBufferPointer, limit: ByteCount) throws(CompressionError) -> [UInt8] {
    var made: OpaquePointer?
    guard LZ4F_isError(LZ4F_createDecompressionContext(&made, UInt32(LZ4F_VERSION))) == 0, let context = made else {
      throw .outOfMemory
    }
    defer { LZ4F_freeDecompressionContext(context) }
    var output = BoundedOutput(limit: limit)
    var rest = bytes[...]
    repeat {
      let feed = UnsafeRawBufferPointer(rebasing: rest)
      var consumed = feed.count
      var produced = output.window.count
      let hint = LZ4F_decompress(context, output.window.baseAddress, &produced, feed.baseAddress, &consumed, nil)
      guard LZ4F_isError(hint) == 0 else { throw .corrupt }
      rest = rest.dropFirst(consumed)
      try output.take(produced)
      if hint == 0 && rest.isEmpty { return output.finish() }
      guard consumed > 0 || produced > 0 else { throw .corrupt }
    } while true
  }

  private static func libraryLevel(_ level: Int?) -> Int32 {
    guard let level, level != levelOfFastCompressor else { return 0 }
    // Below 3 the library would take its fast compressor; above 12 it stops at 12 by itself.
    return max(3, clamp(level, to: levels))
  }
}
