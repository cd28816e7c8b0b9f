public import Vocabulary
public import Wire

/// An access control entry was created.
public struct AccessControlEntryRecord: MetadataRecordBody {
  public static let type: UInt32 = 18
  public static let versions: ClosedRange<Int16> = 0...0

  public var id = UniqueID.zero
  public var resourceType: Int8 = 0
  public var resourceName = ""
  public var patternType: Int8 = 0
  public var principal = ""
  public var host = ""
  public var operation: Int8 = 0
  public var permissionType: Int8 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.uuid(&id)
    try c.int8(&resourceType)
    try c.string(&resourceName)
    try c.int8(&patternType)
    try c.string(&principal)
    try c.string(&host)
    try c.int8(&operation)
    try c.int8(&permissionType)
  }
}

/// An access control entry was deleted.
public struct RemoveAccessControlEntryRecord: MetadataRecordBody {
  public static let type: UInt32 = 19
  public static let versions: ClosedRange<Int16> = 0...0

  public var id = UniqueID.zero

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.uuid(&id)
  }
}

/// A user's SCRAM credential was set (KIP-900).
public struct UserScramCredentialRecord: MetadataRecordBody {
  public static let type: UInt32 = 11
  public static let versions: ClosedRange<Int16> = 0...0

  public var name = ""
  public var mechanism: Int8 = 0
  public var salt: [UInt8] = []
  public var storedKey: [UInt8] = []
  public var serverKey: [UInt8] = []
  public var iterations: Int32 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.string(&name)
    try c.int8(&mechanism)
    try c.bytes(&salt)
    try c.bytes(&storedKey)
    try c.bytes(&serverKey)
    try c.int32(&iterations)
  }
}

/// A user's SCRAM credential was deleted (KIP-900).
public struct RemoveUserScramCredentialRecord: MetadataRecordBody {
  public static let type: UInt32 = 22
  public static let versions: ClosedRange<Int16> = 0...0

  public var name = ""
  public var mechanism: Int8 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.string(&name)
    try c.int8(&mechanism)
  }
}

/// One quota of one entity was set or removed.
public struct ClientQuotaRecord: MetadataRecordBody {
  public static let type: UInt32 = 14
  public static let versions: ClosedRange<Int16> = 0...0

  public var entity: [Entity] = []
  public var key = ""
  public var value: Double = 0
  public var remove = false

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&entity)
    try c.string(&key)
    try c.float64(&value)
    try c.bool(&remove)
  }
}

extension ClientQuotaRecord {
  public struct Entity: WireStruct {
    public var entityType = ""
    public var entityName: String? = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&entityType)
      try c.nullableString(&entityName)
    }
  }
}
