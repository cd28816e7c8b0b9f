import JSONValue

/// What a request's path is about.
enum RequestPath: Sendable {
  /// Objects of a kind; without a name all of them. The namespace is nil for all namespaces and for kinds without.
  struct Target: Sendable {
    var resource: ResourceName
    var version: String
    var namespace: String?
    var name: String?
    var subresource = ""
  }
  case target(Target)
  /// Everything else, as the parts of the path.
  case page([String])

  init(_ path: String) {
    let parts = path.split(separator: "/").map(String.init)
    let rest: ArraySlice<String>
    let group: String
    if parts.first == "api" && parts.count > 2 {
      group = ""
      rest = parts[1...]
    } else if parts.first == "apis" && parts.count > 3 {
      group = parts[1]
      rest = parts[2...]
    } else {
      self = .page(parts)
      return
    }
    var words = Array(rest.dropFirst())
    var target = Target(resource: ResourceName(group, ""), version: rest[rest.startIndex])
    let isNamespaceItself = words.count <= 2 || (words.count == 3 && ["status", "finalize"].contains(words[2]))
    if words[0] == "namespaces" && !(isNamespaceItself && group.isEmpty) && words.count > 2 {
      target.namespace = words[1]
      words.removeFirst(2)
    }
    target.resource = ResourceName(group, words[0])
    if words.count > 1 { target.name = words[1] }
    if words.count > 2 { target.subresource = words[2...].joined(separator: "/") }
    self = .target(target)
  }
}
