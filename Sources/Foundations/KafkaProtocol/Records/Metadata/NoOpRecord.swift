public import Wire

/// Changes nothing: shows that the leader is alive and lets the log advance (KIP-835).
public struct NoOpRecord: MetadataRecordBody {
  public static let type: UInt32 = 20
  public static let versions: ClosedRange<Int16> = 0...0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {}
}
