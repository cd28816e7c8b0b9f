import CZstd
import Vocabulary

/// RFC 8878, by libzstd (KIP-110).
enum Zstd {
  static let levels = -131_072...22
  private static let levelDefault: Int32 = 3
  /// What decoders must support; larger windows are refused. The library sets such a window aside but touches
  /// no more of it than it writes, so that the limit bounds what becomes resident.
  private static let windowLogMax: Int32 = 27

  static func compress(_ bytes: UnsafeRawBufferPointer, level: Int?) throws(CompressionError) -> [UInt8] {
    let chosen = level.map { clamp($0, to: levels) } ?? levelDefault
    var failed = false
    let result = [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(bytes.count)) { buffer, initialized in
      let written = ZSTD_compress(buffer.baseAddress, buffer.count, bytes.baseAddress, bytes.count, chosen)
      failed = ZSTD_isError(written) != 0
      initialized = failed ? 0 : written
    }
    guard !failed else { throw .outOfMemory }
    return result
  }

  static func decompress(_ bytes: UnsafeRawBufferPointer, limit: ByteCount) throws(CompressionError) -> [UInt8] {
    guard let context = ZSTD_createDCtx() else { throw .outOfMemory }
    defer { ZSTD_freeDCtx(context) }
    guard ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, windowLogMax)) == 0 else {
      throw .outOfMemory
    }
    var output = BoundedOutput(limit: limit)
    var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
    // Several frames may follow each other.
    repeat {
      let before = input.pos
      var target = ZSTD_outBuffer(dst: output.window.baseAddress, size: output.window.count, pos: 0)
      let hint = ZSTD_decompressStream(context, &target, &input)
      guard ZSTD_isError(hint) == 0 else { throw .corrupt }
      try output.take(target.pos)
      if hint == 0 && input.pos == input.size { return output.finish() }
      guard input.pos > before || target.pos > 0 else { throw .corrupt }
    } while true
  }
}
