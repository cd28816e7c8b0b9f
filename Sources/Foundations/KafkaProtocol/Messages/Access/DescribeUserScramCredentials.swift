public import Vocabulary
public import Wire

/// Asks which SCRAM credentials users have (KIP-554).
public struct DescribeUserScramCredentialsRequest: RequestBody {
  public typealias Response = DescribeUserScramCredentialsResponse
  public static let key = APIKey.describeUserScramCredentials
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var users: [User]? = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.nullableArray(&users)
  }
}

extension DescribeUserScramCredentialsRequest {
  public struct User: WireStruct {
    public var name = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
    }
  }
}

/// Mechanisms and iterations, never the secrets.
public struct DescribeUserScramCredentialsResponse: ResponseBody {
  public typealias Request = DescribeUserScramCredentialsRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var errorMessage: String? = ""
  public var results: [User] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.nullableString(&errorMessage)
    try c.array(&results)
  }
}

extension DescribeUserScramCredentialsResponse {
  public struct User: WireStruct {
    public var user = ""
    public var errorCode = ErrorCode.none
    public var errorMessage: String? = ""
    public var credentialInfos: [CredentialInfo] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&user)
      try c.errorCode(&errorCode)
      try c.nullableString(&errorMessage)
      try c.array(&credentialInfos)
    }
  }

  public struct CredentialInfo: WireStruct {
    public var mechanism: Int8 = 0
    public var iterations: Int32 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int8(&mechanism)
      try c.int32(&iterations)
    }
  }
}
