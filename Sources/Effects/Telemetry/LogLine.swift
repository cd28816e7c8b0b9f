/// The bytes of one line, ended by a newline and free of other control characters.
struct LogLine {
  private let format: LogOutput.Format
  private var bytes: [UInt8] = []

  /// `time` is in nanoseconds since 1970.
  init(format: LogOutput.Format, time: Int64, level: LogLevel, part: String, message: String) {
    self.format = format
    bytes.reserveCapacity(256)
    switch format {
    case .text:
      appendTime(time)
      append(" \(level.name.uppercased())")
      append(level.name.utf8.count < 5 ? "  " : " ")
      append("\(part): ")
      appendPrintable(message)
    case .json:
      append("{\"time\":\"")
      appendTime(time)
      append("\",\"level\":\"\(level.name)\",\"part\":")
      appendJSON(part)
      append(",\"message\":")
      appendJSON(message)
    }
  }

  mutating func add(_ key: String, _ value: any CustomStringConvertible) {
    switch format {
    case .text:
      append(" ")
      appendPrintable(key)
      append("=")
      let text = value.description
      let isPlain = !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3d && $0 != 0x7f }
      if isPlain { append(text) } else { appendJSON(text) }
    case .json:
      append(",")
      appendJSON(key)
      append(":")
      switch value {
      case let truth as Bool: append(truth ? "true" : "false")
      case let number as any BinaryInteger: append(number.description)
      case let number as Double where number.isFinite: append(number.description)
      default: appendJSON(value.description)
      }
    }
  }

  consuming func finish() -> [UInt8] {
    if case .json = format { append("}") }
    append("\n")
    return bytes
  }

  private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

  /// A peer's words must not be able to look like lines of their own.
  private mutating func appendPrintable(_ text: String) {
    for byte in text.utf8 { bytes.append(byte < 0x20 || byte == 0x7f ? UInt8(ascii: "?") : byte) }
  }

  private mutating func appendJSON(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): append("\\\"")
      case UInt8(ascii: "\\"): append("\\\\")
      case UInt8(ascii: "\n"): append("\\n")
      case UInt8(ascii: "\r"): append("\\r")
      case UInt8(ascii: "\t"): append("\\t")
      case 0..<0x20, 0x7f:
        append("\\u00")
        bytes.append(hexadecimal(byte >> 4))
        bytes.append(hexadecimal(byte & 15))
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func appendTime(_ nanoseconds: Int64) {
    let seconds = nanoseconds.floorDivided(by: 1_000_000_000)
    let days = seconds.floorDivided(by: 86_400)
    let second = seconds - days * 86_400
    let (year, month, day) = civilDate(days: days)
    appendNumber(year, digits: 4)
    append("-")
    appendNumber(month, digits: 2)
    append("-")
    appendNumber(day, digits: 2)
    append("T")
    appendNumber(second / 3600, digits: 2)
    append(":")
    appendNumber(second / 60 % 60, digits: 2)
    append(":")
    appendNumber(second % 60, digits: 2)
    append(".")
    appendNumber((nanoseconds - seconds * 1_000_000_000) / 1_000_000, digits: 3)
    append("Z")
  }

  private mutating func appendNumber(_ number: Int64, digits: Int) {
    var unit: Int64 = 1
    for _ in 1..<digits { unit *= 10 }
    while unit > 0 {
      bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / unit % 10))
      unit /= 10
    }
  }
}

private func hexadecimal(_ digit: UInt8) -> UInt8 { digit < 10 ? 0x30 + digit : 0x61 + digit - 10 }

extension Int64 {
  fileprivate func floorDivided(by divisor: Int64) -> Int64 {
    let quotient = self / divisor
    return self % divisor < 0 ? quotient - 1 : quotient
  }
}

/// The Gregorian date so many days after 1970-01-01. Years are counted from March, so that the leap day is the last.
private func civilDate(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
  let daysIn400Years: Int64 = 146_097
  // From 0000-03-01.
  let shifted = days + 719_468
  let era = shifted.floorDivided(by: daysIn400Years)
  let dayOfEra = shifted - era * daysIn400Years
  let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
  let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
  let monthFromMarch = (5 * dayOfYear + 2) / 153
  let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
  let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
}
