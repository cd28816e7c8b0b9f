import CSnappy
import Vocabulary

/// Snappy in the framing of snappy-java, which Java's clients write and read: a header of 16 bytes, then blocks that
/// are compressed each by itself, each after its length (a big-endian int32). Other clients send one raw block.
enum Snappy {
  /// 0x82 "SNAPPY" 0.
  private static let magic: [UInt8] = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]
  /// The version, and the oldest version whose readers understand it.
  private static let versions: [UInt8] = [0, 0, 0, 1, 0, 0, 0, 1]
  private static let headerSize = 16
  private static let blockSize = 32 << 10
  /// Three bytes can stand for no more than 64.
  private static let ratioMax = 22

  static func compress(_ bytes: UnsafeRawBufferPointer) throws(CompressionError) -> [UInt8] {
    var result = magic + versions
    let blockMax = snappy_max_compressed_length(blockSize)
    let block = UnsafeMutablePointer<CChar>.allocate(capacity: blockMax)
    defer { block.deallocate() }
    var rest = bytes[...]
    while !rest.isEmpty {
      let part = UnsafeRawBufferPointer(rebasing: rest.prefix(blockSize))
      var length = blockMax
      let status = snappy_compress(part.assumingMemoryBound(to: CChar.self).baseAddress, part.count, block, &length)
      guard status == SNAPPY_OK else { throw .outOfMemory }
      withUnsafeBytes(of: UInt32(length).bigEndian) { result.append(contentsOf: $0) }
      result.append(contentsOf: UnsafeRawBufferPointer(start: block, count: length))
      rest = rest.dropFirst(part.count)
    }
    return result
  }

  static func decompress(_ bytes: UnsafeRawBufferPointer, limit: ByteCount) throws(CompressionError) -> [UInt8] {
    var output = BoundedOutput(limit: limit)
    guard bytes.starts(with: magic) else {
      try append(bytes, to: &output)
      return output.finish()
    }
    var rest = bytes[...]
    while !rest.isEmpty {
      // Streams that were put one behind the other repeat the header.
      if rest.starts(with: magic) {
        guard rest.count >= headerSize else { throw .corrupt }
        rest = rest.dropFirst(headerSize)
        continue
      }
      guard rest.count >= 4 else { throw .corrupt }
      let length = Int(Int32(bigEndian: rest.loadUnaligned(as: Int32.self)))
      rest = rest.dropFirst(4)
      guard length > 0, length <= rest.count else { throw .corrupt }
      try append(UnsafeRawBufferPointer(rebasing: rest.prefix(length)), to: &output)
      rest = rest.dropFirst(length)
    }
    return output.finish()
  }

  private static func append(
    _ block: UnsafeRawBufferPointer, to output: inout BoundedOutput
  ) throws(CompressionError) {
    guard let start = block.assumingMemoryBound(to: CChar.self).baseAddress, block.count > 0 else { throw .corrupt }
    var length = 0
    guard snappy_uncompressed_length(start, block.count, &length) == SNAPPY_OK else { throw .corrupt }
    // A length that such a block cannot have is not worth an allocation.
    guard length <= block.count * ratioMax else { throw .corrupt }
    try output.append(length) { buffer in
      var written = length
      let target = buffer.assumingMemoryBound(to: CChar.self).baseAddress
      return snappy_uncompress(start, block.count, target, &written) == SNAPPY_OK && written == length
    }
  }
}
