public import Wire

/// The state of a transactional id, in `__transaction_state`.
public struct TransactionLogValue: VersionedRecord {
  public static let versions: ClosedRange<Int16> = 0...1
  public static let flexibleSince: Int16 = 1

  public var producerID: Int64 = 0
  /// KIP-890.
  public var previousProducerID: Int64 = -1
  /// KIP-890.
  public var nextProducerID: Int64 = -1
  public var producerEpoch: Int16 = 0
  public var transactionTimeoutMs: Int32 = 0
  public var transactionStatus: Int8 = 0
  public var transactionPartitions: [TopicPartitions]? = []
  public var transactionLastUpdateTimestampMs: Int64 = 0
  public var transactionStartTimestampMs: Int64 = 0
  /// KIP-890.
  public var clientTransactionVersion: Int16 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int64(&producerID)
    try c.int16(&producerEpoch)
    try c.int32(&transactionTimeoutMs)
    try c.int8(&transactionStatus)
    try c.nullableArray(&transactionPartitions)
    try c.int64(&transactionLastUpdateTimestampMs)
    try c.int64(&transactionStartTimestampMs)
  }

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 1 {
      try c.tagged(0, &previousProducerID, absent: -1)
      try c.tagged(1, &nextProducerID, absent: -1)
      try c.tagged(2, &clientTransactionVersion, absent: 0)
    }
  }
}

extension TransactionLogValue {
  public struct TopicPartitions: WireStruct {
    public var topic = ""
    public var partitionIDs: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&topic)
      try c.array(&partitionIDs)
    }
  }
}
