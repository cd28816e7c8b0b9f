extension JSONParser {
  /// The string that begins with the quotation mark at the position.
  mutating func string() throws(JSONError) -> String {
    let start = position + 1
    var place = start
    while place < bytes.count {
      let byte = bytes[place]
      if byte == UInt8(ascii: "\"") {
        let text = try text(bytes[start..<place], at: start)
        position = place + 1
        return text
      }
      if byte == UInt8(ascii: "\\") { break }
      if byte < 0x20 {
        position = place
        throw failure("\(byteName(place)) has to be escaped in a string")
      }
      place += 1
    }
    return try stringWithEscapes(from: start)
  }

  private mutating func text(_ range: Slice<UnsafeRawBufferPointer>, at start: Int) throws(JSONError) -> String {
    let buffer = UnsafeRawBufferPointer(rebasing: range)
    guard let text = buffer.withMemoryRebound(to: UInt8.self, { String(validating: $0, as: UTF8.self) }) else {
      position = start
      throw failure("a string is not UTF-8")
    }
    return text
  }

  private mutating func stringWithEscapes(from start: Int) throws(JSONError) -> String {
    var found: [UInt8] = []
    position = start
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: found, as: UTF8.self) else {
          position = start
          throw failure("a string is not UTF-8")
        }
        position += 1
        return text
      case UInt8(ascii: "\\"): try escape(into: &found)
      case 0..<0x20: throw failure("\(byteName(position)) has to be escaped in a string")
      default:
        found.append(byte)
        position += 1
      }
    }
    throw failure("the text ends within a string")
  }

  private mutating func escape(into found: inout [UInt8]) throws(JSONError) {
    guard position + 1 < bytes.count else {
      position = bytes.count
      throw failure("the text ends within a string")
    }
    switch bytes[position + 1] {
    case UInt8(ascii: "\""): found.append(UInt8(ascii: "\""))
    case UInt8(ascii: "\\"): found.append(UInt8(ascii: "\\"))
    case UInt8(ascii: "/"): found.append(UInt8(ascii: "/"))
    case UInt8(ascii: "b"): found.append(0x08)
    case UInt8(ascii: "f"): found.append(0x0C)
    case UInt8(ascii: "n"): found.append(0x0A)
    case UInt8(ascii: "r"): found.append(0x0D)
    case UInt8(ascii: "t"): found.append(0x09)
    case UInt8(ascii: "u"):
      let scalar = try escapedScalar()
      found.append(contentsOf: String(Character(scalar)).utf8)
      return
    default: throw failure("\\ followed by \(byteName(position + 1)) means nothing")
    }
    position += 2
  }

  /// `\uXXXX`, or two of them that make one character.
  private mutating func escapedScalar() throws(JSONError) -> Unicode.Scalar {
    let first = try hexadecimal(at: position + 2)
    if let scalar = Unicode.Scalar(first) {
      position += 6
      return scalar
    }
    guard first < 0xDC00, position + 7 < bytes.count, bytes[position + 6] == UInt8(ascii: "\\"),
      bytes[position + 7] == UInt8(ascii: "u")
    else { throw failure("half of a surrogate pair stands alone") }
    let second = try hexadecimal(at: position + 8)
    guard (0xDC00...0xDFFF).contains(second),
      let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    else { throw failure("half of a surrogate pair stands alone") }
    position += 12
    return scalar
  }

  private func hexadecimal(at place: Int) throws(JSONError) -> UInt32 {
    guard place + 4 <= bytes.count else { throw failure("the text ends within a string") }
    var value: UInt32 = 0
    for index in place..<place + 4 {
      let byte = bytes[index]
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(byte - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt32(byte - UInt8(ascii: "a") + 10)
      case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt32(byte - UInt8(ascii: "A") + 10)
      default: throw failure("\(byteName(index)) stands where a hexadecimal digit was expected")
      }
    }
    return value
  }
}
