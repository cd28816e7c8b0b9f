import EventLoop
import JSONValue
import KubernetesAPI
import KubernetesResources
import Vocabulary

/// `kubectl swiftwater …`: this program under the name kubectl-swiftwater, or `swiftwater kubectl …`.
let kubectlCommands: [Command] = [
  Command(
    "kubectl", "status", "Tells how clusters, Regions, topics and mirrors are, in sentences.", operands: "[CLUSTER]",
    count: 0...1, options: [.flag("all-namespaces", "of every namespace")] + KubernetesSession.options,
    perform: showStatus),
  Command(
    "kubectl", "regions", "Makes another Kubernetes cluster a Region: `regions register NAME --from CONTEXT`.",
    operands: "register NAME", count: 2...2, options: RegionRegistration.options + KubernetesSession.options,
    perform: registerRegion),
  Command(
    "kubectl", "rehome", "Gives what was applied in a member that is gone for good a new home.",
    operands: "MEMBER", count: 1...1,
    options: [
      .values("also", "CONTEXT", "another member that is left; may be there several times, for all of them"),
      .value("manager", "NAME", "who applies from now on, as server-side apply calls it (kubectl)"),
    ] + KubernetesSession.options, perform: rehome),
]

/// One API server for the time of one command.
enum KubernetesSession {
  static let options: [Option] = [
    .value("kubeconfig", "FILE", "where contexts are (KUBECONFIG, or ~/.kube/config)"),
    .value("context", "NAME", "the context of the kubeconfig (its current one)"),
    .value("namespace", short: "n", "NAME", "the namespace (that of the context)"),
  ]
  static let patience = TimeSpan.seconds(10)

  static func kubeconfig(_ arguments: Arguments) throws -> Kubeconfig {
    if let file = arguments.text("kubeconfig") { return try Kubeconfig(files: [file]) }
    return try Kubeconfig(environment: ProcessVariables.all)
  }

  static func namespace(_ arguments: Arguments, _ target: ServerTarget) throws(UsageError) -> String {
    let name = arguments.text("namespace") ?? target.namespace ?? "default"
    guard TextForm.label.accepts(name) else {
      throw UsageError("--namespace \(name): \(TextForm.label.words) is needed")
    }
    return name
  }

  /// Messages call the server by its context.
  static func server(_ target: ServerTarget, named name: String) throws -> APIServer {
    var settings = APIServer.Settings()
    settings.patience = patience
    return try APIServer(name: name, target: target, settings: settings, metrics: nil)
  }
}

private func showStatus(_ arguments: Arguments, _ console: Console) async throws {
  let kubeconfig = try KubernetesSession.kubeconfig(arguments)
  let target = try kubeconfig.target(context: arguments.text("context"))
  let namespace = try KubernetesSession.namespace(arguments, target)
  let server = try KubernetesSession.server(
    target, named: arguments.text("context") ?? kubeconfig.currentContext ?? target.url)
  defer { server.close() }
  let selection = APIServer.Selection(namespace: arguments.has("all-namespaces") ? nil : namespace)
  func all<R: Resource>(_ type: R.Type) async throws -> [R] {
    let kind = ResourceType(Marks.group, "v1alpha1", R.plural, kind: R.kind)
    do {
      return try await server.list(kind, selection).objects.map { R.read($0).resource }
    } catch {
      guard error.isNotFound else { throw error }
      throw Failure("\(error); apply the definitions in crds/ first")
    }
  }
  var story = ClusterStory()
  story.clusters = try await all(KafkaCluster.self)
  story.topics = try await all(KafkaTopic.self)
  story.mirrors = try await all(KafkaMirror.self)
  story.regions = try await all(Region.self)
  story.place = selection.namespace.map { "the namespace \($0)" } ?? "any namespace"
  if let name = arguments.positionals.first {
    let names = story.clusters.map(\.metadata.name)
    story.clusters.removeAll { $0.metadata.name != name }
    guard !story.clusters.isEmpty else {
      throw Failure(
        "there is no KafkaCluster \(name) in \(story.place); "
          + (names.isEmpty ? "there is none" : "there are \(names.joined(separator: ", "))"))
    }
  }
  try console.write(story.text)
}
