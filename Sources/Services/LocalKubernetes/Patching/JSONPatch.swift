import JSONValue

/// JSON patches (RFC 6902).
enum JSONPatch {
  /// More operations than this are refused.
  static let operationsMax = 10_000

  static func apply(_ patch: JSON, to object: JSON) throws(APIFailure) -> JSON {
    guard let operations = patch.array else { throw .badRequest("a JSON patch is an array of operations") }
    guard operations.count <= operationsMax else {
      throw APIFailure(code: 413, reason: "RequestEntityTooLarge", message: "the patch has too many operations")
    }
    var result = object
    for operation in operations { try perform(operation, on: &result) }
    return result
  }

  private static func perform(_ operation: JSON, on object: inout JSON) throws(APIFailure) {
    let path = try pointer(operation["path"])
    switch operation["op"].string {
    case "add": try add(operation["value"], at: path[...], of: &object)
    case "remove": try remove(path[...], of: &object)
    case "replace":
      try remove(path[...], of: &object)
      try add(operation["value"], at: path[...], of: &object)
    case "copy": try add(try value(at: try pointer(operation["from"]), in: object), at: path[...], of: &object)
    case "move":
      let from = try pointer(operation["from"])
      let moved = try value(at: from, in: object)
      try remove(from[...], of: &object)
      try add(moved, at: path[...], of: &object)
    case "test":
      guard try value(at: path, in: object) == operation["value"] else {
        throw failure("testing value \(operation["path"].string ?? "") failed")
      }
    default: throw .badRequest("unexpected kind of operation: \(operation["op"])")
    }
  }

  private static func failure(_ words: String) -> APIFailure {
    APIFailure(
      code: 422, reason: "Invalid", message: "the server rejected our request due to an error in our request: \(words)")
  }

  private static func pointer(_ value: JSON) throws(APIFailure) -> [String] {
    guard let text = value.string, text.isEmpty || text.hasPrefix("/") else {
      throw .badRequest("\(value) is no JSON pointer")
    }
    return text.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map { unescaped($0) }
  }

  private static func unescaped(_ part: Substring) -> String {
    var found = ""
    var isEscaped = false
    for character in part {
      if isEscaped {
        found.append(character == "1" ? "/" : character == "0" ? "~" : character)
        isEscaped = false
      } else if character == "~" {
        isEscaped = true
      } else {
        found.append(character)
      }
    }
    return found
  }

  private static func value(at path: [String], in object: JSON) throws(APIFailure) -> JSON {
    var value = object
    for part in path {
      switch value {
      case .object(let members):
        guard let next = members[part] else { throw failure("there is nothing at /\(path.joined(separator: "/"))") }
        value = next
      case .array(let items):
        guard let place = Int(part), items.indices.contains(place) else {
          throw failure("there is nothing at /\(path.joined(separator: "/"))")
        }
        value = items[place]
      default: throw failure("there is nothing at /\(path.joined(separator: "/"))")
      }
    }
    return value
  }

  private static func add(_ new: JSON, at path: ArraySlice<String>, of value: inout JSON) throws(APIFailure) {
    guard let first = path.first else {
      value = new
      return
    }
    let rest = path.dropFirst()
    switch value {
    case .object(var members):
      if rest.isEmpty {
        members[first] = .some(new)
      } else {
        guard var inner = members[first] else { throw failure("there is nothing at \(first)") }
        try add(new, at: rest, of: &inner)
        members[first] = .some(inner)
      }
      value = .object(members)
    case .array(var items):
      let place = first == "-" ? items.count : Int(first) ?? -1
      guard place >= 0 && place <= items.count && (rest.isEmpty || place < items.count) else {
        throw failure("there is no place \(first)")
      }
      if rest.isEmpty { items.insert(new, at: place) } else { try add(new, at: rest, of: &items[place]) }
      value = .array(items)
    default: throw failure("there is nothing at \(first)")
    }
  }

  private static func remove(_ path: ArraySlice<String>, of value: inout JSON) throws(APIFailure) {
    guard let first = path.first else {
      value = .null
      return
    }
    let rest = path.dropFirst()
    switch value {
    case .object(var members):
      guard var inner = members[first] else { throw failure("there is nothing at \(first)") }
      if rest.isEmpty {
        members[first] = nil
      } else {
        try remove(rest, of: &inner)
        members[first] = .some(inner)
      }
      value = .object(members)
    case .array(var items):
      guard let place = Int(first), items.indices.contains(place) else { throw failure("there is no place \(first)") }
      if rest.isEmpty { items.remove(at: place) } else { try remove(rest, of: &items[place]) }
      value = .array(items)
    default: throw failure("there is nothing at \(first)")
    }
  }
}
