import EventLoop
import JSONValue
import KubernetesAPI
import KubernetesResources
import LocalKubernetes
import Reconciliation
import Telemetry
import Testing
import Vocabulary

@testable import Operator

/// What of an operator writes.
struct Writer {
  let membership: Membership
  let leadership: Leadership
  let performer: Performer
  let reconciler: Reconciler
  private let loop: EventLoop
  private let pool: BlockingPool

  /// What is refused is tried again after an hour: a test that shall see that says so.
  init(_ name: String, _ stage: Stage, retries first: TimeSpan = .seconds(3600)) throws {
    let region = try #require(stage.cluster["a"])
    let home = try Kubeconfig(files: [region.insideKubeconfigPath]).target()
    let doors = Door.Settings(
      namespace: Stage.namespace, watched: Stage.namespace, grace: .seconds(60), probePeriod: .milliseconds(100))
    let metrics = MetricRegistry()
    membership = try Membership(
      home: home, named: "a", doors, patience: .seconds(2), log: stage.log, metrics: metrics
    ) { _, _ in }
    leadership = Leadership(
      .init(
        key: ObjectKey(namespace: Stage.namespace, name: "swiftwater-operator"), identity: name,
        duration: .seconds(300)), log: stage.log, onChange: { _ in })
    performer = Performer(
      leadership, identity: name, log: stage.log, metrics: metrics, retries: .init(first: first, longest: first))
    loop = try EventLoop(name: "brokers")
    pool = try BlockingPool(threads: 1, name: "names")
    reconciler = Reconciler(
      membership, performer, Reconciler.Pauses(), loop: loop, pool: pool, log: stage.log, news: { _ in 0 })
    try loop.start()
    membership.start()
  }

  func close() {
    membership.close()
    reconciler.close()
    pool.stop()
    loop.stop()
  }

  /// Returns once its caches say so.
  func await(_ isSo: (Caches) -> Bool) async throws {
    let deadline = monotonicNow() + .seconds(20)
    while Sights(membership).doors["a"]?.caches.map({ $0.isSynced && isSo($0) }) != true {
      try #require(monotonicNow() < deadline, "the caches do not show it")
      try await Task.sleep(nanoseconds: 20_000_000)
    }
  }

  func lead() async throws {
    let door = try #require(membership.members["a"])
    await leadership.attend(["a": door.server], of: 1)
  }

  func perform(_ step: Step) async -> Bool {
    let key = WorkKey.cluster(ObjectKey(namespace: Stage.namespace, name: "orders"))
    return await performer.perform([step], for: key, Sights(membership)) { _ in }.isDone
  }
}
