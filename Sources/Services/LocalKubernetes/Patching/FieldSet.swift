import JSONValue

/// A set of fields of an object, as server-side apply counts them; its JSON form is Kubernetes' `FieldsV1`.
struct FieldSet: Hashable, Sendable {
  enum Element: Hashable, Sendable {
    case field(String)
    /// An item of a list that is a map, by its keys.
    case item(JSON)
    /// An item of a list that is a set.
    case value(JSON)

    /// As in `FieldsV1`.
    var text: String {
      switch self {
      case .field(let name): "f:" + name
      case .item(let keys): "k:" + keys.text()
      case .value(let value): "v:" + value.text()
      }
    }

    init?(_ text: String) {
      let rest = String(text.dropFirst(2))
      if text.hasPrefix("f:") {
        self = .field(rest)
      } else if text.hasPrefix("k:"), let keys = try? JSON(parsing: rest) {
        self = .item(keys)
      } else if text.hasPrefix("v:"), let value = try? JSON(parsing: rest) {
        self = .value(value)
      } else {
        return nil
      }
    }

    /// As in messages.
    var words: String {
      switch self {
      case .field(let name): "." + name
      case .item(let keys): "[" + keys.members.map { "\($0.key)=\($0.value)" }.joined(separator: ",") + "]"
      case .value(let value): "[=\(value)]"
      }
    }
  }

  /// Whether the place itself is in the set, and not only something below it.
  var isMember = false
  var children: [Element: FieldSet] = [:]

  static let leaf = FieldSet(isMember: true)
  var isEmpty: Bool { !isMember && children.isEmpty }

  init(isMember: Bool = false, children: [Element: FieldSet] = [:]) {
    self.isMember = isMember
    self.children = children
  }

  init(fieldsV1: JSON) {
    for member in fieldsV1.members {
      if member.key == "." {
        isMember = true
      } else if let element = Element(member.key) {
        let child = FieldSet(fieldsV1: member.value)
        children[element] = child.isEmpty ? .leaf : child
      }
    }
  }

  var fieldsV1: JSON {
    var members: [(String, JSON)] = children.map { ($0.key.text, $0.value.fieldsV1) }
    if isMember && !children.isEmpty { members.append((".", [:])) }
    return .object(JSON.Object(members))
  }

  func union(_ other: FieldSet) -> FieldSet {
    FieldSet(
      isMember: isMember || other.isMember, children: children.merging(other.children) { $0.union($1) })
  }

  func intersection(_ other: FieldSet) -> FieldSet {
    var found = FieldSet(isMember: isMember && other.isMember)
    for (element, child) in children {
      guard let theirs = other.children[element] else { continue }
      let both = child.intersection(theirs)
      if !both.isEmpty { found.children[element] = both }
    }
    return found
  }

  func subtracting(_ other: FieldSet) -> FieldSet {
    var found = FieldSet(isMember: isMember && !other.isMember)
    for (element, child) in children {
      let rest = other.children[element].map { child.subtracting($0) } ?? child
      if !rest.isEmpty { found.children[element] = rest }
    }
    return found
  }

  /// Without the places of the other set and everything below them.
  func subtractingTrees(_ other: FieldSet) -> FieldSet {
    if other.isMember && other.children.isEmpty { return FieldSet() }
    var found = FieldSet(isMember: isMember && !other.isMember)
    for (element, child) in children {
      let rest = other.children[element].map { child.subtractingTrees($0) } ?? child
      if !rest.isEmpty { found.children[element] = rest }
    }
    return found
  }

  /// Every place that is in the set, in words, sorted.
  var paths: [String] { collect("").sorted() }

  private func collect(_ prefix: String) -> [String] {
    (isMember ? [prefix] : []) + children.flatMap { $0.value.collect(prefix + $0.key.words) }
  }
}
