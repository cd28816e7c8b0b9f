import JSONValue

/// What a scalar without quotation marks means.
///
/// Decided as kubectl decides it, through sigs.k8s.io/yaml: that is YAML 1.1 for booleans (`yes`, `no`, `on`, `off`,
/// `y`, `n`) and for octal numbers that begin with 0, without numbers to the base of 60, and with dates left as text.
/// A manifest means the same here and there, and what surprises is that `no` is false in both.
enum PlainScalar {
  /// Nil for what JSON cannot say: infinities, and what is not a number.
  static func value(of text: String) -> JSON? {
    guard let first = text.utf8.first else { return .null }
    switch first {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"):
      if infinite.contains(text) { return nil }
      let plain = text.filter { $0 != "_" }
      if let whole = integer(plain) { return whole }
      if isFloat(plain), let value = Double(plain), value.isFinite { return .number(value) }
      return .string(text)
    case UInt8(ascii: "."):
      if infinite.contains(text) { return nil }
      if isFloat(text), let value = Double(text), value.isFinite { return .number(value) }
      return .string(text)
    default: return words[text] ?? .string(text)
    }
  }

  private static let infinite: Set<String> = [
    ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF",
  ]

  private static let words: [String: JSON] = {
    var words: [String: JSON] = ["~": .null, "null": .null, "Null": .null, "NULL": .null]
    for word in ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"] { words[word] = .bool(true) }
    for word in ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"] {
      words[word] = .bool(false)
    }
    return words
  }()

  /// Decimal, or with 0x, 0o, 0b or a leading 0 to the base of 16, 8, 2 or 8.
  private static func integer(_ text: String) -> JSON? {
    var digits = Substring(text)
    let isNegative = digits.first == "-"
    if digits.first == "-" || digits.first == "+" { digits.removeFirst() }
    var radix = 10
    if digits.first == "0" && digits.utf8.count > 1 {
      digits.removeFirst()
      switch digits.first {
      case "x", "X": radix = 16
      case "o", "O": radix = 8
      case "b", "B": radix = 2
      default: radix = 8
      }
      if radix != 8 || digits.first == "o" || digits.first == "O" { digits.removeFirst() }
    }
    // A second sign would be taken for the number's own.
    guard let first = digits.utf8.first, first != UInt8(ascii: "-"), first != UInt8(ascii: "+") else { return nil }
    if let value = Int64((isNegative ? "-" : "") + digits, radix: radix) { return .integer(value) }
    if let value = UInt64(digits, radix: radix), !isNegative { return .number(Double(value)) }
    return nil
  }

  /// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
  static func isFloat(_ text: String) -> Bool {
    var rest = Substring(text).utf8[...]
    func skipDigits() -> Int {
      let before = rest.count
      rest = rest.drop { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
      return before - rest.count
    }
    func skip(_ choice: String) -> Bool {
      guard let byte = rest.first, choice.utf8.contains(byte) else { return false }
      rest.removeFirst()
      return true
    }
    _ = skip("+-")
    let whole = skipDigits()
    let hasPoint = skip(".")
    let fraction = hasPoint ? skipDigits() : 0
    guard whole > 0 || fraction > 0 else { return false }
    if skip("eE") {
      _ = skip("+-")
      guard skipDigits() > 0 else { return false }
    }
    return rest.isEmpty
  }
}
