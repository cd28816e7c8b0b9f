/// One JSON object whose fields are whole numbers and texts, as Kafka's small state files are. Lists, objects and other
/// values inside of it are checked and passed over.
struct FlatJSON {
  enum Value: Hashable, Sendable {
    case number(Int64)
    case text(String)
    case other
  }
  /// Deeper ones are not ours.
  private static let depthMax = 16
  private struct Malformed: Error {}

  private let bytes: [UInt8]
  private var at = 0

  /// Nil for what is no object, or more than one.
  static func read(_ bytes: [UInt8]) -> [String: Value]? {
    guard String(validating: bytes, as: UTF8.self) != nil else { return nil }
    var reader = FlatJSON(bytes: bytes)
    do {
      let fields = try reader.object(depth: 0)
      reader.skipBlanks()
      return reader.at == bytes.count ? fields : nil
    } catch {
      return nil
    }
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private mutating func skipBlanks() {
    while at < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[at]) { at += 1 }
  }

  private mutating func next() -> UInt8? {
    skipBlanks()
    return at < bytes.count ? bytes[at] : nil
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard next() == UInt8(ascii: character) else { return false }
    at += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(Malformed) {
    guard take(character) else { throw Malformed() }
  }

  private mutating func object(depth: Int) throws(Malformed) -> [String: Value] {
    guard depth < Self.depthMax else { throw Malformed() }
    var fields: [String: Value] = [:]
    try expect("{")
    if take("}") { return fields }
    repeat {
      let name = try text()
      try expect(":")
      guard fields.updateValue(try value(depth: depth), forKey: name) == nil else { throw Malformed() }
    } while take(",")
    try expect("}")
    return fields
  }

  private mutating func list(depth: Int) throws(Malformed) {
    guard depth < Self.depthMax else { throw Malformed() }
    try expect("[")
    if take("]") { return }
    repeat { _ = try value(depth: depth) } while take(",")
    try expect("]")
  }

  private mutating func value(depth: Int) throws(Malformed) -> Value {
    switch next() {
    case UInt8(ascii: "\""): return .text(try text())
    case UInt8(ascii: "{"):
      _ = try object(depth: depth + 1)
      return .other
    case UInt8(ascii: "["):
      try list(depth: depth + 1)
      return .other
    default: return try word()
    }
  }

  /// A number, or true, false and null.
  private mutating func word() throws(Malformed) -> Value {
    let start = at
    while at < bytes.count, ![0x20, 0x09, 0x0a, 0x0d, 0x2c, 0x5d, 0x7d].contains(bytes[at]) { at += 1 }
    let word = String(decoding: bytes[start..<at], as: UTF8.self)
    if ["true", "false", "null"].contains(word) { return .other }
    guard let number = Int64(word), !word.hasPrefix("+") else { throw Malformed() }
    return .number(number)
  }

  private mutating func text() throws(Malformed) -> String {
    try expect("\"")
    var text: [UInt8] = []
    while at < bytes.count {
      let byte = bytes[at]
      at += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"):
        // Names, numbers and ids need no escapes but these.
        guard at < bytes.count, [UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/")].contains(bytes[at]) else {
          throw Malformed()
        }
        text.append(bytes[at])
        at += 1
      case ..<0x20: throw Malformed()
      default: text.append(byte)
      }
    }
    throw Malformed()
  }
}
