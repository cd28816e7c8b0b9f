import Testing
import Vocabulary
import Wire

@Suite struct VarintTests {
  @Test(arguments: [0, 1, -1, 63, 64, -64, -65, 300, .max, .min] as [Int64])
  func aVarlongReadsBackAsItWasWritten(value: Int64) throws {
    var writer = ByteWriter()
    writer.varlong(value)
    let bytes = writer.finish()
    try bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      let read = try reader.varlong()
      #expect(read == value)
      #expect(reader.remaining == 0)
    }
  }

  @Test func aVarintOfSixBytesIsRefused() {
    let bytes: [UInt8] = [0xff, 0xff, 0xff, 0xff, 0x1f, 0]
    bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      #expect(throws: WireError.varintTooLong) { try reader.unsignedVarint() }
    }
  }

  @Test func aLengthBeyondTheEndIsRefusedBeforeAnythingIsAllocated() {
    let bytes: [UInt8] = [1, 2, 3]
    bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      #expect(throws: WireError.truncated) { try reader.copy(.max) }
      #expect(throws: WireError.impossibleLength(-1)) { try reader.text(-1) }
    }
  }
}
