public import Vocabulary
public import Wire

/// Sets or deletes users' SCRAM credentials (KIP-554).
public struct AlterUserScramCredentialsRequest: RequestBody {
  public typealias Response = AlterUserScramCredentialsResponse
  public static let key = APIKey.alterUserScramCredentials
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var deletions: [Deletion] = []
  public var upsertions: [Upsertion] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&deletions)
    try c.array(&upsertions)
  }
}

extension AlterUserScramCredentialsRequest {
  public struct Deletion: WireStruct {
    public var name = ""
    public var mechanism: Int8 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.int8(&mechanism)
    }
  }

  public struct Upsertion: WireStruct {
    public var name = ""
    public var mechanism: Int8 = 0
    public var iterations: Int32 = 0
    public var salt: [UInt8] = []
    public var saltedPassword: [UInt8] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.int8(&mechanism)
      try c.int32(&iterations)
      try c.bytes(&salt)
      try c.bytes(&saltedPassword)
    }
  }
}

/// Whether each user was changed.
public struct AlterUserScramCredentialsResponse: ResponseBody {
  public typealias Request = AlterUserScramCredentialsRequest

  public var throttleTimeMs: Int32 = 0
  public var results: [User] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&results)
  }
}

extension AlterUserScramCredentialsResponse {
  public struct User: WireStruct {
    public var user = ""
    public var errorCode = ErrorCode.none
    public var errorMessage: String? = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&user)
      try c.errorCode(&errorCode)
      try c.nullableString(&errorMessage)
    }
  }
}
