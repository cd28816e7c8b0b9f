import JSONValue

/// Invents values, the same ones for the same seed.
struct Inventor {
  private var state: UInt64
  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func below(_ bound: Int) -> Int {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Int(state % UInt64(bound))
  }

  mutating func value(depth: Int) -> JSON {
    switch below(depth > 0 ? 8 : 6) {
    case 0: return .null
    case 1: return .bool(below(2) == 0)
    case 2: return .integer(Int64(truncatingIfNeeded: state))
    case 3: return .number(Double(below(1_000_000)) / Double(1 + below(1000)))
    case 4, 5: return .string(text())
    case 6: return .array((0..<below(5)).map { _ in value(depth: depth - 1) })
    default: return .object(JSON.Object((0..<below(5)).map { _ in (text(), value(depth: depth - 1)) }))
    }
  }

  private mutating func text() -> String {
    let pieces = [
      "a", "Z", "0", " ", "\n", "\t", "\"", "\\", "é", "😀", "\u{1}", "\u{7f}", "\u{85}", "\u{2028}", "-", ":", "#",
      "yes",
      "null", "1", ".", "'", "{", "[", ",", "&", "*", "!", "|", ">", "%", "@", "\r", "\0", "e\u{301}", "\u{feff}", "?",
      "\u{301}",
    ]
    return (0..<below(8)).map { _ in pieces[below(pieces.count)] }.joined()
  }
}
