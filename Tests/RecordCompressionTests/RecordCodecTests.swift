import RecordCompression
import Testing
import Vocabulary

/// Bytes that look random and are the same in every run.
private func noise(_ count: Int, seed: UInt64) -> [UInt8] {
  var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
  return (0..<count).map { _ in
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return UInt8(truncatingIfNeeded: state >> 24)
  }
}

private func compress(_ bytes: [UInt8], _ codec: Compression, level: Int? = nil) throws -> [UInt8] {
  try bytes.withUnsafeBytes { try RecordCodec.compress($0, with: codec, level: level) }
}
private func decompress(_ bytes: [UInt8], _ codec: Compression, limit: Int = 64 << 20) throws -> [UInt8] {
  try bytes.withUnsafeBytes { try RecordCodec.decompress($0, with: codec, limit: ByteCount(limit)) }
}

private let codecs: [Compression] = [.gzip, .snappy, .lz4, .zstd]

@Suite struct RecordCodecTests {
  @Test(arguments: Compression.allCases, [0, 1, 100, 32 << 10, 65_537, 3_000_001])
  func whatWasCompressedReadsBack(codec: Compression, size: Int) throws {
    let mixed = noise(size / 2, seed: UInt64(size)) + [UInt8](repeating: 7, count: size - size / 2)
    #expect(try decompress(compress(mixed, codec), codec) == mixed)
  }

  @Test(arguments: codecs) func everyLevelReadsBack(codec: Compression) throws {
    let text = Array(String(repeating: "the quick brown fox ", count: 500).utf8)
    for level in [-200_000, -131_072, -5, -1, 0, 1, 3, 6, 9, 12, 17, 22, 1000] {
      let compressed = try compress(text, codec, level: level)
      #expect(try decompress(compressed, codec) == text)
    }
  }

  @Test(arguments: codecs) func anEmptyInputIsCorrupt(codec: Compression) {
    #expect(throws: CompressionError.corrupt) { try decompress([], codec) }
  }

  @Test(arguments: codecs) func aBombStopsAtTheLimit(codec: Compression) throws {
    let bomb = try compress([UInt8](repeating: 0, count: 40 << 20), codec)
    let limit = 1_000_000
    #expect(throws: CompressionError.tooLarge(ByteCount(limit))) { try decompress(bomb, codec, limit: limit) }
  }

  @Test(arguments: Compression.allCases) func theLimitItselfIsAllowedAndOneMoreIsNot(codec: Compression) throws {
    let bytes = noise(100_000, seed: 5)
    let compressed = try compress(bytes, codec)
    #expect(try decompress(compressed, codec, limit: 100_000) == bytes)
    #expect(throws: CompressionError.tooLarge(ByteCount(99_999))) {
      try decompress(compressed, codec, limit: 99_999)
    }
  }

  @Test(arguments: codecs) func aStreamCutAnywhereIsNeverTakenForTheWhole(codec: Compression) throws {
    let bytes = noise(1500, seed: 9) + [UInt8](repeating: 1, count: 40_000)
    let compressed = try compress(bytes, codec)
    for length in 0..<compressed.count {
      let cut = Array(compressed[..<length])
      // A snappy stream has no end mark: cut between two blocks it is a shorter stream.
      if codec == .snappy, let shorter = try? decompress(cut, codec) {
        #expect(shorter.count < bytes.count && bytes.starts(with: shorter))
      } else {
        #expect(throws: CompressionError.corrupt) { try decompress(cut, codec) }
      }
    }
  }

  @Test(arguments: codecs) func aByteThatIsWrongNeverTraps(codec: Compression) throws {
    let compressed = try compress(noise(300, seed: 3) + [UInt8](repeating: 2, count: 3000), codec)
    for place in compressed.indices {
      for flip in [0x01, 0x80, 0xff] as [UInt8] {
        var wrong = compressed
        wrong[place] ^= flip
        if let read = try? decompress(wrong, codec, limit: 1 << 20) { #expect(read.count <= 1 << 20) }
      }
    }
  }

  @Test(arguments: codecs) func garbageIsRefusedOrReadWithinTheLimit(codec: Compression) throws {
    let head = try Array(compress(noise(50, seed: 1), codec).prefix(16))
    for seed in 1...2000 as ClosedRange<UInt64> {
      let garbage = noise(Int(seed % 200), seed: seed)
      for bytes in [garbage, head + garbage] {
        if let read = try? decompress(bytes, codec, limit: 10_000) { #expect(read.count <= 10_000) }
      }
    }
  }

  @Test(arguments: [Compression.gzip, .lz4, .zstd]) func streamsBehindEachOtherAreOne(codec: Compression) throws {
    let first = noise(70_000, seed: 1)
    let second = noise(90_000, seed: 2)
    #expect(try decompress(compress(first, codec) + compress(second, codec), codec) == first + second)
    #expect(throws: CompressionError.corrupt) { try decompress(compress(first, codec) + [1, 2, 3, 4, 5], codec) }
  }
}

@Suite struct FormatTests {
  @Test func snappyIsWrittenInJavasFraming() throws {
    let bytes = noise(40_000, seed: 4)
    let compressed = try compress(bytes, .snappy)
    #expect(compressed.starts(with: [0x82] + Array("SNAPPY".utf8) + [0, 0, 0, 0, 1, 0, 0, 0, 1]))
    let firstLength = compressed[16..<20].reduce(0) { $0 << 8 | Int($1) }
    let secondAt = 20 + firstLength
    let secondLength = compressed[secondAt..<secondAt + 4].reduce(0) { $0 << 8 | Int($1) }
    #expect(secondAt + 4 + secondLength == compressed.count)
    // Each block is snappy by itself, which is also how other clients send the whole.
    #expect(try decompress(Array(compressed[20..<secondAt]), .snappy) == Array(bytes[..<(32 << 10)]))
  }

  @Test func rawSnappyIsRead() throws {
    // Length 5, a literal of five bytes.
    #expect(try decompress([5, 4 << 2] + Array("hello".utf8), .snappy) == Array("hello".utf8))
  }

  @Test func aRawSnappyLengthBeyondReasonIsCorruptAndNotAllocated() {
    #expect(throws: CompressionError.corrupt) { try decompress([0xff, 0xff, 0xff, 0xff, 0x0f, 0], .snappy) }
  }

  @Test(arguments: [10, 200_000]) func lz4BlocksAreIndependentWithAPlainHeader(size: Int) throws {
    let compressed = try compress(noise(size, seed: 8), .lz4)
    #expect(compressed.starts(with: [0x04, 0x22, 0x4d, 0x18]))
    // Version 1, independent blocks; no block checksum, content size, content checksum or dictionary.
    #expect(compressed[4] == 0b0110_0000)
    // Blocks of at most 64 KiB.
    #expect(compressed[5] == 4 << 4)
  }

  @Test func gzipHasItsMagic() throws {
    #expect(try compress([1], .gzip).starts(with: [0x1f, 0x8b, 8]))
  }
}
