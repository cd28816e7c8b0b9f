public import Vocabulary

/// Why bytes could not be compressed or decompressed.
public enum CompressionError: Error, Hashable, Sendable {
  /// The bytes would become more than the limit, which is given.
  case tooLarge(ByteCount)
  /// The bytes are not what the codec writes, or they end too early, or something follows them.
  case corrupt
  /// The codec could not get memory for its own state.
  case outOfMemory
}

/// Compresses and decompresses the records of a batch, in the formats that Kafka's clients use.
///
/// gzip is RFC 1952, lz4 its frame format, zstd RFC 8878. snappy is written in the framing of snappy-java
/// (blocks of 32 KiB) and read with or without it. Decompression holds no more than its limit, whatever the
/// bytes say about themselves.
public enum RecordCodec {
  /// Which levels a codec has (`compression.<codec>.level`); none for codecs without levels.
  public static func levels(of compression: Compression) -> ClosedRange<Int>? {
    switch compression {
    case .none, .snappy: nil
    case .gzip: Gzip.levels
    case .lz4: LZ4.levels
    case .zstd: Zstd.levels
    }
  }

  /// Without a level the codec's default is used; a level outside of the codec's range is moved into it.
  public static func compress(
    _ bytes: UnsafeRawBufferPointer, with compression: Compression, level: Int? = nil
  ) throws(CompressionError) -> [UInt8] {
    switch compression {
    case .none: [UInt8](bytes)
    case .gzip: try Gzip.compress(bytes, level: level)
    case .snappy: try Snappy.compress(bytes)
    case .lz4: try LZ4.compress(bytes, level: level)
    case .zstd: try Zstd.compress(bytes, level: level)
    }
  }

  /// Fails with `tooLarge` as soon as it is known that there are more than `limit` bytes.
  public static func decompress(
    _ bytes: UnsafeRawBufferPointer, with compression: Compression, limit: ByteCount
  ) throws(CompressionError) -> [UInt8] {
    switch compression {
    case .none:
      guard bytes.count <= limit.value else { throw .tooLarge(limit) }
      return [UInt8](bytes)
    case .gzip: return try Gzip.decompress(bytes, limit: limit)
    case .snappy: return try Snappy.decompress(bytes, limit: limit)
    case .lz4: return try LZ4.decompress(bytes, limit: limit)
    case .zstd: return try Zstd.decompress(bytes, limit: limit)
    }
  }
}

func clamp(_ level: Int, to range: ClosedRange<Int>) -> Int32 {
  Int32(min(max(level, range.lowerBound), range.upperBound))
}

extension RecordCodec {
  /// The same over an array, for callers that keep away from unsafe memory.
  public static func decompress(
    _ bytes: [UInt8], with compression: Compression, limit: ByteCount
  ) throws(CompressionError) -> [UInt8] {
    var found: Result<[UInt8], CompressionError> = .success([])
    bytes.withUnsafeBytes { raw in
      do throws(CompressionError) {
        found = .success(try decompress(raw, with: compression, limit: limit))
      } catch {
        found = .failure(error)
      }
    }
    return try found.get()
  }
}
