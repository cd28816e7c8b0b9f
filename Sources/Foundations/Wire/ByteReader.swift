/// Why bytes could not be read. The connection that sent them is closed; none of these is our own bug.
public enum WireError: Error, Hashable, Sendable {
  /// The bytes end before the value does.
  case truncated
  /// A length or count that is negative, or larger than the bytes that remain.
  case impossibleLength(Int)
  /// A variable-length integer of more bytes than its type can hold.
  case varintTooLong
  /// Text that is not UTF-8.
  case invalidText
  /// A field is null where the version does not allow it.
  case unexpectedNull
  /// Bytes are left over after the last field.
  case trailingBytes(Int)
  /// A value that the field cannot hold, such as a field that this version does not have.
  case invalidValue(String)
}

/// Reads big-endian values from bytes that somebody else owns, and never past their end.
///
/// Every count is compared with the bytes that remain before anything is made room for.
/// The bytes must outlive the reader: make one inside `withUnsafeBytes` and do not keep it.
@frozen public struct ByteReader {
  @usableFromInline let bytes: UnsafeRawBufferPointer
  @usableFromInline var cursor: Int

  @inlinable public init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
    self.cursor = 0
  }

  /// How many bytes have been read.
  @inlinable public var position: Int { cursor }
  @inlinable public var remaining: Int { bytes.count - cursor }

  /// Moves over `count` bytes and says where they began.
  @inlinable public mutating func advance(_ count: Int) throws(WireError) -> Int {
    guard count >= 0 else { throw .impossibleLength(count) }
    guard count <= bytes.count - cursor else { throw .truncated }
    let start = cursor
    cursor += count
    return start
  }

  @inlinable mutating func load<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) throws(WireError) -> T {
    let start = try advance(MemoryLayout<T>.size)
    return T(bigEndian: bytes.loadUnaligned(fromByteOffset: start, as: T.self))
  }

  @inlinable public mutating func int8() throws(WireError) -> Int8 { try load(Int8.self) }
  @inlinable public mutating func int16() throws(WireError) -> Int16 { try load(Int16.self) }
  @inlinable public mutating func uint16() throws(WireError) -> UInt16 { try load(UInt16.self) }
  @inlinable public mutating func int32() throws(WireError) -> Int32 { try load(Int32.self) }
  @inlinable public mutating func uint32() throws(WireError) -> UInt32 { try load(UInt32.self) }
  @inlinable public mutating func int64() throws(WireError) -> Int64 { try load(Int64.self) }
  @inlinable public mutating func uint64() throws(WireError) -> UInt64 { try load(UInt64.self) }
  @inlinable public mutating func float64() throws(WireError) -> Double { Double(bitPattern: try uint64()) }

  /// 7 bits a byte, lowest first: at most five bytes.
  @inlinable public mutating func unsignedVarint() throws(WireError) -> UInt32 {
    var value: UInt32 = 0
    var shift: UInt32 = 0
    while true {
      let byte = UInt8(bitPattern: try int8())
      guard shift < 28 || byte < 16 else { throw .varintTooLong }
      value |= UInt32(byte & 0x7f) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
  }

  /// Zigzag, as records use it.
  @inlinable public mutating func varint() throws(WireError) -> Int32 {
    let raw = try unsignedVarint()
    return Int32(bitPattern: raw >> 1) ^ -Int32(bitPattern: raw & 1)
  }

  /// Zigzag, at most ten bytes.
  @inlinable public mutating func varlong() throws(WireError) -> Int64 {
    var raw: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let byte = UInt8(bitPattern: try int8())
      guard shift < 63 || byte < 2 else { throw .varintTooLong }
      raw |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { break }
      shift += 7
    }
    return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
  }

  /// `count` bytes of UTF-8.
  @inlinable public mutating func text(_ count: Int) throws(WireError) -> String {
    let start = try advance(count)
    let slice = UnsafeRawBufferPointer(rebasing: bytes[start..<start + count])
    guard let text = String(validating: slice, as: UTF8.self) else { throw .invalidText }
    return text
  }

  /// A copy of `count` bytes.
  @inlinable public mutating func copy(_ count: Int) throws(WireError) -> [UInt8] {
    let slice = try slice(count)
    return [UInt8](unsafeUninitializedCapacity: count) { room, filled in
      UnsafeMutableRawBufferPointer(room).copyMemory(from: slice)
      filled = count
    }
  }

  /// `count` bytes where they lie; valid as long as the reader's own bytes.
  @inlinable public mutating func slice(_ count: Int) throws(WireError) -> UnsafeRawBufferPointer {
    let start = try advance(count)
    return UnsafeRawBufferPointer(rebasing: bytes[start..<start + count])
  }
}
