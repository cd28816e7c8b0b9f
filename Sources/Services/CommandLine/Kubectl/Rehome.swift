import JSONValue
import KubernetesAPI
import KubernetesResources

/// Copies whose original is lost for good become originals in one of the members that are left, and the other copies
/// name that one. Operators may put a copy back between two of these writes, so that it is looked at again until nothing
/// is left to do.
func rehome(_ arguments: Arguments, _ console: Console) async throws {
  let lost = arguments.positionals[0]
  let kubeconfig = try KubernetesSession.kubeconfig(arguments)
  let target = try kubeconfig.target(context: arguments.text("context"))
  let namespace = try KubernetesSession.namespace(arguments, target)
  let contexts = [arguments.text("context") ?? kubeconfig.currentContext ?? ""] + arguments.texts("also")
  var servers: [APIServer] = []
  defer { for server in servers { server.close() } }
  for context in contexts {
    servers.append(try KubernetesSession.server(try kubeconfig.target(context: context), named: context))
  }
  let marker = ObjectKey(namespace: namespace, name: "swiftwater-member")
  var names: [String] = []
  for server in servers {
    let maps = ResourceType("", "v1", "configmaps", kind: "ConfigMap")
    guard let name = try await server.find(maps, marker)?["data"]["name"].string else {
      throw Failure("\(server.name): there is no ConfigMap \(marker), so that it is no member yet")
    }
    names.append(name)
  }
  guard !names.contains(lost) else {
    throw Failure("\(lost) is not gone: the context \(contexts[names.firstIndex(of: lost) ?? 0]) leads to it")
  }
  let home = Rehoming(lost: lost, home: names[0], namespace: namespace)
  var moved: Set<String> = []
  let rounds = 20
  for _ in 0..<rounds {
    let left = try await home.move(servers)
    if left.isEmpty, moved.isEmpty {
      throw Failure("nothing in the namespace \(namespace) has its original in \(lost)")
    }
    if left.isEmpty { break }
    moved.formUnion(left)
    try await Task.sleep(nanoseconds: 500_000_000)
  }
  for name in moved.sorted() { try console.write("\(name): its original is in \(names[0]) now\n") }
}

private struct Rehoming {
  let lost: String
  let home: String
  let namespace: String

  /// Relabels what still names the lost member; returns what that was.
  func move(_ servers: [APIServer]) async throws -> [String] {
    var found: [String] = []
    for (kind, plural) in [
      (Region.kind, Region.plural), (KafkaCluster.kind, KafkaCluster.plural), (KafkaTopic.kind, KafkaTopic.plural),
      (KafkaMirror.kind, KafkaMirror.plural),
    ] {
      let type = ResourceType(Marks.group, "v1alpha1", plural, kind: kind)
      for (place, server) in servers.enumerated() {
        let selection = APIServer.Selection(namespace: namespace, labels: "\(Marks.origin)=\(lost)")
        for object in try await server.list(type, selection).objects {
          guard let key = ObjectKey(of: object) else { continue }
          _ = try await server.mergePatch(type, key, ["metadata": place == 0 ? original : copy])
          found.append("\(kind) \(key.name)")
        }
      }
    }
    return found
  }

  private var original: KubernetesObject {
    [
      "labels": [Marks.origin: .null],
      "annotations": [Marks.originCreated: .null, Marks.originGeneration: .null],
    ]
  }
  private var copy: KubernetesObject { ["labels": [Marks.origin: KubernetesObject(home)]] }
}
