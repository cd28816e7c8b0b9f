import EventLoop
import Glibc
import HTTP
import JSONValue
import KubernetesAPI
import Vocabulary

extension HTTPResponse {
  static func json(_ value: JSON, status: Int = 200, warnings: [String] = []) -> HTTPResponse {
    var response = HTTPResponse(status: status, contentType: "application/json", body: value.bytes())
    for warning in warnings { response.headers.append(("Warning", "299 - \(JSON(warning).text())")) }
    return response
  }

  static func failure(_ failure: APIFailure) -> HTTPResponse {
    var response = json(failure.status, status: failure.code)
    if let seconds = failure.details["retryAfterSeconds"].int { response.headers.append(("Retry-After", "\(seconds)")) }
    return response
  }
}

extension LocalAPIServer {
  /// Answers a request on its connection's thread.
  func answer(_ http: WaitingRequest) -> WaitingAnswer {
    do throws(APIFailure) {
      let request = try APIRequest(http)
      let weather = weather(for: request)
      if weather.isUnreachable && !hang(http, isForced: false) { return .close }
      for effect in weather.effects {
        if let answer = try suffer(effect, request) { return answer }
      }
      let answer = try perform(request)
      if request.isWrite && !countWrite() { return .close }
      return answer
    } catch {
      return .whole(.failure(error))
    }
  }

  /// What a fault makes of a request; nil when it is to be answered nevertheless.
  private func suffer(_ effect: Fault.Effect, _ request: APIRequest) throws(APIFailure) -> WaitingAnswer? {
    switch effect {
    case .slow(let span):
      // A bell that nobody rings: the thread sleeps, and no longer than the server lives.
      guard let bell = try? Bell() else { return .close }
      listen(bell)
      defer { unlisten(bell) }
      let deadline = monotonicNow() + span
      while monotonicNow() < deadline && !watchWeather.isStopping {
        bell.wait(milliseconds: min(500, (deadline - monotonicNow()).milliseconds + 1))
      }
      return nil
    case .hang: return hang(request.http, isForced: true) ? nil : .close
    case .close: return .close
    case .refuse(let code, let seconds):
      let reason = code == 429 ? "TooManyRequests" : code == 503 ? "ServiceUnavailable" : "InternalError"
      throw APIFailure(
        code: code, reason: reason, message: "the server was told to refuse this",
        details: seconds.map { ["retryAfterSeconds": JSON($0)] } ?? .null)
    case .conflict:
      guard let target = request.target, request.isWrite else { return nil }
      throw .conflict(target.resource, target.name ?? request.body.name)
    case .expire:
      if request.verb == "watch" || request.http.argument("continue") != nil {
        throw .expired("too old resource version: the server was told so")
      }
      return nil
    }
  }

  private func perform(_ request: APIRequest) throws(APIFailure) -> WaitingAnswer {
    switch request.path {
    case .page(let parts): return .whole(try page(parts, request))
    case .target(let target):
      if target.resource.group == "authorization.k8s.io" || target.resource.group == "authentication.k8s.io" {
        return .whole(try review(target, request))
      }
      guard request.form != nil || !target.subresource.isEmpty else {
        throw APIFailure(
          code: 406, reason: "NotAcceptable",
          message: "only the following media types are accepted: application/json")
      }
      try authorize(request, target)
      let definition = try read { store throws(APIFailure) in try store.served(target.resource, target.version) }
      switch request.verb {
      case "list", "watch", "get": return try performReading(target, definition, request)
      default: return .whole(try performWriting(target, definition, request))
      }
    }
  }

  private func page(_ parts: [String], _ request: APIRequest) throws(APIFailure) -> HTTPResponse {
    switch parts.first {
    case "version" where parts.count == 1: return .json(Discovery.version)
    case "healthz", "readyz", "livez": return HTTPResponse(contentType: "text/plain", body: Array("ok".utf8))
    case "api" where parts.count == 1: return .json(Discovery.versions(address: "\(settings.host):\(port)"))
    case "api" where parts.count == 2:
      guard let found = Discovery.resources(store, group: "", version: parts[1]) else { throw .noSuchPath }
      return .json(found)
    case "apis" where parts.count == 1: return .json(Discovery.groupList(store))
    case "apis" where parts.count == 2:
      guard let group = Discovery.groups(store).first(where: { $0.name == parts[1] }) else { throw .noSuchPath }
      return .json(Discovery.group(group.name, group.versions))
    case "apis" where parts.count == 3:
      guard let found = Discovery.resources(store, group: parts[1], version: parts[2]) else { throw .noSuchPath }
      return .json(found)
    case "openapi": return try openAPI(Array(parts.dropFirst()), request)
    case nil: return .json(["paths": ["/api", "/apis", "/healthz", "/openapi/v2", "/openapi/v3", "/version"]])
    default: throw .noSuchPath
    }
  }

  private func openAPI(_ parts: [String], _ request: APIRequest) throws(APIFailure) -> HTTPResponse {
    switch (parts.first, parts.count) {
    case ("v2", 1):
      if request.http.header("accept")?.contains("proto-openapi") == true {
        return HTTPResponse(
          contentType: "application/com.github.proto-openapi.spec.v2.v1.0+protobuf", body: OpenAPI.version2Protobuf)
      }
      return .json(OpenAPI.version2)
    case ("v3", 1): return .json(OpenAPI.index(store))
    case ("v3", 3) where parts[1] == "api": return .json(OpenAPI.document(store, group: "", version: parts[2]))
    case ("v3", 4) where parts[1] == "apis":
      return .json(OpenAPI.document(store, group: parts[2], version: parts[3]))
    default: throw .noSuchPath
    }
  }

  /// Everybody may everything, but for service accounts.
  private func review(_ target: RequestPath.Target, _ request: APIRequest) throws(APIFailure) -> HTTPResponse {
    guard let known = Discovery.reviews.first(where: { $0.plural == target.resource.plural }), request.verb == "create"
    else { throw .noSuchPath }
    var answer = request.body
    answer["kind"] = JSON(known.kind)
    answer["apiVersion"] = JSON("\(known.group)/v1")
    let rule: JSON = ["verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]]
    switch known.kind {
    case "SelfSubjectReview": answer["status"] = ["userInfo": ["username": "local", "groups": ["system:masters"]]]
    case "TokenReview": answer["status"] = ["authenticated": true, "user": ["username": "local"]]
    case "SelfSubjectRulesReview":
      answer["status"] = ["resourceRules": [rule], "nonResourceRules": [], "incomplete": false]
    case "SelfSubjectAccessReview": answer["status"] = ["allowed": JSON(isAllowed(request.body, request))]
    default: answer["status"] = ["allowed": true]
    }
    return .json(answer, status: 201)
  }
}
