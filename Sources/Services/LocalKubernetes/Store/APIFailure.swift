public import JSONValue

/// A refusal in Kubernetes' words: what becomes a `Status` object.
public struct APIFailure: Error, Sendable, CustomStringConvertible {
  public struct Cause: Sendable, Hashable {
    public var reason: String
    public var message: String
    public var field: String
  }
  /// The HTTP status.
  public var code: Int
  /// Such as `NotFound`.
  public var reason: String
  public var message: String
  public var details: JSON = .null
  public var description: String { "\(code) \(reason): \(message)" }

  /// The `Status` object.
  public var status: JSON {
    var status: JSON = [
      "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure", "message": JSON(message),
      "reason": JSON(reason), "code": JSON(code),
    ]
    if !details.isNull { status["details"] = details }
    return status
  }

  private static func about(_ resource: ResourceName, _ name: String) -> JSON {
    JSON.object(["name": JSON(name), "group": JSON(resource.group), "kind": JSON(resource.plural)])
  }

  static func notFound(_ resource: ResourceName, _ name: String) -> APIFailure {
    APIFailure(
      code: 404, reason: "NotFound", message: "\(resource) \"\(name)\" not found", details: about(resource, name))
  }
  static let noSuchPath = APIFailure(
    code: 404, reason: "NotFound", message: "the server could not find the requested resource", details: [:])
  static func alreadyExists(_ resource: ResourceName, _ name: String) -> APIFailure {
    APIFailure(
      code: 409, reason: "AlreadyExists", message: "\(resource) \"\(name)\" already exists",
      details: about(resource, name))
  }
  static func conflict(_ resource: ResourceName, _ name: String, _ words: String? = nil) -> APIFailure {
    let why =
      words ?? "the object has been modified; please apply your changes to the latest version and try again"
    return APIFailure(
      code: 409, reason: "Conflict", message: "Operation cannot be fulfilled on \(resource) \"\(name)\": \(why)",
      details: about(resource, name))
  }
  static func badRequest(_ message: String) -> APIFailure {
    APIFailure(code: 400, reason: "BadRequest", message: message)
  }
  static func expired(_ message: String) -> APIFailure {
    APIFailure(code: 410, reason: "Expired", message: message)
  }
  static func methodNotAllowed() -> APIFailure {
    APIFailure(
      code: 405, reason: "MethodNotAllowed", message: "the server does not allow this method on the requested resource")
  }
  static func unsupportedMediaType(_ words: String) -> APIFailure {
    APIFailure(code: 415, reason: "UnsupportedMediaType", message: words)
  }
  static func forbidden(_ resource: ResourceName, _ name: String, _ why: String) -> APIFailure {
    APIFailure(
      code: 403, reason: "Forbidden", message: "\(resource) \"\(name)\" is forbidden: \(why)",
      details: about(resource, name))
  }

  /// `KafkaTopic.kafka.swiftwater.dev "x" is invalid: spec.partitions: Required value`
  static func invalid(_ kind: String, _ group: String, _ name: String, _ causes: [Cause]) -> APIFailure {
    let words = causes.map { $0.field.isEmpty ? $0.message : "\($0.field): \($0.message)" }
    let listed = words.count == 1 ? words[0] : "[\(words.joined(separator: ", "))]"
    var details: JSON = ["name": JSON(name), "group": JSON(group), "kind": JSON(kind)]
    details["causes"] = .array(
      causes.map { ["reason": JSON($0.reason), "message": JSON($0.message), "field": JSON($0.field)] })
    let full = group.isEmpty ? kind : "\(kind).\(group)"
    return APIFailure(
      code: 422, reason: "Invalid", message: "\(full) \"\(name)\" is invalid: \(listed)", details: details)
  }
}
