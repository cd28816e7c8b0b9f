/// Cuts a stream of bytes into lines. A line ends with a newline, which does not belong to it; what follows the last
/// one is a line if it is not empty.
struct LineSplitter {
  private var rest: [UInt8] = []

  mutating func add(_ bytes: [UInt8]) -> [[UInt8]] {
    var lines: [[UInt8]] = []
    var start = bytes.startIndex
    while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
      lines.append(rest + bytes[start..<end])
      rest = []
      start = end + 1
    }
    rest += bytes[start...]
    return lines
  }

  mutating func finish() -> [UInt8]? {
    defer { rest = [] }
    return rest.isEmpty ? nil : rest
  }
}

/// Splits a line at the first separator into key and value; without one there is no key.
func splitKey(_ line: [UInt8], at separator: [UInt8]) -> (key: [UInt8]?, value: [UInt8]) {
  guard !separator.isEmpty, line.count >= separator.count else { return (nil, line) }
  for start in 0...(line.count - separator.count) where line[start...].starts(with: separator) {
    return (Array(line[..<start]), Array(line[(start + separator.count)...]))
  }
  return (nil, line)
}
