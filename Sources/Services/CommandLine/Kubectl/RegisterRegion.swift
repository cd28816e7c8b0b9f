import EventLoop
import JSONValue
import KubernetesAPI
import KubernetesResources
import Vocabulary
import YAML

func registerRegion(_ arguments: Arguments, _ console: Console) async throws {
  guard arguments.positionals[0] == "register" else {
    throw UsageError("kubectl regions: unknown command \(arguments.positionals[0]); there is register")
  }
  let name = arguments.positionals[1]
  guard TextForm.label.accepts(name) else {
    throw UsageError("\(name) is no name of a Region: \(TextForm.label.words) is needed")
  }
  if let format = arguments.text("output") {
    guard format == "yaml" else { throw UsageError("--output \(format): yaml is needed") }
    return try render(arguments, name, console)
  }
  guard let from = arguments.text("from") else {
    throw UsageError("kubectl regions register needs --from CONTEXT, the Kubernetes cluster that becomes a Region")
  }
  let kubeconfig = try KubernetesSession.kubeconfig(arguments)
  let target = try kubeconfig.target(context: from)
  let home = try kubeconfig.target(context: arguments.text("context"))
  let registration = try registration(arguments, name, try KubernetesSession.namespace(arguments, home))
  let homeName = arguments.text("context") ?? kubeconfig.currentContext ?? ""
  var members = [Member(try KubernetesSession.server(home, named: homeName), registration.namespace)]
  for context in arguments.texts("also") where context != homeName {
    let server = try KubernetesSession.server(try kubeconfig.target(context: context), named: context)
    members.append(Member(server, registration.namespace))
  }
  let other = Member(try KubernetesSession.server(target, named: from), registration.namespace)
  defer { for member in members + [other] { member.server.close() } }
  // Everything is asked for before anything is made, so that nothing is left half done.
  try await other.checkRights(registration.peer)
  let placeholder = registration.secret([:])
  for (place, member) in members.enumerated() {
    try await member.checkRights(place == 0 ? [placeholder, registration.region] : [placeholder])
  }
  guard try await members[0].server.has(Member.type(registration.region)) else {
    throw Failure("\(members[0].server.name): it does not know Regions; apply the definitions in crds/ first")
  }
  for object in registration.peer { try await other.apply(object, console) }
  let (token, authority) = try await other.token()
  let secret = registration.secret(
    try registration.kubeconfig(
      target, url: arguments.text("server") ?? target.url, token: token, authority: authority))
  for member in members { try await member.apply(secret, console) }
  try await members[0].apply(registration.region, console, ownership: .respected)
  try console.write(
    """
    Operators may read the Secret once the chart's values name it in every member:
      kubeconfigSecrets: [..., \(registration.secretName)]

    """)
}

private func registration(
  _ arguments: Arguments, _ name: String, _ namespace: String
) throws(UsageError) -> RegionRegistration {
  var registration = RegionRegistration(name: name, namespace: namespace)
  registration.provider = arguments.text("provider")
  registration.location = arguments.text("location")
  registration.sovereignty = arguments.texts("sovereignty")
  registration.watchesAll = arguments.has("all-namespaces")
  registration.seesMachines = arguments.has("machines")
  if let type = arguments.text("network") {
    let types = RegionNetwork.Kind.allCases.map(\.rawValue)
    guard types.contains(type) else {
      throw UsageError("--network \(type): one of \(types.joined(separator: ", ")) is needed")
    }
    registration.network = type
  }
  return registration
}

private func render(_ arguments: Arguments, _ name: String, _ console: Console) throws {
  let namespace = arguments.text("namespace") ?? "default"
  guard TextForm.label.accepts(namespace) else {
    throw UsageError("--namespace \(namespace): \(TextForm.label.words) is needed")
  }
  let registration = try registration(arguments, name, namespace)
  try console.write(
    """
    # For the Kubernetes cluster that becomes the Region \(name).
    \(KubernetesObject.yamlText(documents: registration.peer))---
    # For the member in which people edit. The Secret \(registration.secretName), in every other member, has a kubeconfig
    # with the token of the Secret \(registration.peer[1]["metadata"]["name"].string ?? "") above: a credential, which does not belong into Git.
    \(registration.region.yamlText())
    """)
}

/// A Kubernetes cluster in which something is made.
private struct Member {
  let server: APIServer
  let namespace: String
  static let tokenPatience = TimeSpan.seconds(15)
  private static let pause: UInt64 = 200_000_000

  init(_ server: APIServer, _ namespace: String) {
    self.server = server
    self.namespace = namespace
  }

  static func type(_ object: KubernetesObject) -> ResourceType {
    let parts = (object["apiVersion"].string ?? "").split(separator: "/").map(String.init)
    let kind = object["kind"].string ?? ""
    return ResourceType(
      parts.count == 2 ? parts[0] : "", parts.last ?? "", kind.lowercased() + "s", kind: kind,
      scope: object["metadata"]["namespace"].isNull ? .cluster : .namespaced)
  }

  /// Refuses with every verb on every resource that is missing.
  func checkRights(_ objects: [KubernetesObject]) async throws {
    let reviews = ResourceType(
      "authorization.k8s.io", "v1", "selfsubjectaccessreviews", kind: "SelfSubjectAccessReview", scope: .cluster)
    var missing: [String] = []
    for object in objects {
      let type = Self.type(object)
      for verb in ["create", "patch"] {
        var asked: KubernetesObject = [
          "verb": KubernetesObject(verb), "group": KubernetesObject(type.group),
          "resource": KubernetesObject(type.plural),
        ]
        if type.scope == .namespaced { asked["namespace"] = KubernetesObject(namespace) }
        let answer = try await server.create(reviews, ["spec": ["resourceAttributes": asked]])
        guard answer["status"]["allowed"] != true else { continue }
        let group = type.group.isEmpty ? "" : ".\(type.group)"
        let words = "\(verb) \(type.plural)\(group)\(type.scope == .namespaced ? " in namespace \(namespace)" : "")"
        if !missing.contains(words) { missing.append(words) }
      }
    }
    guard missing.isEmpty else {
      throw Failure("\(server.name): you may not \(missing.joined(separator: ", nor ")); nothing was changed")
    }
  }

  func apply(
    _ object: KubernetesObject, _ console: Console, ownership: APIServer.Ownership = .taken
  ) async throws {
    do throws(APIError) {
      _ = try await server.apply(
        Self.type(object), object, manager: RegionRegistration.manager, ownership: ownership)
    } catch {
      guard error.isNotFound else { throw error }
      throw Failure("\(error); make the namespace \(namespace) first")
    }
    try console.write("\(server.name): \(object["kind"].string ?? "") \(object["metadata"]["name"].string ?? "")\n")
    try console.flush()
  }

  /// The account's token, once the Kubernetes cluster has made it, and its authority in base 64.
  func token() async throws -> (token: String, authority: String?) {
    let secrets = ResourceType("", "v1", "secrets", kind: "Secret")
    let key = ObjectKey(namespace: namespace, name: "swiftwater-peer")
    let deadline = monotonicNow() + Self.tokenPatience
    while true {
      let data = try await server.get(secrets, key)["data"]
      if let encoded = data["token"].string, let token = Base64.decode(encoded) {
        return (String(decoding: token, as: UTF8.self), data["ca.crt"].string)
      }
      guard monotonicNow() < deadline else {
        throw Failure(
          "\(server.name): the Secret \(key) has no token after \(Self.tokenPatience.milliseconds / 1000) s; its controller manager makes it"
        )
      }
      try await Task.sleep(nanoseconds: Self.pause)
    }
  }
}
