import EventLoop
import JSONValue
import KubernetesAPI
import KubernetesResources
import LocalKubernetes
import Synchronization
import Telemetry
import Testing
import Vocabulary

@testable import Operator

private let regions = ["eu-west", "eu-central", "eu-north"]

@Suite(.serialized, .enabled(if: Stage.program != nil, "brokers need the built program"))
struct ThreeRegionTests {
  @Test func whatIsAppliedInOneMemberComesUpInAllAndThenNothingIsWritten() async throws {
    let stage = try await Stage.withExamples()
    // Conditions and Regions settle after the first Ready, as the brokers are asked again: every two seconds here. Settled
    // is what two such questions have not changed.
    var before: [String] = []
    for _ in 0..<10 {
      before = try await stage.everything(in: regions)
      try await Task.sleep(nanoseconds: 4_500_000_000)
      if try await stage.everything(in: regions) == before { break }
    }
    try await Task.sleep(nanoseconds: 5_000_000_000)
    let after = Set(try await stage.everything(in: regions))
    #expect(after.subtracting(before).isEmpty)
    #expect(stage.leaders.count == 1)
    // Nothing was listed twice.
    let leader = stage.leaders.first.flatMap { stage.operators[$0] }
    let told = String(decoding: leader?.metrics.exposition() ?? [], as: UTF8.self)
    for region in regions {
      let labels = #"{member="\#(region)",resource="statefulsets.apps"}"#
      for figure in ["objects\(labels) 1", "current\(labels) 1", "lists_total\(labels) 1", "expired_total\(labels) 0"] {
        #expect(told.contains("\noperator_cache_\(figure)\n"))
      }
    }
    await stage.end()
  }

  @Test func aChangeOfSettingsRestartsOneBrokerAtATime() async throws {
    let stage = try await Stage.withExamples()
    var before: [String: String] = [:]
    for region in regions {
      before[region] = try await stage.client(region).get(Kinds.pods, stage.pod(region))["metadata"]["uid"].string
    }
    let watch = ReadinessWatch()
    let watching = try regions.map { region in
      let client = try stage.client(region)
      return Task { await watch.follow(client, region) }
    }
    try await stage.applyCluster { $0["spec"]["config"]["num.network.threads"] = "3" }
    for region in regions {
      let old = before[region]
      try await stage.wait(
        Kinds.pods, "orders-\(region)-0-0", in: region, upTo: .seconds(90), "another pod in \(region)"
      ) {
        guard let pod = $0, pod["metadata"]["uid"].string != old else { return false }
        return Pod(pod).state == .ready
      }
    }
    try await stage.waitUntilReady(Kinds.clusters, "orders", in: "eu-north")
    for task in watching { task.cancel() }
    #expect(watch.mostDown == 1)
    await stage.end()
  }

  @Test func aRegionGrowsAndShrinksWithoutLosingItsPartitions() async throws {
    let stage = try await Stage.withExamples()
    try await stage.applyCluster { cluster in
      var shares = cluster["spec"]["regions"].elements
      shares[0]["brokers"] = 2
      cluster["spec"]["regions"] = .array(shares)
    }
    try await stage.wait(Kinds.pods, "orders-eu-west-1-0", in: "eu-west", "a second broker") {
      $0.map { Pod($0).state == .ready } ?? false
    }
    try await stage.waitUntilReady(Kinds.clusters, "orders", in: "eu-west")
    try await stage.applyCluster { _ in }
    try await stage.wait(Kinds.sets, "orders-eu-west-1", in: "eu-west", "no second broker") { $0 == nil }
    try await stage.waitUntilReady(Kinds.clusters, "orders", in: "eu-west")
    // The volume stays: nobody asked for its deletion.
    _ = try await stage.client("eu-west").get(
      Kinds.claims, ObjectKey(namespace: Stage.namespace, name: "data-orders-eu-west-1"))
    await stage.end()
  }

  @Test func managementGoesOnWhileARegionIsCutOff() async throws {
    let stage = try await Stage.withExamples()
    stage.cluster.cut("eu-west")
    // The leader may be there: it loses the majority, and another takes over.
    try await stage.wait(Kinds.clusters, "orders", in: "eu-north", "RegionsReachable False") {
      $0?.condition("RegionsReachable")["status"].string == "False"
    }
    try await stage.apply(example: "laptop/topics.yaml", in: "eu-north") { topic in
      // The original cannot be reached; a new topic can be applied anywhere.
      topic["metadata"]["name"] = JSON((topic["metadata"]["name"].string ?? "") + "-two")
      if !topic["spec"]["topicName"].isNull { topic["spec"]["topicName"] = "audit.two" }
    }
    try await stage.waitUntilReady(Kinds.topics, "payments-two", in: "eu-central")
    stage.cluster.heal("eu-west")
    try await stage.waitUntilReady(Kinds.topics, "payments-two", in: "eu-west")
    try await stage.wait(Kinds.clusters, "orders", in: "eu-west", "RegionsReachable True") {
      $0?.condition("RegionsReachable")["status"].string == "True"
    }
    await stage.end()
  }

  @Test func anotherOperatorTakesOverFromOneThatDied() async throws {
    let stage = try await Stage.withExamples()
    let first = try await stage.leader()
    stage.kill(first)
    let second = try await stage.leader()
    #expect(second != first)
    try await stage.apply(example: "laptop/topics.yaml", in: "eu-west") { topic in
      if topic["metadata"]["name"].string == "payments" { topic["spec"]["partitions"] = 8 }
    }
    try await stage.wait(Kinds.topics, "payments", in: "eu-north", "8 partitions") {
      $0?["status"]["partitions"].int == 8 && $0?.isReady == true
    }
    await stage.end()
  }

  /// The leader dies after some write, with the write done and not answered, and the next one goes on from there.
  @Test(arguments: [3, 11, 19]) func aCrashBetweenTwoWritesIsGoneOnFrom(writes: Int) async throws {
    let stage = try await Stage(regions)
    for region in regions { try stage.startOperator(in: region) }
    try await stage.apply(example: "laptop/regions.yaml", in: "eu-west")
    try await stage.apply(example: "laptop/cluster.yaml", in: "eu-west")
    let server = try #require(stage.cluster["eu-central"]?.server)
    server.crash(afterWrites: writes)
    try await Task.sleep(nanoseconds: 2_500_000_000)
    for name in regions { stage.kill(name) }
    server.heal()
    for region in regions { try stage.startOperator(in: region, named: "\(region)-again") }
    var ids: Set<String> = []
    for region in regions {
      try await stage.waitUntilReady(Kinds.clusters, "orders", in: region)
      let object = try await stage.client(region).get(
        Kinds.clusters, ObjectKey(namespace: Stage.namespace, name: "orders"))
      ids.insert(object["status"]["clusterID"].string ?? "none")
    }
    #expect(ids.count == 1)
    await stage.end()
  }

  @Test func aKubeconfigIsRotatedWithoutARestart() async throws {
    let stage = try await Stage(regions, runsPods: false)
    try stage.startOperator(in: "eu-west")
    try await stage.apply(example: "laptop/regions.yaml", in: "eu-west")
    try await stage.wait(Kinds.regions, "eu-north", in: "eu-west", "Reachable") {
      $0?.condition("Reachable")["status"].string == "True"
    }
    let key = ObjectKey(namespace: Stage.namespace, name: "eu-north-kubeconfig")
    let client = try stage.client("eu-west")
    _ = try await client.mergePatch(Kinds.secrets, key, ["data": ["kubeconfig": "bm9uZQ=="]])
    try await stage.wait(Kinds.regions, "eu-north", in: "eu-west", "not Reachable") {
      $0?.condition("Reachable")["status"].string == "False"
    }
    let north = try #require(stage.cluster["eu-north"])
    _ = try await client.mergePatch(Kinds.secrets, key, ["data": stage.secret(north, caller: "eu-west")["data"]])
    try await stage.wait(Kinds.regions, "eu-north", in: "eu-west", "Reachable again") {
      $0?.condition("Reachable")["status"].string == "True"
    }
    await stage.end()
  }
}

/// How many brokers were seen to be down at one time.
private final class ReadinessWatch: Sendable {
  private let state = Mutex<(ready: [String: Bool], most: Int)>(([:], 0))
  var mostDown: Int { state.withLock { $0.most } }

  func follow(_ client: APIServer, _ region: String) async {
    let selection = APIServer.Selection(namespace: Stage.namespace)
    guard let listing = try? await client.list(Kinds.pods, selection) else { return }
    let watch = await client.watch(Kinds.pods, selection, from: listing.resourceVersion, lasting: .seconds(300))
    defer { watch.cancel() }
    while !Task.isCancelled, let event = try? await watch.next() {
      switch event {
      case .added(let pod), .modified(let pod): note(region, Pod(pod).state == .ready)
      case .deleted: note(region, false)
      case .opened, .bookmark: continue
      }
    }
  }

  private func note(_ region: String, _ isReady: Bool) {
    state.withLock { state in
      state.ready[region] = isReady
      state.most = max(state.most, state.ready.values.count { !$0 })
    }
  }
}

extension Stage {
  func pod(_ region: String) -> ObjectKey { ObjectKey(namespace: Self.namespace, name: "orders-\(region)-0-0") }
}
