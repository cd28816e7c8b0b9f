import Vocabulary

extension RecordBatchError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .truncated: "it ends too early"
    case .impossibleLength(let length): "a length of \(length) is impossible"
    case .unsupportedMagic(let magic): "format \(magic) is not known, only 2"
    case .impossibleOffsets: "its offsets are impossible"
    case .wrongChecksum: "its CRC-32C does not match its bytes"
    case .unknownCompression(let number): "codec \(number) is not known"
    case .malformedRecord(let index): "record \(index) cannot be read"
    case .wrongCount: "it does not hold as many records as it says"
    }
  }
}
