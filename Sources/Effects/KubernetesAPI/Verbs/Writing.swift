public import JSONValue

extension APIServer {
  /// Creates an object; its namespace is the one in its metadata. Refused as `AlreadyExists` when it is there.
  public func create(_ type: ResourceType, _ object: JSON) async throws(APIError) -> JSON {
    let namespace = object["metadata"]["namespace"].string ?? ""
    var call = Call(
      verb: "create", method: "POST", path: type.path(in: namespace),
      operation: "create \(type.name) \(words(object))")
    call.body = typed(object, type)
    call.safety = .once
    return try await perform(call)
  }

  /// Creates what only exists under an object: an eviction of a pod, a token of a service account.
  public func create(
    _ type: ResourceType, _ key: ObjectKey, _ subresource: Subresource, _ object: JSON
  ) async throws(APIError) -> JSON {
    var call = Call(
      verb: "create", method: "POST", path: type.path(of: key, subresource),
      operation: "create \(type.name)/\(subresource.rawValue) \(key)")
    call.body = object
    call.safety = .once
    return try await perform(call)
  }

  /// Replaces an object. With a resource version in its metadata it is refused as a conflict when another writer was
  /// faster; without one, the other writer is overridden.
  public func update(_ type: ResourceType, _ object: JSON, _ subresource: Subresource? = nil) async throws(APIError)
    -> JSON
  {
    guard let key = ObjectKey(of: object) else {
      throw APIError(server: name, operation: "update \(type.name)", cause: .malformed("the object has no name"))
    }
    var call = Call(
      verb: "update", method: "PUT", path: type.path(of: key, subresource),
      operation: "update \(type.name)\(subresource.map { "/\($0.rawValue)" } ?? "") \(key)")
    call.body = subresource == .scale ? object : typed(object, type)
    // Done twice, the second one meets its own version as a conflict.
    call.safety = .once
    return try await perform(call)
  }

  /// Changes members of an object (RFC 7396). A resource version or uid in the patch's metadata is a precondition.
  public func mergePatch(
    _ type: ResourceType, _ key: ObjectKey, _ patch: JSON, _ subresource: Subresource? = nil
  ) async throws(APIError) -> JSON {
    var call = Call(
      verb: "patch", method: "PATCH", path: type.path(of: key, subresource),
      operation: "patch \(type.name)\(subresource.map { "/\($0.rawValue)" } ?? "") \(key)")
    call.body = patch
    call.contentType = "application/merge-patch+json"
    if !patch["metadata"]["resourceVersion"].isNull { call.safety = .once }
    return try await perform(call)
  }

  public enum Ownership: Sendable {
    /// Refused with the owners' names when others own what would change (`StatusError.fieldConflicts`).
    case respected
    /// What others own is taken from them.
    case taken
  }

  /// Server-side apply: the object holds exactly the fields that this manager wants to own; those that it owned and
  /// no longer names are taken away. Creates the object when it is not there. With a resource version in its metadata it
  /// is refused as a conflict when the object has another one.
  public func apply(
    _ type: ResourceType, _ object: JSON, manager: String, ownership: Ownership = .respected,
    _ subresource: Subresource? = nil
  ) async throws(APIError) -> JSON {
    guard let key = ObjectKey(of: object) else {
      throw APIError(server: name, operation: "apply \(type.name)", cause: .malformed("the object has no name"))
    }
    var call = Call(
      verb: "apply", method: "PATCH", path: type.path(of: key, subresource),
      operation: "apply \(type.name)\(subresource.map { "/\($0.rawValue)" } ?? "") \(key)")
    // JSON is YAML, and a server of any version reads it.
    call.contentType = "application/apply-patch+yaml"
    call.query = [("fieldManager", manager), ("force", ownership == .taken ? "true" : "false")]
    call.body = typed(object, type)
    // Done twice, the second one meets its own version as a conflict.
    if !object["metadata"]["resourceVersion"].isNull { call.safety = .once }
    return try await perform(call)
  }

  public enum Propagation: String, Sendable {
    case background = "Background"
    /// The object stays until what belongs to it is gone.
    case foreground = "Foreground"
    /// What belongs to it is left alone.
    case orphan = "Orphan"
  }

  public enum Deletion: Sendable, Hashable {
    case done
    /// It was not there.
    case wasAbsent
  }

  /// Deletes an object, only if it still is the one with this uid and resource version where they are given; else it
  /// is refused as a conflict.
  @discardableResult public func delete(
    _ type: ResourceType, _ key: ObjectKey, uid: String? = nil, resourceVersion: String? = nil,
    propagation: Propagation = .background
  ) async throws(APIError) -> Deletion {
    var call = Call(
      verb: "delete", method: "DELETE", path: type.path(of: key, nil), operation: "delete \(type.name) \(key)")
    var options: JSON = [
      "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": JSON(propagation.rawValue),
    ]
    if let uid { options["preconditions"]["uid"] = JSON(uid) }
    if let resourceVersion { options["preconditions"]["resourceVersion"] = JSON(resourceVersion) }
    call.body = options
    do { _ = try await perform(call) } catch {
      if error.isNotFound { return .wasAbsent }
      throw error
    }
    return .done
  }

  /// Sets the number of replicas through the scale subresource.
  public func scale(_ type: ResourceType, _ key: ObjectKey, to replicas: Int) async throws(APIError) -> JSON {
    try await mergePatch(type, key, ["spec": ["replicas": JSON(replicas)]], .scale)
  }

  private func typed(_ object: JSON, _ type: ResourceType) -> JSON {
    var object = object
    if object["apiVersion"].isNull { object["apiVersion"] = JSON(type.apiVersion) }
    if object["kind"].isNull { object["kind"] = JSON(type.kind) }
    return object
  }

  private func words(_ object: JSON) -> String {
    ObjectKey(of: object)?.description
      ?? "with the name prefix \(object["metadata"]["generateName"].string ?? "missing")"
  }
}
