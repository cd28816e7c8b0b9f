/// Kafka's checkpoint files: a version (0), the number of lines, and that many lines.
enum CheckpointText {
  /// Larger files are not ours.
  static let bytesMax = 64 << 20

  static func encode(_ lines: [String]) -> [UInt8] {
    var text = "0\n\(lines.count)\n"
    for line in lines {
      text += line
      text += "\n"
    }
    return Array(text.utf8)
  }

  /// Nil for anything that `encode` could not have written, such as a file that is cut off.
  static func decode(_ bytes: [UInt8]) -> [String]? {
    guard let text = String(validating: bytes, as: UTF8.self), text.utf8.last == UInt8(ascii: "\n") else { return nil }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: true)
    guard lines.count >= 2, lines[0] == "0", let count = Int(lines[1]), count == lines.count - 2 else { return nil }
    return lines.dropFirst(2).map(String.init)
  }
}
