/// Why a text is no JSON, and where.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Bytes before the place.
  public let offset: Int
  /// From 1.
  public let line: Int
  /// In bytes, from 1.
  public let column: Int
  /// What is wrong there.
  public let message: String

  public var description: String { "line \(line), column \(column): \(message)" }
}

/// How much a text may ask of us before it is refused.
public struct JSONLimits: Sendable {
  /// Longer texts are refused before they are looked into.
  public var bytesMax = 64 << 20
  /// Arrays and objects within each other. Kubernetes' deepest schemas stay below 100.
  public var depthMax = 200
  public init() {}
}

extension JSON {
  /// Reads one value and nothing after it but white space. Of several members with one key the last one counts, as
  /// everywhere in Kubernetes. Refused are: what is no UTF-8, halves of surrogate pairs, numbers outside the range of
  /// a `Double`, and what passes the limits.
  public init(parsing bytes: UnsafeRawBufferPointer, limits: JSONLimits = JSONLimits()) throws(JSONError) {
    var parser = JSONParser(bytes: bytes, limits: limits)
    self = try parser.document()
  }

  public init(parsing bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
    let result = bytes.withUnsafeBytes { buffer in
      Result { () throws(JSONError) in try JSON(parsing: buffer, limits: limits) }
    }
    self = try result.get()
  }

  public init(parsing text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) {
    try self.init(parsing: Array(text.utf8), limits: limits)
  }
}

struct JSONParser {
  let bytes: UnsafeRawBufferPointer
  let limits: JSONLimits
  var position = 0

  init(bytes: UnsafeRawBufferPointer, limits: JSONLimits) {
    self.bytes = bytes
    self.limits = limits
  }

  mutating func document() throws(JSONError) -> JSON {
    guard bytes.count <= limits.bytesMax else {
      throw failure("the text has \(bytes.count) bytes, and at most \(limits.bytesMax) are read")
    }
    let value = try value(depth: 0)
    skipSpace()
    guard position == bytes.count else { throw failure("something follows after the end of the value") }
    return value
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSON {
    skipSpace()
    guard position < bytes.count else { throw failure("the text ends where a value was expected") }
    switch bytes[position] {
    case UInt8(ascii: "{"): return try object(depth: depth + 1)
    case UInt8(ascii: "["): return try array(depth: depth + 1)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default: throw failure("\(byteName(position)) stands where a value was expected")
    }
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSON {
    try enter(depth)
    var members: [JSON.Object.Member] = []
    if next(is: UInt8(ascii: "}")) { return .object(JSON.Object()) }
    while true {
      skipSpace()
      guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
        throw failure("\(byteName(position)) stands where a key was expected")
      }
      let key = try string()
      guard next(is: UInt8(ascii: ":")) else { throw failure("\(byteName(position)) stands where ':' was expected") }
      members.append(JSON.Object.Member(key, try value(depth: depth)))
      if next(is: UInt8(ascii: ",")) { continue }
      guard next(is: UInt8(ascii: "}")) else {
        throw failure("\(byteName(position)) stands where ',' or '}' was expected")
      }
      return .object(JSON.Object(unsorted: members))
    }
  }

  private mutating func array(depth: Int) throws(JSONError) -> JSON {
    try enter(depth)
    var values: [JSON] = []
    if next(is: UInt8(ascii: "]")) { return .array([]) }
    while true {
      values.append(try value(depth: depth))
      if next(is: UInt8(ascii: ",")) { continue }
      guard next(is: UInt8(ascii: "]")) else {
        throw failure("\(byteName(position)) stands where ',' or ']' was expected")
      }
      return .array(values)
    }
  }

  private mutating func enter(_ depth: Int) throws(JSONError) {
    guard depth <= limits.depthMax else {
      throw failure("more than \(limits.depthMax) arrays and objects lie within each other")
    }
    position += 1
  }

  private mutating func word(_ word: StaticString, _ value: JSON) throws(JSONError) -> JSON {
    let count = word.utf8CodeUnitCount
    guard bytes.count - position >= count,
      word.withUTF8Buffer({ $0.elementsEqual(bytes[position..<position + count]) })
    else { throw failure("\(word) was expected") }
    position += count
    return value
  }

  private mutating func number() throws(JSONError) -> JSON {
    let start = position
    if bytes[position] == UInt8(ascii: "-") { position += 1 }
    let whole = position
    guard skipDigits() > 0 else { throw failure("\(byteName(position)) stands where a digit was expected") }
    if bytes[whole] == UInt8(ascii: "0") && position - whole > 1 {
      position = whole
      throw failure("a number begins with a superfluous zero")
    }
    var isWhole = true
    if position < bytes.count && bytes[position] == UInt8(ascii: ".") {
      isWhole = false
      position += 1
      guard skipDigits() > 0 else { throw failure("\(byteName(position)) stands where a digit was expected") }
    }
    if position < bytes.count && bytes[position] | 0x20 == UInt8(ascii: "e") {
      isWhole = false
      position += 1
      if position < bytes.count && (bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-")) {
        position += 1
      }
      guard skipDigits() > 0 else { throw failure("\(byteName(position)) stands where a digit was expected") }
    }
    if isWhole, let integer = integer(from: start) { return .integer(integer) }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    guard let value = Double(text), value.isFinite else {
      position = start
      throw failure("a number is too large")
    }
    return .number(value)
  }

  /// The integer between a place and the position; nil when it does not fit in 64 bits.
  private func integer(from start: Int) -> Int64? {
    let isNegative = bytes[start] == UInt8(ascii: "-")
    var value: Int64 = 0
    for place in (isNegative ? start + 1 : start)..<position {
      let digit = Int64(bytes[place] - UInt8(ascii: "0"))
      let (product, over) = value.multipliedReportingOverflow(by: 10)
      let (sum, overAgain) = product.subtractingReportingOverflow(digit)
      if over || overAgain { return nil }
      value = sum
    }
    // Counted downwards, because there is one negative number more.
    if isNegative { return value }
    return value == .min ? nil : -value
  }

  private mutating func skipDigits() -> Int {
    let start = position
    while position < bytes.count, bytes[position] &- UInt8(ascii: "0") <= 9 { position += 1 }
    return position - start
  }

  mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  /// Skips white space and then the byte, if it is the one.
  private mutating func next(is byte: UInt8) -> Bool {
    skipSpace()
    guard position < bytes.count, bytes[position] == byte else { return false }
    position += 1
    return true
  }

  /// What stands at a place, for a message.
  func byteName(_ place: Int) -> String {
    guard place < bytes.count else { return "the end of the text" }
    let byte = bytes[place]
    return byte > 0x20 && byte < 0x7F ? "'\(Character(UnicodeScalar(byte)))'" : "byte \(byte)"
  }

  func failure(_ message: String) -> JSONError {
    let place = min(position, bytes.count)
    var line = 1
    var start = 0
    for index in 0..<place where bytes[index] == 0x0A {
      line += 1
      start = index + 1
    }
    return JSONError(offset: place, line: line, column: place - start + 1, message: message)
  }
}
