import Vocabulary
import Wire

/// Reads the fields of a message from bytes that a peer sent. Nothing in them can trap, and what is made room
/// for is bounded by the bytes that are there, whatever the counts claim.
struct Decoder: WireCoding {
  let version: Int16
  let isFlexible: Bool
  private(set) var reader: ByteReader
  /// The number of the tagged field that is being read, or -1.
  private var tag: Int64 = -1
  /// Bytes that elements of arrays may still take in memory: an element of one byte on the wire can take forty here.
  private var room: Int

  init(_ bytes: UnsafeRawBufferPointer, version: Int16, flexibleSince: Int16) {
    self.version = version
    isFlexible = version >= flexibleSince
    reader = ByteReader(bytes)
    room = Limits.decodedBaseBytes + 2 * bytes.count
  }

  /// For responses and records: what is left over there shows that the wrong version was read.
  func expectEnd() throws(WireError) {
    guard reader.remaining == 0 else { throw .trailingBytes(reader.remaining) }
  }

  @inline(__always) mutating func bool(_ value: inout Bool) throws(WireError) { value = try reader.int8() != 0 }
  @inline(__always) mutating func int8(_ value: inout Int8) throws(WireError) { value = try reader.int8() }
  @inline(__always) mutating func int16(_ value: inout Int16) throws(WireError) { value = try reader.int16() }
  @inline(__always) mutating func uint16(_ value: inout UInt16) throws(WireError) { value = try reader.uint16() }
  @inline(__always) mutating func int32(_ value: inout Int32) throws(WireError) { value = try reader.int32() }
  @inline(__always) mutating func int64(_ value: inout Int64) throws(WireError) { value = try reader.int64() }
  @inline(__always) mutating func float64(_ value: inout Double) throws(WireError) { value = try reader.float64() }
  @inline(__always) mutating func uuid(_ value: inout UniqueID) throws(WireError) {
    let high = try reader.uint64()
    value = UniqueID(high: high, low: try reader.uint64())
  }
  @inline(__always) mutating func errorCode(_ value: inout ErrorCode) throws(WireError) {
    value = ErrorCode(wire: try reader.int16())
  }

  mutating func string(_ value: inout String) throws(WireError) {
    guard let count = try textLength() else { throw .unexpectedNull }
    value = try reader.text(count)
  }

  mutating func nullableString(_ value: inout String?, since: Int16) throws(WireError) {
    guard let count = try textLength() else {
      guard version >= since else { throw .unexpectedNull }
      value = nil
      return
    }
    value = try reader.text(count)
  }

  mutating func bytes(_ value: inout [UInt8]) throws(WireError) {
    guard let count = try length() else { throw .unexpectedNull }
    value = try reader.copy(count)
  }

  mutating func nullableBytes(_ value: inout [UInt8]?, since: Int16) throws(WireError) {
    guard let count = try length() else {
      guard version >= since else { throw .unexpectedNull }
      value = nil
      return
    }
    value = try reader.copy(count)
  }

  mutating func records(_ value: inout RecordsField) throws(WireError) {
    try nullableRecords(&value)
    if value == .null { throw .unexpectedNull }
  }

  mutating func nullableRecords(_ value: inout RecordsField) throws(WireError) {
    guard let count = try length() else {
      value = .null
      return
    }
    let start = try reader.advance(count)
    value = .inFrame(start..<start + count)
  }

  mutating func array<T: WireValue>(_ values: inout [T]) throws(WireError) {
    guard let count = try length() else { throw .unexpectedNull }
    values = try elements(count)
  }

  mutating func nullableArray<T: WireValue>(_ values: inout [T]?, since: Int16) throws(WireError) {
    guard let count = try length() else {
      guard version >= since else { throw .unexpectedNull }
      values = nil
      return
    }
    values = try elements(count)
  }

  mutating func nullableStruct<T: WireStruct>(_ value: inout T?, since: Int16) throws(WireError) {
    guard try reader.int8() >= 0 else {
      guard version >= since else { throw .unexpectedNull }
      value = nil
      return
    }
    var some = T()
    try some.pass(through: &self)
    value = some
  }

  mutating func tagged<T: WireValue>(_ tag: UInt32, _ value: inout T, absent: T) throws(WireError) {
    guard self.tag == Int64(tag) else { return }
    // A struct inside the field has tags of its own, so that this one must be done with first.
    self.tag = -1
    try value.pass(through: &self)
  }

  @inline(__always) mutating func endOfFields<T: WireStruct>(of value: inout T) throws(WireError) {
    guard isFlexible else { return }
    let count = try reader.unsignedVarint()
    if count > 0 { try taggedFields(count, of: &value) }
  }

  /// Unknown fields are skipped, as KIP-482 asks: a newer peer may send them.
  private mutating func taggedFields<T: WireStruct>(_ count: UInt32, of value: inout T) throws(WireError) {
    // Each takes at least two bytes, its number and its size.
    guard Int(count) <= reader.remaining / 2 else { throw .impossibleLength(Int(count)) }
    var last: Int64 = -1
    for _ in 0..<count {
      let number = Int64(try reader.unsignedVarint())
      guard number > last else { throw .invalidValue("tagged fields out of order") }
      last = number
      let size = Int(try reader.unsignedVarint())
      guard size <= reader.remaining else { throw .truncated }
      let end = reader.position + size
      tag = number
      try value.codeTagged(&self)
      if tag == number {
        tag = -1
        _ = try reader.advance(size)
      }
      guard reader.position == end else { throw .invalidValue("a tagged field of another size than it says") }
    }
  }

  /// A length or count; nil for null.
  @inline(__always) private mutating func length() throws(WireError) -> Int? {
    let count: Int
    if isFlexible { count = Int(try reader.unsignedVarint()) - 1 } else { count = Int(try reader.int32()) }
    guard count >= 0 else {
      if count == -1 { return nil }
      throw .impossibleLength(count)
    }
    guard count <= reader.remaining else { throw .impossibleLength(count) }
    return count
  }

  @inline(__always) private mutating func textLength() throws(WireError) -> Int? {
    let count: Int
    if isFlexible { count = Int(try reader.unsignedVarint()) - 1 } else { count = Int(try reader.int16()) }
    guard count >= 0 else {
      if count == -1 { return nil }
      throw .impossibleLength(count)
    }
    guard count <= Limits.textBytesMax else { throw .impossibleLength(count) }
    return count
  }

  /// Room is made for no more than twice the bytes that are there; an honest array larger than that in
  /// memory grows as its elements arrive.
  private mutating func elements<T: WireValue>(_ count: Int) throws(WireError) -> [T] {
    var values: [T] = []
    guard count > 0 else { return values }
    // Every element is at least one byte, so that a count which cannot be true costs nothing.
    guard count <= reader.remaining else { throw .truncated }
    room -= count * MemoryLayout<T>.stride
    guard room >= 0 else { throw .impossibleLength(count) }
    values.reserveCapacity(count)
    for _ in 0..<count {
      var value = T()
      try value.pass(through: &self)
      values.append(value)
    }
    return values
  }
}
