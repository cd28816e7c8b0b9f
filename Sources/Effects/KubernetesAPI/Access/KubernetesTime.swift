public import Vocabulary

/// Times as Kubernetes writes them (RFC 3339, in UTC).
public enum KubernetesTime {
  /// `2026-11-21T15:00:00Z`, as in creationTimestamp and conditions.
  public static func text(_ time: Timestamp) -> String { date(time) + "Z" }

  /// `2026-11-21T15:00:00.000000Z`, as in Leases.
  public static func microText(_ time: Timestamp) -> String {
    let rest = time.milliseconds - floor(time.milliseconds, 1000) * 1000
    return "\(date(time)).\(padded(rest, 3))000Z"
  }

  /// Nil for what is no time. Fractions below a millisecond are cut off.
  public static func parse(_ text: String) -> Timestamp? {
    let bytes = Array(text.utf8)
    func number(_ range: Range<Int>) -> Int64? {
      guard range.upperBound <= bytes.count else { return nil }
      var value: Int64 = 0
      for byte in bytes[range] {
        guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
        value = value * 10 + Int64(byte - UInt8(ascii: "0"))
      }
      return value
    }
    func isMark(_ place: Int, _ marks: String) -> Bool { place < bytes.count && marks.utf8.contains(bytes[place]) }
    guard let year = number(0..<4), isMark(4, "-"), let month = number(5..<7), isMark(7, "-"),
      let day = number(8..<10), isMark(10, "Tt "), let hour = number(11..<13), isMark(13, ":"),
      let minute = number(14..<16), isMark(16, ":"), let second = number(17..<19), (1...12).contains(month),
      (1...31).contains(day), hour < 24, minute < 60, second <= 60
    else { return nil }
    var place = 19
    var fraction: Int64 = 0
    if isMark(place, ".") {
      place += 1
      var unit: Int64 = 100
      let start = place
      while let digit = number(place..<place + 1) {
        fraction += digit * unit
        unit /= 10
        place += 1
      }
      if place == start { return nil }
    }
    var zone: Int64 = 0
    if isMark(place, "Zz") {
      place += 1
    } else {
      guard isMark(place, "+-"), let hours = number(place + 1..<place + 3), isMark(place + 3, ":"),
        let minutes = number(place + 4..<place + 6)
      else { return nil }
      zone = (hours * 60 + minutes) * (bytes[place] == UInt8(ascii: "-") ? -1 : 1)
      place += 6
    }
    guard place == bytes.count else { return nil }
    let seconds = days(year, month, day) * 86400 + hour * 3600 + (minute - zone) * 60 + second
    return Timestamp(milliseconds: seconds * 1000 + fraction)
  }

  private static func date(_ time: Timestamp) -> String {
    let seconds = floor(time.milliseconds, 1000)
    let day = floor(seconds, 86400)
    let rest = seconds - day * 86400
    let (year, month, dayOfMonth) = civil(day)
    return "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))T"
      + "\(padded(rest / 3600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))"
  }

  private static func padded(_ value: Int64, _ width: Int) -> String {
    let text = String(value)
    return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
  }

  private static func floor(_ value: Int64, _ unit: Int64) -> Int64 {
    value / unit - (value % unit < 0 ? 1 : 0)
  }

  /// Days since 1970 of a date. Years begin in March here, so that the day of leap years is the last one.
  private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let y = month <= 2 ? year - 1 : year
    let era = floor(y, 400)
    let ofEra = y - era * 400
    let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
  }

  private static func civil(_ days: Int64) -> (Int64, Int64, Int64) {
    let shifted = days + 719_468
    let era = floor(shifted, 146_097)
    let ofEra = shifted - era * 146_097
    let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36524 - ofEra / 146_096) / 365
    let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let month = (5 * ofYear + 2) / 153
    let day = ofYear - (153 * month + 2) / 5 + 1
    let year = yearOfEra + era * 400 + (month >= 10 ? 1 : 0)
    return (year, month < 10 ? month + 3 : month - 9, day)
  }
}
