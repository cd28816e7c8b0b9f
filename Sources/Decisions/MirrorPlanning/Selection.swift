/// Which names a mirror is for: names as they are, beginnings of names with a `*` after them, and `*` for all.
public struct NameSelection: Hashable, Sendable {
  private let names: Set<String>
  private let beginnings: [String]

  /// - Parameter text: words with commas between; blanks around them do not count. Nothing selects nothing.
  public init(_ text: String) {
    var names: Set<String> = []
    var beginnings: [String] = []
    for part in text.split(separator: ",") {
      let word = part.drop { $0 == " " }
      let bare = String(word.reversed().drop { $0 == " " }.reversed())
      if bare.hasSuffix("*") { beginnings.append(String(bare.dropLast())) } else if !bare.isEmpty { names.insert(bare) }
    }
    self.names = names
    self.beginnings = beginnings
  }

  public func contains(_ name: String) -> Bool {
    names.contains(name) || beginnings.contains { name.hasPrefix($0) }
  }

  /// Whether there can be a name that both are for.
  public func overlaps(_ other: NameSelection) -> Bool {
    names.contains(where: other.contains) || other.names.contains(where: contains)
      || beginnings.contains { one in other.beginnings.contains { $0.hasPrefix(one) || one.hasPrefix($0) } }
  }
}
