/// Reads the `key=value` lines of a Java properties file, such as server.properties.
///
/// Comments begin with `#` or `!`, a backslash at the end of a line continues it, `:` or a blank may stand for `=`,
/// and `\t`, `\n`, `\\`, `\uXXXX` are escapes. A key that stands twice is refused: in Java the last one wins silently.
enum PropertiesFile {
  static func parse(_ text: String, named file: String) throws(ConfigurationError) -> [String: String] {
    var values: [String: String] = [:]
    for (number, line) in logicalLines(of: text) {
      let (key, value) = split(line)
      guard !key.isEmpty else {
        throw ConfigurationError("\(file), line \(number): a value without a key; write key=value")
      }
      guard values.updateValue(value, forKey: key) == nil else {
        throw ConfigurationError("\(file), line \(number): \(key) is set a second time; keep one of the two")
      }
    }
    return values
  }

  /// Lines without comments, continuations joined, each with the number of its first line.
  private static func logicalLines(of text: String) -> [(Int, Substring.UnicodeScalarView)] {
    var lines: [(Int, Substring.UnicodeScalarView)] = []
    var pending: (number: Int, text: String)?
    for (index, raw) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      let line = raw.drop(while: \.isWhitespace)
      if pending == nil, line.isEmpty || line.hasPrefix("#") || line.hasPrefix("!") { continue }
      let number = pending?.number ?? index + 1
      let joined = (pending?.text ?? "") + line
      let backslashes = joined.reversed().prefix { $0 == "\\" }.count
      if backslashes % 2 == 1 {
        pending = (number, String(joined.dropLast()))
      } else {
        lines.append((number, Substring(joined).unicodeScalars))
        pending = nil
      }
    }
    if let pending { lines.append((pending.number, Substring(pending.text).unicodeScalars)) }
    return lines
  }

  private static func split(_ line: Substring.UnicodeScalarView) -> (String, String) {
    var rest = line
    var key = ""
    while let next = rest.popFirst() {
      if next == "\\" {
        key.unicodeScalars.append(unescaped(&rest))
      } else if next == "=" || next == ":" || next == " " || next == "\t" {
        rest = next == " " || next == "\t" ? afterSeparator(rest) : rest
        break
      } else {
        key.unicodeScalars.append(next)
      }
    }
    rest = rest.drop { $0 == " " || $0 == "\t" }
    var value = ""
    while let next = rest.popFirst() {
      value.unicodeScalars.append(next == "\\" ? unescaped(&rest) : next)
    }
    while value.last?.isWhitespace == true { value.removeLast() }
    return (key, value)
  }

  private static func afterSeparator(_ rest: Substring.UnicodeScalarView) -> Substring.UnicodeScalarView {
    let text = rest.drop { $0 == " " || $0 == "\t" }
    return text.first == "=" || text.first == ":" ? text.dropFirst() : text
  }

  private static func unescaped(_ rest: inout Substring.UnicodeScalarView) -> Unicode.Scalar {
    switch rest.popFirst() {
    case "t": return "\t"
    case "n": return "\n"
    case "r": return "\r"
    case "u":
      var value: UInt32 = 0
      var digits = 0
      while digits < 4, let digit = rest.first.flatMap({ Character($0).hexDigitValue }) {
        value = value << 4 | UInt32(digit)
        rest.removeFirst()
        digits += 1
      }
      return Unicode.Scalar(value) ?? "\u{fffd}"
    case let other?: return other
    case nil: return "\\"
    }
  }
}

/// Why a configuration cannot be used: one sentence that names the key, the value and what would be right.
public struct ConfigurationError: Error, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
