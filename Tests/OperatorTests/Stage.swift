import EventLoop
import Glibc
import JSONValue
import KubernetesAPI
import KubernetesResources
import LocalKubernetes
import Synchronization
import Telemetry
import Testing
import Vocabulary
import YAML

@testable import Operator

/// Regions on this machine with an operator in each, and people's hands in them.
final class Stage {
  static let namespace = "kafka"
  /// The program that pods run; without it tests that need brokers are left out.
  static let program: String? = {
    if let named = getenv("SWIFTWATER_BIN") { return String(cString: named) }
    let built = root + "/.build/debug/swiftwater"
    return access(built, X_OK) == 0 ? built : nil
  }()
  static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }

  let folder: String
  let cluster: LocalCluster
  var operators: [String: OperatorService] = [:]
  private var clients: [String: APIServer] = [:]
  private var hasEnded = false
  let log: Log

  /// Whether operators come as service accounts, with the rights of the chart and no others.
  let hasRights: Bool

  init(_ regions: [String], runsPods: Bool = true, hasRights: Bool = false) async throws {
    self.hasRights = hasRights
    folder = "/tmp/operator-test-\(UInt64.random(in: 0...UInt64.max))"
    var settings = LocalCluster.Settings(folder: folder, regions: regions)
    settings.firstNetwork = UInt8.random(in: 70...240)
    settings.program = Self.program ?? "/bin/false"
    settings.runsControllers = runsPods
    settings.backoff = (first: 200, longest: 1000)
    cluster = LocalCluster(settings)
    try cluster.start()
    let output = LogOutput(
      descriptor: open("\(folder)/operators.log", O_CREAT | O_WRONLY | O_APPEND, 0o644), format: .text)
    output.level = .debug
    log = Log("operator", to: output)
    for region in regions {
      let client = try client(region)
      for definition in Definitions.all {
        _ = try await client.create(
          ResourceType(
            "apiextensions.k8s.io", "v1", "customresourcedefinitions", kind: "CustomResourceDefinition", scope: .cluster
          ),
          definition)
      }
      _ = try await client.create(
        ResourceType("", "v1", "namespaces", kind: "Namespace", scope: .cluster),
        ["metadata": ["name": JSON(Self.namespace)]])
      for other in cluster.regions { try await client.create(Kinds.secrets, secret(other, caller: region)).discard() }
      if hasRights { try await grantRights(in: region) }
    }
  }

  /// A test that failed on its way does not come to `end`.
  deinit {
    guard !hasEnded else { return }
    for service in operators.values { service.abandon() }
    for client in clients.values { client.close() }
    cluster.stop()
  }

  func end() async {
    hasEnded = true
    for service in operators.values { await service.stop() }
    for client in clients.values { client.close() }
    cluster.stop()
    if getenv("KEEP_STAGE") == nil { removeFolder(folder) }
  }

  /// The kubeconfig with which operators of one Region reach another.
  func secret(_ region: LocalRegion, caller: String) -> JSON {
    let config: JSON = [
      "apiVersion": "v1", "kind": "Config", "current-context": "it",
      "clusters": [["name": "it", "cluster": ["server": JSON(region.url)]]],
      "users": [["name": "it", "user": ["token": JSON(hasRights ? Self.peerToken : "region:\(caller)")]]],
      "contexts": [["name": "it", "context": ["cluster": "it", "user": "it"]]],
    ]
    return [
      "metadata": ["name": JSON("\(region.name)-kubeconfig"), "namespace": JSON(Self.namespace)],
      "data": ["kubeconfig": JSON(Base64.encode(config.bytes()))],
    ]
  }

  func client(_ region: String) throws -> APIServer {
    if let known = clients[region] { return known }
    let target = try Kubeconfig(files: [cluster.kubeconfigPath]).target(context: region)
    let client = try APIServer(name: "people-\(region)", target: target)
    clients[region] = client
    return client
  }

  @discardableResult func startOperator(in region: String, named name: String? = nil) throws -> OperatorService {
    let place = try #require(cluster[region])
    var home = try Kubeconfig(files: [place.insideKubeconfigPath]).target()
    if hasRights { home.token = .fixed(Self.operatorToken) }
    let name = name ?? region
    var settings = OperatorService.Settings(home: home, namespace: Self.namespace, identity: name)
    settings.leaseDuration = .seconds(3)
    settings.grace = .milliseconds(700)
    settings.patience = .milliseconds(1500)
    settings.probePeriod = .milliseconds(500)
    settings.resync = .seconds(2)
    let service = try OperatorService(settings, log: Log(name, to: log.output))
    try service.start()
    operators[name] = service
    return service
  }

  /// Applies a file of examples/, with changes if they are wanted.
  func apply(example: String, in region: String, _ change: (inout JSON) -> Void = { _ in }) async throws {
    for var object in try JSON.documents(inYAML: readText("\(Self.root)/examples/\(example)")) {
      change(&object)
      try await apply(object, in: region)
    }
  }

  func apply(_ object: JSON, in region: String) async throws {
    let id = try #require(ObjectID(object))
    let type = try #require(Kinds.type(of: id.kind))
    _ = try await client(region).apply(type, object, manager: "kubectl", ownership: .taken)
  }

  /// Waits by a watch until an object is as wished; nil means that there is none.
  func wait(
    _ type: ResourceType, _ name: String, in region: String, upTo span: TimeSpan = .seconds(60), _ what: String,
    until isRight: @escaping @Sendable (JSON?) -> Bool
  ) async throws {
    let client = try client(region)
    let watcher = Watcher(client: client, type: type, name: name, isRight: isRight)
    let isDone = await watcher.wait(upTo: span)
    let text = watcher.last.withLock { $0 }?["status"].description ?? "nothing"
    try #require(isDone, "\(what) did not come true: \(text)")
  }

  func waitUntilReady(_ type: ResourceType, _ name: String, in region: String, upTo span: TimeSpan = .seconds(60))
    async throws
  {
    try await wait(type, name, in: region, upTo: span, "\(type.kind) \(name) Ready") { $0?.isReady == true }
  }

  /// The newest version that was written anywhere in a Region.
  func version(of region: String, _ types: [ResourceType]) async throws -> [String] {
    var versions: [String] = []
    for type in types {
      for object in try await client(region).list(type, .init(namespace: Self.namespace)).objects {
        versions.append(
          "\(type.kind) \(object["metadata"]["name"].string ?? "") \(object["metadata"]["resourceVersion"].string ?? "")"
        )
      }
    }
    return versions.sorted()
  }

  var leaders: [String] { operators.filter(\.value.isLeading).map(\.key).sorted() }
}

extension JSON {
  func discard() {}
  func condition(_ type: String) -> JSON {
    self["status"]["conditions"].elements.first { $0["type"].string == type } ?? .null
  }
  var isReady: Bool {
    let ready = condition("Ready")
    return ready["status"].string == "True" && ready["observedGeneration"] == self["metadata"]["generation"]
  }
}

private func readText(_ path: String) throws -> String {
  let file = try #require(fopen(path, "r"), "\(path) is not there")
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 4096)
  while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
  return String(decoding: bytes, as: UTF8.self)
}

private func removeFolder(_ folder: String) {
  var words = [strdup("rm"), strdup("-rf"), strdup(folder), nil]
  var child = pid_t()
  if posix_spawnp(&child, "rm", nil, nil, &words, environ) == 0 { waitpid(child, nil, 0) }
  for word in words { free(word) }
}

/// Follows one object until it is as wished.
private final class Watcher: Sendable {
  let client: APIServer
  let type: ResourceType
  let name: String
  let isRight: @Sendable (JSON?) -> Bool
  let last = Mutex<JSON?>(nil)

  init(client: APIServer, type: ResourceType, name: String, isRight: @escaping @Sendable (JSON?) -> Bool) {
    self.client = client
    self.type = type
    self.name = name
    self.isRight = isRight
  }

  func wait(upTo span: TimeSpan) async -> Bool {
    await withTaskGroup(of: Bool.self) { group in
      group.addTask { [self] in
        while !Task.isCancelled {
          do { if try await follow() { return true } } catch {
            try? await Task.sleep(nanoseconds: 100_000_000)
          }
        }
        return false
      }
      group.addTask {
        try? await Task.sleep(nanoseconds: UInt64(span.nanoseconds))
        return false
      }
      let first = await group.next() ?? false
      group.cancelAll()
      return first
    }
  }

  private func follow() async throws -> Bool {
    let selection = APIServer.Selection(namespace: Stage.namespace, fields: "metadata.name=\(name)")
    let listing = try await client.list(type, selection)
    last.withLock { $0 = listing.objects.first }
    if isRight(listing.objects.first) { return true }
    let watch = await client.watch(type, selection, from: listing.resourceVersion, lasting: .seconds(60))
    defer { watch.cancel() }
    while let event = try await watch.next() {
      switch event {
      case .added(let object), .modified(let object):
        last.withLock { $0 = object }
        if isRight(object) { return true }
      case .deleted: if isRight(nil) { return true }
      case .opened, .bookmark: continue
      }
    }
    return false
  }
}

// What people and accidents do.
extension Stage {
  /// The example's cluster and topics over the example's Regions, with an operator in each.
  static func withExamples(hasRights: Bool = false) async throws -> Stage {
    let stage = try await Stage(["eu-west", "eu-central", "eu-north"], hasRights: hasRights)
    for region in stage.cluster.regions { try stage.startOperator(in: region.name) }
    try await stage.apply(example: "laptop/regions.yaml", in: "eu-west")
    try await stage.applyCluster { _ in }
    try await stage.apply(example: "laptop/topics.yaml", in: "eu-west")
    try await stage.waitUntilReady(Kinds.clusters, "orders", in: "eu-west")
    try await stage.waitUntilReady(Kinds.topics, "payments", in: "eu-north")
    try await stage.waitUntilReady(Kinds.topics, "audit", in: "eu-central")
    return stage
  }

  func applyCluster(in region: String = "eu-west", _ change: @escaping (inout JSON) -> Void) async throws {
    try await apply(example: "laptop/cluster.yaml", in: region, change)
  }

  /// Ends an operator as if its process had been killed.
  func kill(_ name: String) {
    operators.removeValue(forKey: name)?.abandon()
  }

  /// The one operator that leads, once there is one.
  func leader(upTo span: TimeSpan = .seconds(20)) async throws -> String {
    let deadline = monotonicNow() + span
    while monotonicNow() < deadline {
      if let leader = leaders.first { return leader }
      try await Task.sleep(nanoseconds: 50_000_000)
    }
    throw Missing("nobody leads the operators")
  }

  struct Missing: Error {
    let what: String
    init(_ what: String) { self.what = what }
  }

  /// Everything that operators write, with its versions, in all Regions that are named.
  func everything(in regions: [String]) async throws -> [String] {
    var found: [String] = []
    for region in regions {
      found += try await version(of: region, Kinds.applied + Kinds.owned + [Kinds.budgets, .events]).map {
        "\(region) \($0)"
      }
    }
    return found
  }
}
