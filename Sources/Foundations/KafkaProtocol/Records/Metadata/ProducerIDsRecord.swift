public import Wire

/// A broker has reserved the producer ids below the next one (KIP-730).
public struct ProducerIDsRecord: MetadataRecordBody {
  public static let type: UInt32 = 15
  public static let versions: ClosedRange<Int16> = 0...0

  public var brokerID: Int32 = 0
  public var brokerEpoch: Int64 = -1
  public var nextProducerID: Int64 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&brokerID)
    try c.int64(&brokerEpoch)
    try c.int64(&nextProducerID)
  }
}
