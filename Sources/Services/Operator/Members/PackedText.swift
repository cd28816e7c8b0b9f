import Vocabulary

/// A text of a form that API servers and brokers write often, as what it says. A text that would not come out again byte
/// for byte is none of them.
enum PackedText: Hashable {
  /// `2026-11-22T05:11:56Z`: the fields, each in as many values as it can have.
  case time(UInt64)
  /// `140e06dd-40cf-4219-84b2-8014ebcb5e5d`.
  case uuid(UInt64, UInt64)
  /// 22 characters of Base64: a topic's id.
  case id(UInt64, UInt64)
  /// A whole number without a sign, such as a resource version.
  case digits(UInt64)

  init?(_ text: String) {
    let found: Self? =
      switch text.utf8.count {
      case Self.timeLength: Self.time(in: Array(text.utf8))
      case Self.uuidLength: Self.uuid(in: Array(text.utf8))
      case 1...Self.digitsMax: Self.digits(in: text.utf8)
      case Self.idLength: UniqueID(text).flatMap { "\($0)" == text ? .id($0.high, $0.low) : nil }
      default: nil
      }
    guard let found else { return nil }
    self = found
  }

  private static let timeLength = 20
  private static let uuidLength = 36
  private static let idLength = 22
  /// More may not fit in 64 bits.
  private static let digitsMax = 18
  /// What stands between the fields of a time, and how many values each field can have: year, month, day, hour, minute,
  /// second.
  private static let marks: [UInt8] = Array("--T::Z".utf8)
  private static let values: [UInt64] = [10_000, 13, 32, 24, 60, 61]
  /// After which bytes a UUID has a dash.
  private static let dashes = [4, 6, 8, 10]

  private static func time(in bytes: [UInt8]) -> Self? {
    var (place, result): (Int, UInt64) = (0, 0)
    for (mark, count) in zip(marks, values) {
      var value: UInt64 = 0
      for _ in 0..<(place == 0 ? 4 : 2) {
        guard let digit = digit(bytes[place]) else { return nil }
        value = value * 10 + digit
        place += 1
      }
      guard value < count, bytes[place] == mark else { return nil }
      place += 1
      result = result * count + value
    }
    return .time(result)
  }

  private static func uuid(in bytes: [UInt8]) -> Self? {
    var (high, low): (UInt64, UInt64) = (0, 0)
    var place = 0
    for byte in 0..<16 {
      if dashes.contains(byte) {
        guard bytes[place] == UInt8(ascii: "-") else { return nil }
        place += 1
      }
      guard let upper = hexDigit(bytes[place]), let lower = hexDigit(bytes[place + 1]) else { return nil }
      place += 2
      if byte < 8 { high = high << 8 | upper << 4 | lower } else { low = low << 8 | upper << 4 | lower }
    }
    return .uuid(high, low)
  }

  private static func digits(in bytes: String.UTF8View) -> Self? {
    guard bytes.count == 1 || bytes.first != UInt8(ascii: "0") else { return nil }
    var value: UInt64 = 0
    for byte in bytes {
      guard let digit = digit(byte) else { return nil }
      value = value * 10 + digit
    }
    return .digits(value)
  }

  private static func digit(_ byte: UInt8) -> UInt64? {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") ? UInt64(byte - UInt8(ascii: "0")) : nil
  }

  private static func hexDigit(_ byte: UInt8) -> UInt64? {
    byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "f") ? UInt64(byte - UInt8(ascii: "a") + 10) : digit(byte)
  }

  /// What it was made of.
  var text: String {
    switch self {
    case .time(let packed): return Self.timeText(packed)
    case .uuid(let high, let low): return Self.uuidText(high, low)
    case .id(let high, let low): return "\(UniqueID(high: high, low: low))"
    case .digits(let value): return String(value)
    }
  }

  private static func timeText(_ packed: UInt64) -> String {
    var rest = packed
    var fields: [UInt64] = []
    for count in values.reversed() {
      fields.append(rest % count)
      rest /= count
    }
    var bytes: [UInt8] = []
    for (field, mark) in zip(fields.reversed(), marks) {
      for unit in bytes.isEmpty ? [1000, 100, 10, 1] : [10, 1] as [UInt64] {
        bytes.append(UInt8(ascii: "0") + UInt8(field / unit % 10))
      }
      bytes.append(mark)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func uuidText(_ high: UInt64, _ low: UInt64) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var bytes: [UInt8] = []
    for byte in 0..<16 {
      if dashes.contains(byte) { bytes.append(UInt8(ascii: "-")) }
      let value = (byte < 8 ? high : low) >> UInt64(56 - byte % 8 * 8) & 0xFF
      bytes += [digits[Int(value >> 4)], digits[Int(value & 0xF)]]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
