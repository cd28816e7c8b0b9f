public import JSONValue

extension APIServer {
  /// The object, with a `NotFound` refusal when there is none.
  public func get(_ type: ResourceType, _ key: ObjectKey, _ subresource: Subresource? = nil) async throws(APIError)
    -> JSON
  {
    try await perform(
      Call(
        verb: "get", method: "GET", path: type.path(of: key, subresource),
        operation: "get \(type.name)\(subresource.map { "/\($0.rawValue)" } ?? "") \(key)"))
  }

  /// The object, nil when the server says that there is none. That it could not be asked is an error, never nil.
  public func find(_ type: ResourceType, _ key: ObjectKey) async throws(APIError) -> JSON? {
    do { return try await get(type, key) } catch {
      if error.isNotFound { return nil }
      throw error
    }
  }

  /// Which objects of a type.
  public struct Selection: Sendable, Hashable {
    /// Nil for every namespace.
    public var namespace: String?
    /// Such as `app=a,tier!=b`.
    public var labels: String?
    /// Such as `metadata.name=a`.
    public var fields: String?
    public init(namespace: String? = nil, labels: String? = nil, fields: String? = nil) {
      self.namespace = namespace
      self.labels = labels
      self.fields = fields
    }

    var query: [(String, String)] {
      [labels.map { ("labelSelector", $0) }, fields.map { ("fieldSelector", $0) }].compactMap { $0 }
    }
    var words: String {
      (namespace.map { "in namespace \($0)" } ?? "in every namespace") + (labels.map { " with \($0)" } ?? "")
        + (fields.map { " where \($0)" } ?? "")
    }
  }

  public struct Listing<Object: Sendable>: Sendable {
    public let objects: [Object]
    /// Where a watch goes on.
    public let resourceVersion: String
  }

  /// Lists in pages. Objects of a page are handed to `keeping` at once, and what it returns is kept, so that a large
  /// list never lies in memory whole. When the place in the list expires in the middle, it begins anew, once.
  public func list<Object: Sendable>(
    _ type: ResourceType, _ selection: Selection = Selection(), keeping: (JSON) -> Object?
  ) async throws(APIError) -> Listing<Object> {
    do { return try await listOnce(type, selection, keeping) } catch {
      guard error.isExpired else { throw error }
      return try await listOnce(type, selection, keeping)
    }
  }

  public func list(_ type: ResourceType, _ selection: Selection = Selection()) async throws(APIError) -> Listing<JSON> {
    try await list(type, selection) { $0 }
  }

  private func listOnce<Object: Sendable>(
    _ type: ResourceType, _ selection: Selection, _ keeping: (JSON) -> Object?
  ) async throws(APIError) -> Listing<Object> {
    var found: [Object] = []
    var place: String?
    while true {
      var call = Call(
        verb: "list", method: "GET", path: type.path(in: selection.namespace),
        operation: "list \(type.name) \(selection.words)")
      call.query = selection.query + [("limit", String(settings.pageSize))]
      if let place { call.query.append(("continue", place)) }
      let page = try await perform(call)
      guard let items = page["items"].isNull ? [] : page["items"].array,
        let version = page["metadata"]["resourceVersion"].string
      else {
        throw APIError(server: name, operation: call.operation, cause: .malformed("it is no list"))
      }
      for item in items {
        // Objects in a list do not repeat what they are; alone they do, and should everywhere.
        var object = item
        if object["kind"].isNull { object["kind"] = JSON(type.kind) }
        if object["apiVersion"].isNull { object["apiVersion"] = JSON(type.apiVersion) }
        if let kept = keeping(object) { found.append(kept) }
      }
      guard let next = page["metadata"]["continue"].string, !next.isEmpty else {
        return Listing(objects: found, resourceVersion: version)
      }
      // A server that always promises more must not keep us for ever.
      guard next != place else {
        throw APIError(server: name, operation: call.operation, cause: .malformed("the list does not go on"))
      }
      place = next
    }
  }

  /// What the server says that it is.
  public struct Version: Sendable, Hashable {
    public let major: Int
    public let minor: Int
    /// Such as `v1.33.1`.
    public let text: String
  }

  public func version() async throws(APIError) -> Version {
    let value = try await perform(Call(verb: "get", method: "GET", path: "/version", operation: "get its version"))
    // Some providers write 33+.
    func number(_ text: String?) -> Int? { text.flatMap { Int($0.prefix { $0 >= "0" && $0 <= "9" }) } }
    guard let major = number(value["major"].string), let minor = number(value["minor"].string) else {
      throw APIError(server: name, operation: "get its version", cause: .malformed("there is no version in it"))
    }
    return Version(major: major, minor: minor, text: value["gitVersion"].string ?? "v\(major).\(minor)")
  }

  /// The plural names that the server has in a group and version, subresources as `plural/name`; nil when it does not
  /// have that version.
  public func resources(group: String, version: String) async throws(APIError) -> Set<String>? {
    let call = Call(
      verb: "get", method: "GET", path: ResourceType.root(group, version),
      operation: "discover \(group.isEmpty ? version : "\(group)/\(version)")")
    do { return Set(try await perform(call)["resources"].elements.compactMap { $0["name"].string }) } catch {
      if error.isNotFound { return nil }
      throw error
    }
  }

  /// Whether the server has the type at this version.
  public func has(_ type: ResourceType) async throws(APIError) -> Bool {
    try await resources(group: type.group, version: type.version)?.contains(type.plural) == true
  }
}
