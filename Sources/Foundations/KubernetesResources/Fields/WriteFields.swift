public import JSONValue

extension Fields {
  /// The value as JSON: what is nil or empty is left out.
  public var json: JSON {
    var copy = self
    var writer = FieldWriter()
    copy.fields(&writer)
    return .object(JSON.Object(writer.members))
  }
}

struct FieldWriter: FieldCoder {
  var members: [(String, JSON)] = []

  private mutating func put(_ name: String, _ json: JSON) { members.append((name, json)) }

  mutating func text(_ name: String, _ value: inout String, _ form: TextForm, _ presence: Presence, _ about: String) {
    put(name, .string(value))
  }
  mutating func text(_ name: String, _ value: inout String?, _ form: TextForm, _ about: String) {
    if let value { put(name, .string(value)) }
  }
  mutating func number(
    _ name: String, _ value: inout Int, _ range: ClosedRange<Int>, _ presence: Presence, _ about: String
  ) {
    put(name, JSON(value))
  }
  mutating func number(_ name: String, _ value: inout Int?, _ range: ClosedRange<Int>, _ about: String) {
    if let value { put(name, JSON(value)) }
  }
  mutating func flag(_ name: String, _ value: inout Bool, _ about: String) { put(name, .bool(value)) }
  mutating func choice<E: Choice>(_ name: String, _ value: inout E, _ presence: Presence, _ about: String) {
    put(name, .string(value.rawValue))
  }
  mutating func texts(_ name: String, _ value: inout [String], _ form: TextForm, max: Int, _ about: String) {
    if !value.isEmpty { put(name, JSON(value)) }
  }
  mutating func numbers(_ name: String, _ value: inout [Int], max: Int, _ about: String) {
    if !value.isEmpty { put(name, .array(value.map { JSON($0) })) }
  }
  mutating func textMap(_ name: String, _ value: inout [String: String], _ form: TextForm, _ about: String) {
    if !value.isEmpty { put(name, JSON(value)) }
  }
  mutating func numberMap(_ name: String, _ value: inout [String: Int], _ range: ClosedRange<Int>, _ about: String) {
    if !value.isEmpty { put(name, .object(JSON.Object(value.map { ($0.key, JSON($0.value)) }))) }
  }
  mutating func part<F: Fields>(_ name: String, _ value: inout F, _ presence: Presence, _ about: String) {
    put(name, value.json)
  }
  mutating func part<F: Fields>(_ name: String, _ value: inout F?, _ about: String) {
    if let value { put(name, value.json) }
  }
  mutating func parts<F: Fields>(_ name: String, _ value: inout [F], key: String?, max: Int, _ about: String) {
    if !value.isEmpty { put(name, .array(value.map(\.json))) }
  }
}
