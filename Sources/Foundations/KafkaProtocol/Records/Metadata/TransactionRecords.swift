public import Wire

/// What follows counts only once the transaction ends (KIP-868).
public struct BeginTransactionRecord: MetadataRecordBody {
  public static let type: UInt32 = 23
  public static let versions: ClosedRange<Int16> = 0...0

  public var name: String?

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {}

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.tagged(0, &name, absent: nil)
  }
}

/// What came since the beginning of the transaction counts.
public struct EndTransactionRecord: MetadataRecordBody {
  public static let type: UInt32 = 24
  public static let versions: ClosedRange<Int16> = 0...0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {}
}

/// What came since the beginning of the transaction does not count.
public struct AbortTransactionRecord: MetadataRecordBody {
  public static let type: UInt32 = 25
  public static let versions: ClosedRange<Int16> = 0...0

  public var reason: String?

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {}

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.tagged(0, &reason, absent: nil)
  }
}
