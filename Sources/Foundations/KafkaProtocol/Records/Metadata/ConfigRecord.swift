public import Wire

/// One key of one resource's configuration was set, or deleted when the value is null.
public struct ConfigRecord: MetadataRecordBody {
  public static let type: UInt32 = 4
  public static let versions: ClosedRange<Int16> = 0...0

  public var resourceType: Int8 = 0
  public var resourceName = ""
  public var name = ""
  public var value: String? = ""

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int8(&resourceType)
    try c.string(&resourceName)
    try c.string(&name)
    try c.nullableString(&value)
  }
}
