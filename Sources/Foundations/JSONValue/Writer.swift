extension JSON {
  public enum Form: Sendable {
    /// On one line, without spaces.
    case compact
    /// Two spaces for each depth.
    case pretty
  }

  /// The value as text. A number that JSON has no form for (infinite, or not a number) is written as null.
  public func text(_ form: Form = .compact) -> String { String(decoding: bytes(form), as: UTF8.self) }

  /// The value as UTF-8.
  public func bytes(_ form: Form = .compact) -> [UInt8] {
    var writer = JSONWriter(form: form)
    writer.write(self, depth: 0)
    return writer.bytes
  }
}

private struct JSONWriter {
  let form: JSON.Form
  var bytes: [UInt8] = []

  init(form: JSON.Form) { self.form = form }

  mutating func write(_ value: JSON, depth: Int) {
    switch value {
    case .null: put("null")
    case .bool(let value): put(value ? "true" : "false")
    case .integer(let value): put(String(value))
    case .number(let value): put(value.isFinite ? shortest(value) : "null")
    case .string(let value): put(quoted: value)
    case .array(let values):
      list(values.count, "[", "]", depth) { writer, place in writer.write(values[place], depth: depth + 1) }
    case .object(let object):
      let members = object.members
      list(members.count, "{", "}", depth) { writer, place in
        writer.put(quoted: members[place].key)
        writer.put(writer.form == .pretty ? ": " : ":")
        writer.write(members[place].value, depth: depth + 1)
      }
    }
  }

  private mutating func list(
    _ count: Int, _ opening: String, _ closing: String, _ depth: Int, _ element: (inout Self, Int) -> Void
  ) {
    put(opening)
    for place in 0..<count {
      if place > 0 { put(",") }
      breakLine(depth + 1)
      element(&self, place)
    }
    if count > 0 { breakLine(depth) }
    put(closing)
  }

  private mutating func breakLine(_ depth: Int) {
    guard form == .pretty else { return }
    bytes.append(0x0A)
    bytes.append(contentsOf: repeatElement(0x20, count: 2 * depth))
  }

  private func shortest(_ value: Double) -> String {
    let text = value.description
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  private mutating func put(_ text: String) { bytes.append(contentsOf: text.utf8) }

  private mutating func put(quoted text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): put("\\\"")
      case UInt8(ascii: "\\"): put("\\\\")
      case 0x0A: put("\\n")
      case 0x0D: put("\\r")
      case 0x09: put("\\t")
      case 0..<0x20, 0x7F:
        put("\\u00")
        put(byte < 16 ? "0" : "")
        put(String(byte, radix: 16))
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
