import RecordCompression
import Vocabulary

/// The first byte chooses the codec, the rest is what a producer claims to have compressed with it.
@_cdecl("LLVMFuzzerTestOneInput")
public func decompress(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  let bytes = UnsafeRawBufferPointer(start: start, count: count)
  guard let first = bytes.first, let codec = Compression(rawValue: first % 5) else { return 0 }
  let packed = UnsafeRawBufferPointer(rebasing: bytes[1...])
  let limit = ByteCount.mebibytes(1)
  guard let plain = try? RecordCodec.decompress(packed, with: codec, limit: limit) else { return 0 }
  precondition(plain.count <= limit.value, "more came out than was allowed")
  return 0
}
