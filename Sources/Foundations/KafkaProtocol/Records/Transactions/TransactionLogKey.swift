public import Wire

/// The key of a record of `__transaction_state`: the transactional id.
public struct TransactionLogKey: VersionedRecord, Hashable {
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince = Int16.max

  public var transactionalID = ""

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.string(&transactionalID)
  }
}
