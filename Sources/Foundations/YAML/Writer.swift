public import JSONValue

extension JSON {
  /// The value as one YAML document that ends with a newline: blocks as kubectl writes them, text in quotation marks
  /// wherever any reader might take it for something else, longer text as a literal block.
  public func yamlText() -> String {
    var writer = YAMLWriter()
    writer.document(self)
    return writer.text
  }

  /// Several documents with `---` between them.
  public static func yamlText(documents: [JSON]) -> String {
    documents.map { $0.yamlText() }.joined(separator: "---\n")
  }
}

private struct YAMLWriter {
  /// libyaml reads a key before its colon only up to this length; longer ones need a question mark.
  static let simpleKeyBytesMax = 1000
  var text = ""

  mutating func document(_ value: JSON) {
    switch value {
    case .object(let object) where !object.isEmpty: members(object, indent: 0, startsInline: true)
    case .array(let values) where !values.isEmpty: items(values, indent: 0, startsInline: true)
    default: scalar(value, indent: -2)
    }
  }

  private mutating func members(_ object: JSON.Object, indent: Int, startsInline: Bool) {
    for (place, member) in object.members.enumerated() {
      if place > 0 || !startsInline { pad(indent) }
      let key = Self.flow(member.key)
      if key.utf8.count > Self.simpleKeyBytesMax {
        text += "? \(key)\n"
        pad(indent)
        text += ":"
      } else {
        text += key + ":"
      }
      switch member.value {
      case .object(let inner) where !inner.isEmpty:
        text += "\n"
        members(inner, indent: indent + 2, startsInline: false)
      case .array(let values) where !values.isEmpty:
        text += "\n"
        items(values, indent: indent, startsInline: false)
      default:
        text += " "
        scalar(member.value, indent: indent)
      }
    }
  }

  private mutating func items(_ values: [JSON], indent: Int, startsInline: Bool) {
    for (place, value) in values.enumerated() {
      if place > 0 || !startsInline { pad(indent) }
      text += "- "
      switch value {
      case .object(let inner) where !inner.isEmpty: members(inner, indent: indent + 2, startsInline: true)
      case .array(let inner) where !inner.isEmpty: items(inner, indent: indent + 2, startsInline: true)
      default: scalar(value, indent: indent)
      }
    }
  }

  private mutating func scalar(_ value: JSON, indent: Int) {
    switch value {
    case .string(let string):
      if let lines = Self.literalLines(string) {
        text += string.hasSuffix("\n\n") ? "|+\n" : string.hasSuffix("\n") ? "|\n" : "|-\n"
        for line in lines {
          if !line.isEmpty { pad(max(indent, 0) + 2) }
          text += line + "\n"
        }
      } else {
        text += Self.flow(string) + "\n"
      }
    default: text += value.text() + "\n"
    }
  }

  private mutating func pad(_ count: Int) { text += String(repeating: " ", count: count) }

  /// The lines of a text that can be a literal block; nil for one that would not come back as it is.
  ///
  /// Byte by byte, as YAML's grammar goes: a space before a combining mark is no `Character` of its own, and it is
  /// nevertheless the indentation that a reader sees.
  private static func literalLines(_ string: String) -> [Substring]? {
    guard string.utf8.contains(newline) else { return nil }
    guard string.unicodeScalars.allSatisfy({ $0 == "\n" || $0 == "\t" || isPrintable($0) }) else { return nil }
    var lines = string.utf8.split(separator: newline, omittingEmptySubsequences: false)
    guard let start = lines.first?.first, start != space, start != tab else { return nil }
    let hasBlank = lines.contains { $0.first == tab || (!$0.isEmpty && $0.allSatisfy { $0 == space }) }
    guard !hasBlank else { return nil }
    if lines.last?.isEmpty == true { lines.removeLast() }
    return lines.map(Substring.init)
  }

  private static let newline = UInt8(ascii: "\n")
  private static let space = UInt8(ascii: " ")
  private static let tab = UInt8(ascii: "\t")

  private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x20..<0x7F, 0xA0..<0x2028, 0x202A..<0xD800, 0xE000..<0xFEFF, 0xFF00..<0xFFFE, 0x10000...0x10FFFF: true
    default: false
    }
  }

  /// The text on one line, in quotation marks unless it is as plain as a name.
  private static func flow(_ string: String) -> String { isPlain(string) ? string : quoted(string) }

  private static func isPlain(_ string: String) -> Bool {
    guard let first = string.unicodeScalars.first, isWord(first) || first == "/" || first == "." else { return false }
    guard case .string? = PlainScalar.value(of: string) else { return false }
    var previous: Unicode.Scalar = " "
    for scalar in string.unicodeScalars {
      // A colon ends a key and a number sign begins a comment only beside a space.
      if previous == ":" && scalar == " " || previous == " " && scalar == "#" { return false }
      guard isWord(scalar) || " #:/._-@+=,()%$*!".unicodeScalars.contains(scalar) else { return false }
      previous = scalar
    }
    // Other readers take 1:20 for a number to the base of 60, and 2001-01-01 for a date.
    let looksLikeNumber = first.value >= 0x30 && first.value <= 0x39 && (string.contains(":") || string.contains("-"))
    return previous != ":" && previous != " " && !looksLikeNumber && !string.hasPrefix("...")
  }

  private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "_": true
    default: false
    }
  }

  private static func quoted(_ string: String) -> String {
    var result = "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      case _ where isPrintable(scalar): result.unicodeScalars.append(scalar)
      default:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
      }
    }
    return result + "\""
  }
}
