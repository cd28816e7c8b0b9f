public import Vocabulary
public import Wire

/// Asks for the cluster's id, its controller and its brokers (KIP-700); v2 also for fenced ones (KIP-1073).
public struct DescribeClusterRequest: RequestBody {
  public typealias Response = DescribeClusterResponse
  public static let key = APIKey.describeCluster
  public static let versions: ClosedRange<Int16> = 0...2
  public static let flexibleSince: Int16 = 0

  public var includeClusterAuthorizedOperations = false
  /// 1: brokers, 2: controllers (KIP-919).
  public var endpointType: Int8 = 1
  public var includeFencedBrokers = false

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.bool(&includeClusterAuthorizedOperations)
    if c.version >= 1 { try c.int8(&endpointType) }
    if c.version >= 2 { try c.bool(&includeFencedBrokers) }
  }
}

/// The cluster's id, controller and brokers, or its controllers (KIP-919).
public struct DescribeClusterResponse: ResponseBody {
  public typealias Request = DescribeClusterRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var errorMessage: String?
  public var endpointType: Int8 = 1
  public var clusterID = ""
  public var controllerID: Int32 = -1
  public var brokers: [Broker] = []
  public var clusterAuthorizedOperations: Int32 = .min

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.nullableString(&errorMessage)
    if c.version >= 1 { try c.int8(&endpointType) }
    try c.string(&clusterID)
    try c.int32(&controllerID)
    try c.array(&brokers)
    try c.int32(&clusterAuthorizedOperations)
  }
}

extension DescribeClusterResponse {
  public struct Broker: WireStruct {
    public var brokerID: Int32 = 0
    public var host = ""
    public var port: Int32 = 0
    public var rack: String?
    public var isFenced = false

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&brokerID)
      try c.string(&host)
      try c.int32(&port)
      try c.nullableString(&rack)
      if c.version >= 2 { try c.bool(&isFenced) }
    }
  }
}
