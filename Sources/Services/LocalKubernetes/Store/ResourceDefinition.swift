import JSONValue

/// Where objects of one kind are kept, whatever version they are asked for in.
public struct ResourceName: Hashable, Sendable, CustomStringConvertible {
  /// Empty for the core group.
  public let group: String
  public let plural: String
  public init(_ group: String, _ plural: String) {
    self.group = group
    self.plural = plural
  }
  /// `statefulsets.apps`
  public var description: String { group.isEmpty ? plural : "\(plural).\(group)" }
}

/// What an API server knows of one kind of object.
struct ResourceDefinition: Sendable {
  struct Scale: Sendable {
    var specPath: [String]
    var statusPath: [String]
    /// To the selector as text; nil when the kind has none, or has it as an object.
    var selectorPath: [String]?
  }
  struct Version: Sendable {
    var name: String
    var isServed = true
    /// OpenAPI v3; null when nothing is validated.
    var schema: JSON = .null
    var columns: [TableColumn] = []
    var hasStatus = false
    var scale: Scale?
  }
  let name: ResourceName
  var singular: String
  var kind: String
  var listKind: String
  var shortNames: [String] = []
  var categories: [String] = []
  var isNamespaced = true
  /// The preferred one first.
  var versions: [Version]
  var storageVersion: String
  /// Whether a change of anything but metadata and status is a new generation.
  var hasGeneration = false
  var isCustom = false

  func version(_ name: String) -> Version? { versions.first { $0.name == name && $0.isServed } }
  func apiVersion(_ version: String) -> String { name.group.isEmpty ? version : "\(name.group)/\(version)" }
}

/// A column of what `kubectl get` shows.
struct TableColumn: Sendable {
  var name: String
  var type = "string"
  var format = ""
  var description = ""
  /// Columns above 0 are shown with `-o wide` only.
  var priority = 0
  var path: ColumnPath

  init(_ name: String, _ path: String, type: String = "string", priority: Int = 0) {
    self.name = name
    self.type = type
    self.priority = priority
    self.path = ColumnPath(path)
  }

  init(_ declared: JSON) {
    name = declared["name"].string ?? ""
    type = declared["type"].string ?? "string"
    format = declared["format"].string ?? ""
    description = declared["description"].string ?? ""
    priority = declared["priority"].int ?? 0
    path = ColumnPath(declared["jsonPath"].string ?? "")
  }
}

/// The part of JSONPath that printer columns use: names, `['names']`, places and filters like
/// `[?(@.type=="Ready")]`.
struct ColumnPath: Sendable {
  enum Step: Sendable, Hashable {
    case name(String)
    case place(Int)
    case all
    case filter(path: [String], value: String)
  }
  private(set) var steps: [Step] = []

  init(_ text: String) {
    var rest = Substring(text)
    while let first = rest.first {
      rest = rest.dropFirst()
      if first == "[" {
        let isFilter = rest.hasPrefix("?(")
        guard let inside = Self.take(&rest, until: isFilter ? ")]" : "]") else { return }
        steps.append(Self.bracket(inside))
      } else if first == "." {
        var word = ""
        while let next = rest.first, next != ".", next != "[" {
          rest = rest.dropFirst()
          if next == "\\", let escaped = rest.first {
            word.append(escaped)
            rest = rest.dropFirst()
          } else {
            word.append(next)
          }
        }
        if !word.isEmpty { steps.append(.name(word)) }
      }
    }
  }

  private static func take(_ rest: inout Substring, until end: String) -> Substring? {
    var probe = rest
    while !probe.isEmpty {
      if probe.hasPrefix(end) {
        let found = rest[rest.startIndex..<probe.startIndex]
        rest = probe.dropFirst(end.count)
        return found
      }
      probe = probe.dropFirst()
    }
    return nil
  }

  private static func bracket(_ inside: Substring) -> Step {
    if inside == "*" { return .all }
    if let place = Int(inside) { return .place(place) }
    let unquoted = inside.filter { $0 != "'" && $0 != "\"" }
    guard inside.hasPrefix("?(") else { return .name(unquoted) }
    let sides = unquoted.dropFirst(2).split(separator: "=", omittingEmptySubsequences: true)
    guard sides.count == 2 else { return .all }
    let path = sides[0].filter { $0 != " " && $0 != "@" }.split(separator: ".").map(String.init)
    return .filter(path: path, value: sides[1].filter { $0 != " " })
  }

  /// Everything that the path leads to.
  func values(in object: JSON) -> [JSON] {
    var found = [object]
    for step in steps {
      found = found.flatMap { value -> [JSON] in
        switch step {
        case .name(let name): return value[name].isNull ? [] : [value[name]]
        case .place(let place):
          let index = place < 0 ? value.elements.count + place : place
          return value[index].isNull ? [] : [value[index]]
        case .all: return value.object.map { $0.members.map(\.value) } ?? value.elements
        case .filter(let path, let wanted):
          return value.elements.filter { element in
            let value = element.at(path)
            return (value.string ?? value.text()) == wanted
          }
        }
      }
    }
    return found
  }
}

extension JSON {
  /// The value at the end of a path of keys; null when there is none.
  func at(_ path: [String]) -> JSON { path.reduce(self) { $0[$1] } }

  mutating func set(_ path: ArraySlice<String>, to value: JSON) {
    guard let first = path.first else {
      self = value
      return
    }
    var inner = self[first]
    inner.set(path.dropFirst(), to: value)
    self[first] = inner
  }
}
