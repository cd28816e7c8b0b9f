public import Vocabulary
public import Wire

// A message that states its fields twice, once to read and once to write them, drifts apart with the first
// version that somebody forgets. A table of fields states them once but costs 20 to 80 times as much.
//
// Here each message walks its fields once, in order, in one generic function over a coder:
//
//     try c.string(&name)
//     if c.version >= 3 { try c.nullableString(&instanceID) }
//
// Whether that reads, writes or invents the fields is the coder's business, and so are compact lengths,
// nulls and tagged fields (KIP-482). A field that the version does not have keeps its default.

/// Walks the fields of one message of one version, in their order on the wire.
///
/// The coders that read and write live in this module alone, so that they are specialised for every message;
/// others reach them through `RequestBody` and `ResponseBody`.
public protocol WireCoding: ~Copyable {
  var version: Int16 { get }
  /// KIP-482: lengths are compact and structs end in tagged fields.
  var isFlexible: Bool { get }

  mutating func bool(_ value: inout Bool) throws(WireError)
  mutating func int8(_ value: inout Int8) throws(WireError)
  mutating func int16(_ value: inout Int16) throws(WireError)
  mutating func uint16(_ value: inout UInt16) throws(WireError)
  mutating func int32(_ value: inout Int32) throws(WireError)
  mutating func int64(_ value: inout Int64) throws(WireError)
  mutating func float64(_ value: inout Double) throws(WireError)
  mutating func uuid(_ value: inout UniqueID) throws(WireError)
  /// A number that we do not know reads as UNKNOWN_SERVER_ERROR.
  mutating func errorCode(_ value: inout ErrorCode) throws(WireError)

  /// At most `Limits.textBytesMax` bytes of UTF-8.
  mutating func string(_ value: inout String) throws(WireError)
  mutating func bytes(_ value: inout [UInt8]) throws(WireError)
  mutating func array<T: WireValue>(_ values: inout [T]) throws(WireError)

  // Before the version `since`, null is refused when it is read, and written as an empty value.
  mutating func nullableString(_ value: inout String?, since: Int16) throws(WireError)
  mutating func nullableBytes(_ value: inout [UInt8]?, since: Int16) throws(WireError)
  mutating func nullableArray<T: WireValue>(_ values: inout [T]?, since: Int16) throws(WireError)
  mutating func nullableStruct<T: WireStruct>(_ value: inout T?, since: Int16) throws(WireError)

  /// Record batches, which are never copied out of their frame.
  mutating func records(_ value: inout RecordsField) throws(WireError)
  mutating func nullableRecords(_ value: inout RecordsField) throws(WireError)

  /// Inside `codeTagged` only: the field of this number, left out while it equals `absent`, its default.
  mutating func tagged<T: WireValue>(_ tag: UInt32, _ value: inout T, absent: T) throws(WireError)
  /// The tagged fields that end a struct in flexible versions.
  mutating func endOfFields<T: WireStruct>(of value: inout T) throws(WireError)
}

/// What the field functions of messages are generic over. A coder may own its bytes, hence not Copyable.
public typealias WireCoder = WireCoding & ~Copyable

extension WireCoding where Self: ~Copyable {
  @inline(__always) public mutating func nullableString(_ value: inout String?) throws(WireError) {
    try nullableString(&value, since: 0)
  }
  @inline(__always) public mutating func nullableBytes(_ value: inout [UInt8]?) throws(WireError) {
    try nullableBytes(&value, since: 0)
  }
  @inline(__always) public mutating func nullableArray<T: WireValue>(_ values: inout [T]?) throws(WireError) {
    try nullableArray(&values, since: 0)
  }
  @inline(__always) public mutating func nullableStruct<T: WireStruct>(_ value: inout T?) throws(WireError) {
    try nullableStruct(&value, since: 0)
  }
  /// A struct within a struct, with tagged fields of its own.
  @inline(__always) public mutating func structure<T: WireStruct>(_ value: inout T) throws(WireError) {
    try value.pass(through: &self)
  }
}

/// What one frame may hold. Frames themselves are bounded by `socket.request.max.bytes`.
public enum Limits {
  /// Kafka's own limit for a string in any version: longer ones are refused, and cut off when we write them.
  public static let textBytesMax = 32_767
  /// What the elements of arrays may take in memory, besides twice the frame: more than any client's request, and
  /// little enough that a frame of tiny elements gains nothing. Beyond it the frame cannot be read.
  public static let decodedBaseBytes = 4 << 20
}
