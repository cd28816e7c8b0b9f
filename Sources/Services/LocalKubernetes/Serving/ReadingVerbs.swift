import EventLoop
import HTTP
import JSONValue
import KubernetesAPI
import Synchronization
import Vocabulary

extension LocalAPIServer {
  func performReading(
    _ target: RequestPath.Target, _ definition: ResourceDefinition, _ request: APIRequest
  ) throws(APIFailure) -> WaitingAnswer {
    if request.verb == "watch" { return try watch(target, definition, request) }
    guard let name = target.name else { return .whole(try list(target, definition, request)) }
    let key = ObjectKey(namespace: definition.isNamespaced ? target.namespace ?? "" : "", name: name)
    let object = try read { store throws(APIFailure) in try store.get(target.resource, key) }
    switch target.subresource {
    case "", "status": return .whole(.json(shown(object, target, definition, request)))
    case "scale": return .whole(.json(try Scaling.scale(of: object, definition, target.version)))
    case "log" where target.resource == .pods:
      guard let text = logs.withLock({ $0 })?(key.namespace, key.name) else {
        throw .badRequest("container \"\" in pod \"\(name)\" is waiting to start")
      }
      return .whole(HTTPResponse(contentType: "text/plain", body: Array(tail(text, request).utf8)))
    default: throw .noSuchPath
    }
  }

  private func tail(_ text: String, _ request: APIRequest) -> String {
    guard let count = request.http.argument("tailLines").flatMap({ Int($0) }), count >= 0 else { return text }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let ended = text.hasSuffix("\n") ? lines.dropLast() : lines[...]
    return ended.suffix(count).map { $0 + "\n" }.joined()
  }

  func shown(
    _ object: JSON, _ target: RequestPath.Target, _ definition: ResourceDefinition, _ request: APIRequest
  ) -> JSON {
    let served = Served.one(object, definition, target.version)
    switch request.form {
    case .table:
      return Table.of(
        [served], definition, target.version, metadata: ["resourceVersion": object["metadata"]["resourceVersion"]],
        now: wallClockNow(), includesObject: request.http.argument("includeObject") ?? "Metadata")
    case .metadata: return Served.metadata(served)
    default: return served
    }
  }

  private func list(
    _ target: RequestPath.Target, _ definition: ResourceDefinition, _ request: APIRequest
  ) throws(APIFailure) -> HTTPResponse {
    let query = try request.query(target)
    let found = try read { store throws(APIFailure) in try store.list(target.resource, query) }
    var metadata: JSON = ["resourceVersion": JSON(found.resourceVersion)]
    if !found.token.isEmpty {
      metadata["continue"] = JSON(found.token)
      metadata["remainingItemCount"] = JSON(found.remaining)
    }
    let objects = found.objects.map { Served.one($0, definition, target.version) }
    switch request.form {
    case .table:
      return .json(
        Table.of(
          objects, definition, target.version, metadata: metadata, now: wallClockNow(),
          includesObject: request.http.argument("includeObject") ?? "Metadata"))
    case .metadata:
      return .json([
        "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "items": .array(objects.map(Served.metadata)),
      ])
    default:
      return .json([
        "kind": JSON(definition.listKind), "apiVersion": JSON(definition.apiVersion(target.version)),
        "metadata": metadata, "items": .array(objects),
      ])
    }
  }

  private func watch(
    _ target: RequestPath.Target, _ definition: ResourceDefinition, _ request: APIRequest
  ) throws(APIFailure) -> WaitingAnswer {
    let query = try request.query(target)
    let asked = request.http.argument("resourceVersion") ?? ""
    let announces = request.http.argument("sendInitialEvents") == "true"
    let secondsMax: Int64 = 3600
    let seconds = request.http.argument("timeoutSeconds").flatMap { Int64($0) } ?? secondsMax
    let subject = WatchStream.Subject(
      definition: definition, version: target.version, query: query, form: request.form ?? .object,
      includesObject: request.http.argument("includeObject") ?? "Metadata",
      wantsBookmarks: request.http.argument("allowWatchBookmarks") == "true", announcesStart: announces,
      epoch: watchWeather.epoch, deadline: monotonicNow() + .seconds(min(max(1, seconds), secondsMax)))
    let (revision, initial) = try read { store throws(APIFailure) -> (Int64, [JSON]) in
      if asked.isEmpty || asked == "0" || announces {
        return (store.revision, try store.list(target.resource, query).objects)
      }
      guard let from = Int64(asked) else { throw .badRequest("invalid resource version: \(asked)") }
      return (from, [])
    }
    let watch: WatchStream
    do { watch = try WatchStream(self, subject, from: revision, initial: initial) } catch {
      throw APIFailure(code: 500, reason: "InternalError", message: "\(error)")
    }
    register(watch)
    // The stream holds this for as long as it lives, and leaves the list when it ends.
    let registration = WatchRegistration(watch, self)
    return .stream(
      head: HTTPResponse(contentType: "application/json", body: []), source: { registration.watch.next() })
  }
}

/// A watch's place in the server's list, given up with the last who holds it.
final class WatchRegistration: Sendable {
  let watch: WatchStream
  private let server: LocalAPIServer
  init(_ watch: WatchStream, _ server: LocalAPIServer) {
    self.watch = watch
    self.server = server
  }
  deinit { server.unregister(watch) }
}

/// The scale subresource.
enum Scaling {
  static func scale(of object: JSON, _ definition: ResourceDefinition, _ version: String) throws(APIFailure) -> JSON {
    guard let paths = definition.version(version)?.scale else { throw .noSuchPath }
    var scale: JSON = ["kind": "Scale", "apiVersion": "autoscaling/v1", "spec": [:], "status": ["replicas": 0]]
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
      if !object["metadata"][field].isNull { scale["metadata"][field] = object["metadata"][field] }
    }
    scale["spec"]["replicas"] = JSON(object.at(paths.specPath).int ?? 0)
    scale["status"]["replicas"] = JSON(object.at(paths.statusPath).int ?? 0)
    if let path = paths.selectorPath {
      scale["status"]["selector"] = object.at(path)
    } else {
      let labels = object["spec"]["selector"]["matchLabels"].members.map { "\($0.key)=\($0.value.string ?? "")" }
      scale["status"]["selector"] = JSON(labels.joined(separator: ","))
    }
    return scale
  }

  static func put(
    _ scale: JSON, into object: JSON, _ definition: ResourceDefinition, _ version: String
  ) throws(APIFailure) -> JSON {
    guard let paths = definition.version(version)?.scale else { throw .noSuchPath }
    guard let replicas = scale["spec"]["replicas"].int, replicas >= 0 else {
      throw .invalid(
        "Scale", "autoscaling", object.name,
        [
          .init(
            reason: "FieldValueInvalid",
            message: "Invalid value: \(scale["spec"]["replicas"].text()): must be greater than or equal to 0",
            field: "spec.replicas")
        ])
    }
    var object = object
    object.set(paths.specPath[...], to: JSON(replicas))
    if let version = scale["metadata"]["resourceVersion"].string {
      object["metadata"]["resourceVersion"] = JSON(version)
    }
    return object
  }
}
