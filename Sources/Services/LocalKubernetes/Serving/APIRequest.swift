import HTTP
import JSONValue
import YAML

/// A request as the API understands it.
struct APIRequest: Sendable {
  let path: RequestPath
  let http: WaitingRequest
  /// Null when there is none, or when it is a patch that is read later.
  let body: JSON
  let verb: String

  init(_ http: WaitingRequest) throws(APIFailure) {
    self.http = http
    path = RequestPath(http.path)
    body = try Self.body(http)
    var name: String?
    if case .target(let target) = path { name = target.name }
    let isWatch = http.argument("watch").map { $0 == "true" || $0 == "1" || $0.isEmpty } ?? false
    switch http.method {
    case "GET", "HEAD": verb = isWatch ? "watch" : name == nil ? "list" : "get"
    case "POST": verb = "create"
    case "PUT": verb = "update"
    case "PATCH": verb = "patch"
    case "DELETE": verb = name == nil ? "deletecollection" : "delete"
    default: throw .methodNotAllowed()
    }
  }

  var target: RequestPath.Target? { if case .target(let target) = path { target } else { nil } }
  var isWrite: Bool { !["get", "list", "watch"].contains(verb) }
  var contentType: String {
    String(http.header("content-type")?.split(separator: ";").first ?? "application/json")
  }

  private static func body(_ http: WaitingRequest) throws(APIFailure) -> JSON {
    if http.body.isEmpty { return .null }
    let type = http.header("content-type") ?? "application/json"
    if type.contains("protobuf") || type.contains("cbor") {
      if let object = Protobuf.object(http.body) { return object }
      throw .unsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include: "
          + "application/json, application/yaml")
    }
    do { return try JSON(parsing: http.body) } catch {
      guard type.contains("yaml") else {
        throw .badRequest("the object provided is unrecognized (must be of type JSON): \(error)")
      }
    }
    do {
      let text = String(decoding: http.body, as: UTF8.self)
      return try JSON.documents(inYAML: text).first ?? .null
    } catch { throw .badRequest("the body is neither JSON nor YAML: \(error)") }
  }

  /// What form an object shall be answered in.
  enum Form: Sendable, Hashable { case object, table, metadata }
  /// Nil when nothing that is asked for can be had.
  var form: Form? {
    let accepted = (http.header("accept") ?? "*/*").split(separator: ",")
    for option in accepted {
      let parts = option.split(separator: ";").map { trimmed($0) }
      guard let type = parts.first, ["application/json", "*/*", "application/*", "application/yaml"].contains(type)
      else {
        continue
      }
      let kind = parts.first { $0.hasPrefix("as=") }?.dropFirst(3)
      switch kind {
      case nil: return .object
      case "Table": return .table
      case "PartialObjectMetadata", "PartialObjectMetadataList": return .metadata
      default: continue
      }
    }
    return nil
  }

  func query(_ target: RequestPath.Target) throws(APIFailure) -> Query {
    var query = Query(namespace: target.namespace)
    if let labels = http.argument("labelSelector"), !labels.isEmpty { query.labels = try LabelSelector(labels) }
    if let fields = http.argument("fieldSelector"), !fields.isEmpty { query.fields = try FieldSelector(fields) }
    query.limit = http.argument("limit").flatMap { Int($0) } ?? 0
    query.token = http.argument("continue") ?? ""
    if let name = target.name {
      query.fields = try FieldSelector("metadata.name=\(name)")
    }
    return query
  }
}
