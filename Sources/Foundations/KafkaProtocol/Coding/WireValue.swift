public import Vocabulary
public import Wire

/// Anything that can be an element of an array or a tagged field.
public protocol WireValue: Sendable, Equatable {
  /// The value of a field that is not there.
  init()
  mutating func pass<C: WireCoder>(through c: inout C) throws(WireError)
}

/// A message or a part of one: states its fields once, in order.
public protocol WireStruct: NullableWireValue {
  mutating func code<C: WireCoder>(_ c: inout C) throws(WireError)
  /// The fields that flexible versions carry by number, lowest first (KIP-482).
  mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError)
}

extension WireStruct {
  @inline(__always) public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {}

  @inline(__always) public mutating func pass<C: WireCoder>(through c: inout C) throws(WireError) {
    try code(&c)
    try c.endOfFields(of: &self)
  }

  @inline(__always) public static func passNullable<C: WireCoder>(
    _ value: inout Self?, through c: inout C
  ) throws(WireError) {
    try c.nullableStruct(&value)
  }

  /// Fills a new value in place: `FetchRequest.Topic { $0.topic = name }`.
  @inlinable public init(_ fill: (inout Self) -> Void) {
    self.init()
    fill(&self)
  }
}

/// A value for which the wire has a null.
public protocol NullableWireValue: WireValue {
  static func passNullable<C: WireCoder>(_ value: inout Self?, through c: inout C) throws(WireError)
}

extension Optional: WireValue where Wrapped: NullableWireValue {
  public init() { self = nil }
  @inline(__always) public mutating func pass<C: WireCoder>(through c: inout C) throws(WireError) {
    try Wrapped.passNullable(&self, through: &c)
  }
}

extension Array: WireValue where Element: WireValue {
  @inline(__always) public mutating func pass<C: WireCoder>(through c: inout C) throws(WireError) {
    try c.array(&self)
  }
}
extension Array: NullableWireValue where Element: WireValue {
  @inline(__always) public static func passNullable<C: WireCoder>(
    _ value: inout Self?, through c: inout C
  ) throws(WireError) {
    try c.nullableArray(&value)
  }
}

extension String: NullableWireValue {
  @inline(__always) public mutating func pass<C: WireCoder>(through c: inout C) throws(WireError) {
    try c.string(&self)
  }
  @inline(__always) public static func passNullable<C: WireCoder>(
    _ value: inout Self?, through c: inout C
  ) throws(WireError) {
    try c.nullableString(&value)
  }
}

extension Bool: WireValue {
  @inline(__always) public mutating func pass<C: WireCoder>(through c: inout C) throws(WireError) { try c.bool(&self) }
}
extension Int8: WireValue {
  @inline(__always) public mutating func pass<C: WireCoder>(through c: inout C) throws(WireError) { try c.int8(&self) }
}
extension Int16: WireValue {
  @inline(__always) public mutating func pass<C: WireCoder>(through c: inout C) throws(WireError) { try c.int16(&self) }
}
extension Int32: WireValue {
  @inline(__always) public mutating func pass<C: WireCoder>(through c: inout C) throws(WireError) { try c.int32(&self) }
}
extension Int64: WireValue {
  @inline(__always) public mutating func pass<C: WireCoder>(through c: inout C) throws(WireError) { try c.int64(&self) }
}
extension UniqueID: WireValue {
  public init() { self = .zero }
  @inline(__always) public mutating func pass<C: WireCoder>(through c: inout C) throws(WireError) { try c.uuid(&self) }
}
extension ErrorCode: WireValue {
  public init() { self = .none }
  @inline(__always) public mutating func pass<C: WireCoder>(through c: inout C) throws(WireError) {
    try c.errorCode(&self)
  }
}
