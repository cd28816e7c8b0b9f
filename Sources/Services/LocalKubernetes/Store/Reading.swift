import JSONValue
import KubernetesAPI

/// What of a kind is asked for.
struct Query: Sendable {
  var namespace: String?
  var labels: LabelSelector?
  var fields: FieldSelector?
  /// 0 means no limit.
  var limit = 0
  var token = ""

  func matches(_ object: JSON) -> Bool {
    (namespace == nil || object.namespace == namespace)
      && labels?.matches(object["metadata"]["labels"]) ?? true && fields?.matches(object) ?? true
  }
}

struct Listed: Sendable {
  var objects: [JSON]
  var resourceVersion: String
  var token = ""
  var remaining = 0
}

extension LocalStore {
  func get(_ name: ResourceName, _ key: ObjectKey) throws(APIFailure) -> JSON {
    guard let object = kinds[name]?.objects[key] else { throw .notFound(name, key.name) }
    return object
  }

  /// In the order of namespaces and names. A page continues after the last key of the page before, on the state of
  /// now: there are no snapshots, which etcd's clients have to bear too once a token has expired.
  func list(_ name: ResourceName, _ query: Query) throws(APIFailure) -> Listed {
    guard let kind = kinds[name] else { throw .noSuchPath }
    var keys = kind.objects.keys.sorted()
    var version = String(revision)
    if !query.token.isEmpty {
      let parts = query.token.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 3 else { throw .badRequest("continue key is not valid: \(query.token)") }
      version = parts[0]
      let after = ObjectKey(namespace: parts[1], name: parts[2])
      keys = keys.filter { after < $0 }
    }
    var found: [JSON] = []
    for (place, key) in keys.enumerated() {
      guard let object = kind.objects[key], query.matches(object) else { continue }
      if query.limit > 0 && found.count == query.limit {
        let last = found[found.count - 1]
        return Listed(
          objects: found, resourceVersion: version, token: "\(version)/\(last.namespace)/\(last.name)",
          remaining: keys.count - place)
      }
      found.append(object)
    }
    return Listed(objects: found, resourceVersion: version)
  }
}
