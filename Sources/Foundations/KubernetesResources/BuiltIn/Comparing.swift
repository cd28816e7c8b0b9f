public import JSONValue

extension JSON {
  /// Whether everything that is stated in `wanted` stands here: members that the API server or somebody else added
  /// do not count, and quantities are compared by what they come to.
  public func holds(_ wanted: JSON) -> Bool {
    switch (self, wanted) {
    case (.object(let here), .object(let wanted)):
      return wanted.members.allSatisfy { member in
        // What is empty is often left out of an answer.
        (here[member.key] ?? .null).holds(member.value)
      }
    case (.null, .object(let wanted)): return wanted.isEmpty
    case (.null, .array(let wanted)): return wanted.isEmpty
    case (.array(let here), .array(let wanted)):
      return here.count == wanted.count && zip(here, wanted).allSatisfy { $0.holds($1) }
    case (.string(let here), .string(let wanted)):
      if here == wanted { return true }
      guard let a = Quantity(here), let b = Quantity(wanted) else { return false }
      return a == b
    default: return self == wanted
    }
  }

  /// 64 bits that stand for this value (FNV-1a over its compact text), as 16 characters. The same on every run.
  public var fingerprint: String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in description.utf8 {
      hash ^= UInt64(byte)
      hash = hash &* 0x100_0000_01b3
    }
    let text = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }
}
