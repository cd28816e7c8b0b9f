import EventLoop
import HTTP
import JSONValue
import KubernetesAPI
import Vocabulary

extension LocalAPIServer {
  func performWriting(
    _ target: RequestPath.Target, _ definition: ResourceDefinition, _ request: APIRequest
  ) throws(APIFailure) -> HTTPResponse {
    let key = ObjectKey(namespace: definition.isNamespaced ? target.namespace ?? "" : "", name: target.name ?? "")
    switch request.verb {
    case "create": return try create(target, definition, key, request)
    case "update":
      let written = try write { store, now throws(APIFailure) in
        try Self.update(&store, target, definition, key, request.body, request.options(now))
      }
      return answer(written, target, definition, request)
    case "patch":
      let (written, isNew) = try write { store, now throws(APIFailure) in
        let isNew = store.object(target.resource, key) == nil
        return (try Self.patch(&store, target, definition, key, request, request.options(now)), isNew)
      }
      return answer(written, target, definition, request, status: isNew ? 201 : 200)
    case "delete": return try delete(target, definition, key, request)
    default: return try deleteCollection(target, definition, request)
    }
  }

  private func answer(
    _ written: Written, _ target: RequestPath.Target, _ definition: ResourceDefinition, _ request: APIRequest,
    status: Int = 200
  ) -> HTTPResponse {
    if target.subresource == "scale", let scale = try? Scaling.scale(of: written.object, definition, target.version) {
      return .json(scale, status: status)
    }
    return .json(shown(written.object, target, definition, request), status: status, warnings: written.warnings)
  }

  private func create(
    _ target: RequestPath.Target, _ definition: ResourceDefinition, _ key: ObjectKey, _ request: APIRequest
  ) throws(APIFailure) -> HTTPResponse {
    if target.subresource == "eviction" {
      _ = try write { store, now throws(APIFailure) in
        if let budget = store.budgetAgainstEviction(of: try store.get(.pods, key)) {
          throw APIFailure(
            code: 429, reason: "TooManyRequests",
            message: "Cannot evict pod as it would violate the pod's disruption budget \(budget).",
            details: ["causes": [["reason": "DisruptionBudget", "message": JSON(budget)]]])
        }
        return try store.delete(.pods, key, DeleteOptions(request.body["deleteOptions"]), now: now)
      }
      return .json(["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success"], status: 201)
    }
    if target.subresource == "token" {
      _ = try read { store throws(APIFailure) in try store.get(target.resource, key) }
      var answer = request.body
      let hour: Int64 = 3_600_000
      answer["status"] = [
        "token": JSON("region:\(settings.name)"),
        "expirationTimestamp": JSON(
          KubernetesTime.text(Timestamp(milliseconds: wallClockNow().milliseconds + hour))),
      ]
      return .json(answer, status: 201)
    }
    guard target.name == nil else { throw .methodNotAllowed() }
    let written = try write { store, now throws(APIFailure) in
      try store.create(
        target.resource, version: target.version, namespace: target.namespace, request.body, request.options(now))
    }
    return answer(written, target, definition, request, status: 201)
  }

  private static func update(
    _ store: inout LocalStore, _ target: RequestPath.Target, _ definition: ResourceDefinition, _ key: ObjectKey,
    _ object: JSON, _ options: WriteOptions
  ) throws(APIFailure) -> Written {
    switch target.subresource {
    case "", "status":
      return try store.update(
        target.resource, version: target.version, key, object, subresource: target.subresource, options)
    case "scale":
      let current = try store.get(target.resource, key)
      let scaled = try Scaling.put(object, into: current, definition, target.version)
      return try store.update(target.resource, version: target.version, key, scaled, options)
    case "finalize":
      return Written(object: try store.get(target.resource, key))
    default: throw .noSuchPath
    }
  }

  private static func patch(
    _ store: inout LocalStore, _ target: RequestPath.Target, _ definition: ResourceDefinition, _ key: ObjectKey,
    _ request: APIRequest, _ options: WriteOptions
  ) throws(APIFailure) -> Written {
    if request.contentType == "application/apply-patch+yaml" {
      guard request.http.argument("fieldManager")?.isEmpty == false else {
        throw APIFailure(
          code: 400, reason: "BadRequest",
          message: "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: "
            + "Required value: is required for apply patch")
      }
      let told = request.body
      guard told.object != nil, told["kind"].string != nil, told["apiVersion"].string != nil else {
        throw .badRequest("an applied configuration says its apiVersion and kind")
      }
      let isForced = request.http.argument("force").map { $0 == "true" || $0 == "1" || $0.isEmpty } ?? false
      guard target.subresource != "scale" else { throw .methodNotAllowed() }
      return try store.apply(
        target.resource, version: target.version, key, told, subresource: target.subresource, isForced: isForced,
        options)
    }
    let current = Served.one(try store.get(target.resource, key), definition, target.version)
    let subject = target.subresource == "scale" ? try Scaling.scale(of: current, definition, target.version) : current
    let patched: JSON
    switch request.contentType {
    case "application/json-patch+json": patched = try JSONPatch.apply(request.body, to: subject)
    case "application/merge-patch+json": patched = subject.merged(with: request.body)
    case "application/strategic-merge-patch+json":
      guard !definition.isCustom else {
        throw .unsupportedMediaType(
          "the body of the request was in an unknown format - accepted media types include: "
            + "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml")
      }
      patched = subject.strategicallyMerged(with: request.body)
    default: throw .unsupportedMediaType("the patch's content type is not known: \(request.contentType)")
    }
    return try update(&store, target, definition, key, patched, options)
  }

  private func delete(
    _ target: RequestPath.Target, _ definition: ResourceDefinition, _ key: ObjectKey, _ request: APIRequest
  ) throws(APIFailure) -> HTTPResponse {
    let options = request.deleteOptions
    if request.isDryRun {
      let object = try read { store throws(APIFailure) in try store.get(target.resource, key) }
      return .json(shown(object, target, definition, request))
    }
    let (object, isGone) = try write { store, now throws(APIFailure) in
      try store.delete(target.resource, key, options, now: now)
    }
    guard isGone else { return .json(shown(object, target, definition, request)) }
    return .json([
      "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success",
      "details": [
        "name": JSON(key.name), "group": JSON(target.resource.group), "kind": JSON(target.resource.plural),
        "uid": JSON(object.uid),
      ],
    ])
  }

  private func deleteCollection(
    _ target: RequestPath.Target, _ definition: ResourceDefinition, _ request: APIRequest
  ) throws(APIFailure) -> HTTPResponse {
    let query = try request.query(target)
    let options = request.deleteOptions
    let deleted = try write { store, now throws(APIFailure) in
      let found = try store.list(target.resource, query).objects
      for object in found {
        _ = try? store.delete(
          target.resource, ObjectKey(namespace: object.namespace, name: object.name), options, now: now)
      }
      return found
    }
    return .json([
      "kind": JSON(definition.listKind), "apiVersion": JSON(definition.apiVersion(target.version)), "metadata": [:],
      "items": .array(deleted),
    ])
  }
}

extension APIRequest {
  var isDryRun: Bool { http.argument("dryRun")?.isEmpty == false }

  /// Who writes and how. Without a field manager the program's name stands for it.
  func options(_ now: Timestamp) -> WriteOptions {
    let agent = http.header("user-agent")?.split(separator: "/").first.map(String.init) ?? "unknown"
    let manager = http.argument("fieldManager").flatMap { $0.isEmpty ? nil : $0 } ?? agent
    var options = WriteOptions(manager: manager, now: now)
    options.isDryRun = isDryRun
    options.unknownFields = http.argument("fieldValidation").flatMap(WriteOptions.UnknownFields.init) ?? .warn
    return options
  }

  var deleteOptions: DeleteOptions {
    var options = DeleteOptions(body)
    if let policy = http.argument("propagationPolicy").flatMap(DeleteOptions.Propagation.init) {
      options.propagation = policy
    }
    if let seconds = http.argument("gracePeriodSeconds").flatMap({ Int64($0) }) { options.graceSeconds = seconds }
    return options
  }
}
