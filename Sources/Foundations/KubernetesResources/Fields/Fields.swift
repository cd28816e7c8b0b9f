/// A part of a resource that states its fields once.
///
/// One generic function names every field with its form, limits and description. Reading, writing and the OpenAPI
/// schema all come from it, so that what the API server accepts and what the operator understands cannot drift apart.
public protocol Fields: Hashable, Sendable {
  /// Every field at its default.
  init()
  mutating func fields<C: FieldCoder>(_ c: inout C)
  /// What the schema can refuse by itself over several fields, in CEL. API servers before 1.25 drop these rules:
  /// the operator makes each of these checks again.
  static var rules: [SchemaRule] { get }
}

extension Fields {
  public static var rules: [SchemaRule] { [] }
}

/// One of `x-kubernetes-validations`.
public struct SchemaRule: Hashable, Sendable {
  /// CEL; `self` is the object, `oldSelf` makes the rule one about changes.
  public let rule: String
  public let message: String
  public init(_ rule: String, _ message: String) {
    self.rule = rule
    self.message = message
  }
}

/// Whether a field has to be there.
public enum Presence: Sendable { case required, defaulted }

/// How much a resource may hold. The schema states these, and reading enforces them.
public enum ResourceLimits {
  /// Elements of a list that people write.
  public static let itemsMax = 64
  /// Elements of a list in a status.
  public static let statusItemsMax = 1000
  /// Pairs in a map of settings.
  public static let pairsMax = 256
  /// Characters of a value of a setting.
  public static let valueLengthMax = 4096
  /// Nodes of one Region: node ids are given out in blocks of this size.
  public static let nodesPerRegionMax = 100
  /// Partitions of a topic.
  public static let partitionsMax = 100_000
}

/// What the fields are told to: reading, writing, or listing them.
public protocol FieldCoder {
  mutating func text(_ name: String, _ value: inout String, _ form: TextForm, _ presence: Presence, _ about: String)
  mutating func text(_ name: String, _ value: inout String?, _ form: TextForm, _ about: String)
  mutating func number(
    _ name: String, _ value: inout Int, _ range: ClosedRange<Int>, _ presence: Presence, _ about: String)
  mutating func number(_ name: String, _ value: inout Int?, _ range: ClosedRange<Int>, _ about: String)
  mutating func flag(_ name: String, _ value: inout Bool, _ about: String)
  mutating func choice<E: Choice>(_ name: String, _ value: inout E, _ presence: Presence, _ about: String)
  mutating func texts(_ name: String, _ value: inout [String], _ form: TextForm, max: Int, _ about: String)
  mutating func numbers(_ name: String, _ value: inout [Int], max: Int, _ about: String)
  mutating func textMap(_ name: String, _ value: inout [String: String], _ form: TextForm, _ about: String)
  mutating func numberMap(_ name: String, _ value: inout [String: Int], _ range: ClosedRange<Int>, _ about: String)
  mutating func part<F: Fields>(_ name: String, _ value: inout F, _ presence: Presence, _ about: String)
  mutating func part<F: Fields>(_ name: String, _ value: inout F?, _ about: String)
  /// A list whose elements have a name: `key` is the field that is different in each. Nil is a list that is replaced
  /// whole.
  mutating func parts<F: Fields>(_ name: String, _ value: inout [F], key: String?, max: Int, _ about: String)
}

/// A text out of a few.
public protocol Choice: RawRepresentable, CaseIterable, Hashable, Sendable where RawValue == String {}
