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
  let home = Rehoming(
    lost: lost, home: names[0], namespace: namespace, manager: arguments.text("manager") ?? "kubectl")
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
  /// Who applies from now on.
  let manager: String

  /// Relabels what still names the lost member; returns what that was. One object after the other, in all members at
  /// once: operators that see only half of it put it back.
  func move(_ servers: [APIServer]) async throws -> [String] {
    var found: [String] = []
    for (kind, plural) in [
      (Region.kind, Region.plural), (KafkaCluster.kind, KafkaCluster.plural), (KafkaTopic.kind, KafkaTopic.plural),
      (KafkaMirror.kind, KafkaMirror.plural),
    ] {
      let type = ResourceType(Marks.group, "v1alpha1", plural, kind: kind)
      let selection = APIServer.Selection(namespace: namespace, labels: "\(Marks.origin)=\(lost)")
      let present = try await servers[0].list(type, selection).objects
      let copies = Dictionary(present.compactMap { copy in ObjectKey(of: copy).map { ($0, copy) } }) { first, _ in first
      }
      var holders: [ObjectKey: [APIServer]] = copies.mapValues { _ in [] }
      for server in servers.dropFirst() {
        for key in try await server.list(type, selection, keeping: { ObjectKey(of: $0) }).objects {
          holders[key, default: []].append(server)
        }
      }
      for (key, others) in holders.sorted(by: { $0.key < $1.key }) {
        found.append("\(kind) \(key.name)")
        do throws(APIError) {
          if let copy = copies[key] { try await own(type, copy, servers[0]) }
        } catch {
          // An operator was faster; the next round has what it wrote.
          guard error.isConflict else { throw error }
          continue
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
          if let copy = copies[key] { group.addTask { try await release(type, copy, servers[0]) } }
          for server in others {
            group.addTask {
              _ = try await server.mergePatch(
                type, key, ["metadata": ["labels": [Marks.origin: KubernetesObject(home)]]])
            }
          }
          try await group.waitForAll()
        }
      }
    }
    return found
  }

  /// All of a copy's fields are the operators'. Unless they become those of whoever applies from now on, what is no
  /// longer in a manifest would stay in the object for ever, such as a Region of a cluster.
  private func own(_ type: ResourceType, _ copy: KubernetesObject, _ server: APIServer) async throws(APIError) {
    var object = bare(copy)
    object["metadata"]["resourceVersion"] = copy["metadata"]["resourceVersion"]
    var labels = copy["metadata"]["labels"]
    labels.remove(Marks.origin)
    if !labels.members.isEmpty { object["metadata"]["labels"] = labels }
    let pause = copy["metadata"]["annotations"][Marks.pause]
    if !pause.isNull { object["metadata"]["annotations"] = [Marks.pause: pause] }
    object["spec"] = copy["spec"]
    _ = try await server.apply(type, object, manager: manager, ownership: .taken)
  }

  /// The operators let go of everything but the finalizer: what nobody else owns, which is what makes it a copy, is
  /// taken away. An original that is deleted before it has its finalizer would be taken for lost, and made again.
  private func release(_ type: ResourceType, _ copy: KubernetesObject, _ server: APIServer) async throws(APIError) {
    var object = bare(copy)
    object["metadata"]["finalizers"] = [KubernetesObject(Marks.finalizer)]
    _ = try await server.apply(type, object, manager: Marks.fieldManager, ownership: .taken)
  }

  private func bare(_ copy: KubernetesObject) -> KubernetesObject {
    [
      "apiVersion": copy["apiVersion"], "kind": copy["kind"],
      "metadata": ["name": copy["metadata"]["name"], "namespace": copy["metadata"]["namespace"]],
    ]
  }
}
