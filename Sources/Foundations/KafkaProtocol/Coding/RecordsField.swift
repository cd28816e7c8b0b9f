/// The records of a Produce request or a Fetch response. They are most of what a broker moves, so that
/// they are read where they lie in the frame and sent from the file where they lie on disk.
public enum RecordsField: Sendable, Hashable {
  case null
  /// As decoded: which bytes of the buffer that was decoded.
  case inFrame(Range<Int>)
  /// To be encoded: this many bytes follow that the sender puts there itself (see `EncodedMessage.splices`).
  case spliced(Int)
  /// Small batches that are at hand.
  case bytes([UInt8])

  /// How many bytes of records there are; null has none.
  public var count: Int {
    switch self {
    case .null: 0
    case .inFrame(let range): range.count
    case .spliced(let count): count
    case .bytes(let bytes): bytes.count
    }
  }
}

/// A message as bytes, with gaps where the sender puts in the records: between `bytes[..<splice.position]`
/// and the rest go `splice.count` bytes that the lengths already count.
public struct EncodedMessage: Sendable, Equatable {
  public struct Splice: Sendable, Hashable {
    /// How many of the encoded bytes come before it.
    public let position: Int
    public let count: Int
    public init(position: Int, count: Int) {
      self.position = position
      self.count = count
    }
  }

  public let bytes: [UInt8]
  /// In the order of the message's records fields, so that positions never fall. Empty records make no splice.
  public let splices: [Splice]

  public init(bytes: [UInt8], splices: [Splice] = []) {
    self.bytes = bytes
    self.splices = splices
  }

  /// The size on the wire, splices included.
  public var totalCount: Int { splices.reduce(bytes.count) { $0 + $1.count } }
}
