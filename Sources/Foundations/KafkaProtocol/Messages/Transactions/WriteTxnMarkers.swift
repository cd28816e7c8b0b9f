public import Vocabulary
public import Wire

/// The transaction coordinator has markers written that commit or abort. v2 says in which protocol version (KIP-1228).
public struct WriteTxnMarkersRequest: RequestBody {
  public typealias Response = WriteTxnMarkersResponse
  public static let key = APIKey.writeTxnMarkers
  public static let versions: ClosedRange<Int16> = 1...2
  public static let flexibleSince: Int16 = 1

  public var markers: [Marker] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&markers)
  }
}

extension WriteTxnMarkersRequest {
  public struct Marker: WireStruct {
    public var producerID: Int64 = 0
    public var producerEpoch: Int16 = 0
    public var transactionResult = false
    public var topics: [Topic] = []
    public var coordinatorEpoch: Int32 = 0
    /// KIP-1228.
    public var transactionVersion: Int8 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int64(&producerID)
      try c.int16(&producerEpoch)
      try c.bool(&transactionResult)
      try c.array(&topics)
      try c.int32(&coordinatorEpoch)
      if c.version >= 2 { try c.int8(&transactionVersion) }
    }
  }

  public struct Topic: WireStruct {
    public var name = ""
    public var partitionIndexes: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.array(&partitionIndexes)
    }
  }
}

/// Whether each marker was written.
public struct WriteTxnMarkersResponse: ResponseBody {
  public typealias Request = WriteTxnMarkersRequest

  public var markers: [Marker] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&markers)
  }
}

extension WriteTxnMarkersResponse {
  public struct Marker: WireStruct {
    public var producerID: Int64 = 0
    public var topics: [Topic] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int64(&producerID)
      try c.array(&topics)
    }
  }

  public struct Topic: WireStruct {
    public var name = ""
    public var partitions: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.array(&partitions)
    }
  }

  public struct Partition: WireStruct {
    public var partitionIndex: Int32 = 0
    public var errorCode = ErrorCode.none

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.errorCode(&errorCode)
    }
  }
}
