public import Wire

/// A feature was finalized at a level (KIP-584); at level 0 it is off.
public struct FeatureLevelRecord: MetadataRecordBody {
  public static let type: UInt32 = 12
  public static let versions: ClosedRange<Int16> = 0...0

  public var name = ""
  public var featureLevel: Int16 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.string(&name)
    try c.int16(&featureLevel)
  }
}
