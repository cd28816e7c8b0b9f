/// A JSON value (RFC 8259), as Kubernetes speaks it.
///
/// Integers that fit in 64 bits stay integers, as in Kubernetes' own decoder; everything else with a number's form is
/// a `Double`. Equality is that of values: the order of an object's keys does not matter, and 1 equals 1.0.
public enum JSON: Sendable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([JSON])
  case object(Object)
}

extension JSON: Hashable {
  public static func == (a: JSON, b: JSON) -> Bool {
    switch (a, b) {
    case (.null, .null): true
    case (.bool(let a), .bool(let b)): a == b
    case (.integer(let a), .integer(let b)): a == b
    case (.number(let a), .number(let b)): a == b
    case (.integer(let a), .number(let b)), (.number(let b), .integer(let a)): Int64(exactly: b) == a
    case (.string(let a), .string(let b)): a == b
    case (.array(let a), .array(let b)): a == b
    case (.object(let a), .object(let b)): a == b
    default: false
    }
  }

  public func hash(into hasher: inout Hasher) {
    switch self {
    case .null: hasher.combine(0)
    case .bool(let value): hasher.combine(value)
    case .integer(let value): hasher.combine(value)
    case .number(let value):
      // What equals an integer must hash like it.
      if let whole = Int64(exactly: value) { hasher.combine(whole) } else { hasher.combine(value) }
    case .string(let value): hasher.combine(value)
    case .array(let values): hasher.combine(values)
    case .object(let object): hasher.combine(object)
    }
  }
}

// Null has no literal: `nil` would sometimes mean null and sometimes that there is no value.
extension JSON: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringInterpolation, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int64) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .number(value) }
  public init(stringLiteral value: String) { self = .string(value) }
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSON)...) { self = .object(Object(elements)) }
}

extension JSON {
  public init(_ value: String) { self = .string(value) }
  public init(_ value: Bool) { self = .bool(value) }
  public init(_ value: some BinaryInteger) { self = Int64(exactly: value).map(JSON.integer) ?? .number(Double(value)) }
  public init(_ values: some Sequence<String>) { self = .array(values.map(JSON.string)) }
  /// Labels, annotations, data of a ConfigMap.
  public init(_ values: [String: String]) { self = .object(Object(values.map { ($0.key, .string($0.value)) })) }
  /// What is missing becomes null, which `withoutNulls` takes away.
  public init(_ value: String?) { self = value.map(JSON.string) ?? .null }

  public var isNull: Bool { if case .null = self { true } else { false } }
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  public var array: [JSON]? { if case .array(let values) = self { values } else { nil } }
  public var object: Object? { if case .object(let object) = self { object } else { nil } }
  /// A whole number, whichever way it was written; nil where it does not fit.
  public var int64: Int64? {
    switch self {
    case .integer(let value): value
    case .number(let value): Int64(exactly: value)
    default: nil
    }
  }
  /// A whole number, whichever way it was written; nil where it does not fit.
  public var int: Int? { int64.flatMap(Int.init(exactly:)) }
  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
  /// The elements of an array; none for everything else.
  public var elements: [JSON] { array ?? [] }
  /// The members of an object in the order of their keys; none for everything else.
  public var members: [Object.Member] { object?.members ?? [] }
  /// The strings of an array or nil when it is not one or holds something else.
  public var strings: [String]? {
    guard let array else { return nil }
    let found = array.compactMap(\.string)
    return found.count == array.count ? found : nil
  }
  /// An object whose values are all strings, such as labels; nil for everything else.
  public var texts: [String: String]? {
    guard let object else { return nil }
    var found: [String: String] = [:]
    for member in object.members {
      guard let text = member.value.string else { return nil }
      found[member.key] = text
    }
    return found
  }

  /// The value of a key: null when it is missing or when this is no object, so that paths can be followed without
  /// asking at each step. Setting a key of null makes an object, of anything else that is no object replaces it.
  /// Setting null keeps the key with null in it: a merge patch needs that. `remove` takes a key away.
  public subscript(key: String) -> JSON {
    get { if case .object(let object) = self { object[key] ?? .null } else { .null } }
    set {
      var object = self.object ?? Object()
      self = .null
      object[key] = newValue
      self = .object(object)
    }
  }

  /// The element at a place: null when there is none or when this is no array.
  public subscript(place: Int) -> JSON {
    if case .array(let values) = self, values.indices.contains(place) { values[place] } else { .null }
  }

  /// Takes a key away and returns what it had.
  @discardableResult public mutating func remove(_ key: String) -> JSON? {
    guard case .object(var object) = self else { return nil }
    self = .null
    let had = object.remove(key)
    self = .object(object)
    return had
  }

  /// The same value without members that are null, at every depth; elements of arrays stay.
  public func withoutNulls() -> JSON {
    switch self {
    case .object(let object):
      .object(Object(sorted: object.members.filter { !$0.value.isNull }.map { .init($0.key, $0.value.withoutNulls()) }))
    case .array(let values): .array(values.map { $0.withoutNulls() })
    default: self
    }
  }

  /// What kind of value this is, in words for people: `an object`, `a string`.
  public var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .integer: "an integer"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

extension JSON: CustomStringConvertible {
  /// The compact text.
  public var description: String { text() }
}
