/// Appends big-endian values to bytes of its own.
@frozen public struct ByteWriter: ~Copyable {
  @usableFromInline var storage: [UInt8]

  @inlinable public init(capacity: Int = 256) {
    storage = []
    storage.reserveCapacity(capacity)
  }

  @inlinable public var bytes: [UInt8] { storage }
  @inlinable public var count: Int { storage.count }
  /// Hands the bytes over and ends the writer.
  @inlinable public consuming func finish() -> [UInt8] { storage }

  @inlinable mutating func store<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.bigEndian) { storage.append(contentsOf: $0) }
  }

  @inlinable public mutating func int8(_ value: Int8) { storage.append(UInt8(bitPattern: value)) }
  @inlinable public mutating func int16(_ value: Int16) { store(value) }
  @inlinable public mutating func uint16(_ value: UInt16) { store(value) }
  @inlinable public mutating func int32(_ value: Int32) { store(value) }
  @inlinable public mutating func uint32(_ value: UInt32) { store(value) }
  @inlinable public mutating func int64(_ value: Int64) { store(value) }
  @inlinable public mutating func uint64(_ value: UInt64) { store(value) }
  @inlinable public mutating func float64(_ value: Double) { store(value.bitPattern) }

  @inlinable public mutating func unsignedVarint(_ value: UInt32) {
    var rest = value
    while rest >= 0x80 {
      storage.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    storage.append(UInt8(truncatingIfNeeded: rest))
  }

  @inlinable public mutating func varint(_ value: Int32) {
    unsignedVarint(UInt32(bitPattern: value << 1 ^ value >> 31))
  }

  @inlinable public mutating func varlong(_ value: Int64) {
    var rest = UInt64(bitPattern: value << 1 ^ value >> 63)
    while rest >= 0x80 {
      storage.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    storage.append(UInt8(truncatingIfNeeded: rest))
  }

  @inlinable public mutating func raw(_ more: some Sequence<UInt8>) { storage.append(contentsOf: more) }
  @inlinable public mutating func raw(_ more: UnsafeRawBufferPointer) { storage.append(contentsOf: more) }
  @inlinable public mutating func text(_ text: String) { storage.append(contentsOf: text.utf8) }

  /// Writes over four bytes that are there already: for a length that is known only afterwards.
  @inlinable public mutating func patch(int32 value: Int32, at position: Int) {
    precondition(position >= 0 && position + 4 <= storage.count, "a patch outside of what was written")
    withUnsafeBytes(of: value.bigEndian) { new in for i in 0..<4 { storage[position + i] = new[i] } }
  }
  @inlinable public mutating func patch(uint32 value: UInt32, at position: Int) {
    patch(int32: Int32(bitPattern: value), at: position)
  }
}
