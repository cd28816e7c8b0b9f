import EventLoop
import Glibc
import JSONValue
import KubernetesAPI
import KubernetesResources
import LocalKubernetes
import Operator
import Processes
import Telemetry
import Vocabulary
import YAML

/// A value of the Kubernetes API; the module's own `JSON` is what commands print.
private typealias Object = JSONValue.JSON

/// The process tree of `local up`: Regions with their API servers and pods, and an operator in each.
final class LocalTree {
  static let regionsMax = 9
  static let pollPause: UInt32 = 100_000

  /// Whether an operator is started in each Region.
  var hasOperators = true
  private let cluster: LocalCluster
  private let namespace: String
  private let orders: LocalOrders
  private let log: Log
  private var operators: [String: OperatorService] = [:]
  private var cuts: Set<String> = []

  init(folder: String, regions: [String], namespace: String) throws {
    let path = folder.hasPrefix("/") ? folder : Self.here + "/" + folder
    orders = LocalOrders(folder: path)
    guard !orders.isObeyed else {
      throw Failure("something runs in \(folder) already; end it with swiftwater local down --folder \(folder)")
    }
    File.makeFolder(path)
    let descriptor = Glibc.open("\(path)/operators.log", O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Failure("\(path) cannot be written to") }
    log = Log("operator", to: LogOutput(descriptor: descriptor, format: .json))
    var settings = LocalCluster.Settings(folder: path, regions: regions)
    settings.backoff = (first: 500, longest: 10_000)
    cluster = LocalCluster(settings)
    self.namespace = namespace
  }

  private static var here: String {
    guard let path = getcwd(nil, 0) else { return "." }
    defer { free(path) }
    return String(cString: path)
  }

  func start(_ say: (String) -> Void) async throws {
    try cluster.start()
    orders.open()
    for region in cluster.regions {
      try await prepare(region)
      say("  \(region.name): \(region.url)")
    }
    for region in cluster.regions { try startOperator(in: region) }
    publish()
  }

  var welcome: String {
    """
    \(hasOperators ? "An operator runs in each." : "No operator runs.") Leave this running, and in another terminal:

      export KUBECONFIG=\(cluster.kubeconfigPath)
      kubectl --context \(cluster.regions[0].name) apply -f examples/laptop
      kubectl --context \(cluster.regions[0].name) get kafkaclusters,kafkatopics,pods -n \(namespace)
      swiftwater local stop-region \(cluster.regions[0].name)

    """
  }

  // MARK: Preparing

  /// The definitions, the namespace, and the Secrets with which its operator reaches the other Regions.
  private func prepare(_ region: LocalRegion) async throws {
    let client = try APIServer(
      name: region.name, target: try Kubeconfig(files: [region.kubeconfigPath]).target(), metrics: nil)
    defer { client.close() }
    let definitions = ResourceType(
      "apiextensions.k8s.io", "v1", "customresourcedefinitions", kind: "CustomResourceDefinition", scope: .cluster)
    for definition in Definitions.all { try await put(definitions, definition, client) }
    let spaces = ResourceType("", "v1", "namespaces", kind: "Namespace", scope: .cluster)
    try await put(
      spaces, ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": Object(namespace)]], client)
    let secrets = ResourceType("", "v1", "secrets", kind: "Secret")
    for other in cluster.regions { try await put(secrets, secret(other, caller: region.name), client) }
  }

  /// Applies what is in a file, in the first Region; says what it was.
  func apply(_ path: String) async throws -> [String] {
    guard let bytes = File.read(path) else { throw Failure("--apply \(path): there is no such file") }
    let objects: [Object]
    do {
      objects = try Object.documents(inYAML: String(decoding: bytes, as: UTF8.self))
    } catch { throw Failure("--apply \(path): \(error)") }
    let client = try APIServer(
      name: "apply", target: try Kubeconfig(files: [cluster.regions[0].kubeconfigPath]).target(), metrics: nil)
    defer { client.close() }
    var applied: [String] = []
    for object in objects {
      let kind = object["kind"].string ?? ""
      guard let definition = Definitions.all.first(where: { $0["spec"]["names"]["kind"].string == kind }),
        let plural = definition["spec"]["names"]["plural"].string
      else { throw Failure("--apply \(path): a '\(kind)' is none of Region, KafkaCluster, KafkaTopic and KafkaMirror") }
      try await put(ResourceType("kafka.swiftwater.dev", "v1alpha1", plural, kind: kind), object, client)
      applied.append("\(kind) \(object["metadata"]["name"].string ?? "")")
    }
    return applied
  }

  private func put(_ type: ResourceType, _ object: Object, _ client: APIServer) async throws {
    _ = try await client.apply(type, object, manager: "swiftwater-local", ownership: .taken)
  }

  private func secret(_ region: LocalRegion, caller: String) -> Object {
    let config: Object = [
      "apiVersion": "v1", "kind": "Config", "current-context": "it",
      "clusters": [["name": "it", "cluster": ["server": Object(region.url)]]],
      "users": [["name": "it", "user": ["token": Object("region:\(caller)")]]],
      "contexts": [["name": "it", "context": ["cluster": "it", "user": "it"]]],
    ]
    return [
      "apiVersion": "v1", "kind": "Secret",
      "metadata": ["name": Object("\(region.name)-kubeconfig"), "namespace": Object(namespace)],
      "data": ["kubeconfig": Object(Base64.encode(config.bytes()))],
    ]
  }

  private func startOperator(in region: LocalRegion) throws {
    guard hasOperators else { return }
    let home = try Kubeconfig(files: [region.insideKubeconfigPath]).target()
    var settings = OperatorService.Settings(home: home, namespace: namespace, identity: region.name)
    settings.leaseDuration = .seconds(5)
    let service = try OperatorService(settings, log: Log(region.name, to: log.output))
    try service.start()
    operators[region.name] = service
  }

  // MARK: Orders

  /// False when it was told to end.
  func takeOrders() async -> Bool {
    for order in orders.waiting() {
      if order.verb == .down { return false }
      await carryOut(order)
      publish()
      orders.done(order)
    }
    return true
  }

  private func carryOut(_ order: LocalOrders.Order) async {
    guard let region = cluster[order.region] else { return }
    do {
      switch order.verb {
      case .stop:
        region.stop()
        await operators.removeValue(forKey: region.name)?.stop()
      case .start:
        guard !region.isRunning else { return }
        try region.start()
        try startOperator(in: region)
      case .cut:
        cluster.cut(region.name)
        cuts.insert(region.name)
      case .heal:
        cluster.heal(region.name)
        cuts.remove(region.name)
      case .down: return
      }
    } catch {
      log.error("an order was not carried out", ["order": "\(order)", "reason": "\(error)"])
    }
  }

  private func publish() {
    var lines = ["REGION STATE API-SERVER"]
    for region in cluster.regions {
      let state = !region.isRunning ? "stopped" : cuts.contains(region.name) ? "cut" : "running"
      lines.append("\(region.name) \(state) \(region.url)")
    }
    orders.publish(lines.joined(separator: "\n") + "\n")
  }

  func stop() async {
    for service in operators.values { await service.stop() }
    cluster.stop()
    for order in orders.waiting() { orders.done(order) }
    orders.close()
  }
}
