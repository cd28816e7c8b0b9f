import EventLoop
import JSONValue
import Synchronization
import Testing
import Vocabulary

@testable import KubernetesAPI

/// Against a real API server: the one of the kubeconfig that SWIFTWATER_TEST_KUBECONFIG names, as a user who may do
/// everything. Each test has a namespace of its own and deletes it.
@Suite(.enabled(if: RealServer.kubeconfig != nil)) struct RealServerTests {
  let maps = ResourceType("", "v1", "configmaps", kind: "ConfigMap")
  let sets = ResourceType("apps", "v1", "statefulsets", kind: "StatefulSet")

  @Test func theServerSaysWhatItIsAndWhatItHas() async throws {
    try await RealServer.withNamespace { (client: APIServer, _: String) async throws in
      #expect(try await client.version().major == 1)
      #expect(try await client.has(maps))
      #expect(try await client.resources(group: "apps", version: "v1")?.contains("statefulsets/scale") == true)
      #expect(try await client.resources(group: "apps", version: "v99") == nil)
      #expect(client.contact.lastAnswer != nil)
    }
  }

  @Test func anObjectLivesAndDies() async throws {
    try await RealServer.withNamespace { (client: APIServer, namespace: String) async throws in
      let key = ObjectKey(namespace: namespace, name: "m")
      #expect(try await client.find(maps, key) == nil)
      let object: JSON = ["metadata": ["name": "m", "namespace": JSON(namespace)], "data": ["a": "1"]]
      let made = try await client.create(maps, object)
      let again = await error { _ = try await client.create(maps, object) }
      #expect(again?.isAlreadyExists == true)
      var changed = made
      changed["data"]["a"] = "2"
      let updated = try await client.update(maps, changed)
      let stale = await error { _ = try await client.update(maps, changed) }
      #expect(stale?.isConflict == true)
      let patched = try await client.mergePatch(maps, key, ["data": ["a": .null, "b": "3"]])
      #expect(patched["data"] == ["b": "3"])
      let old = try #require(updated["metadata"]["resourceVersion"].string)
      let refused = await error { try await client.delete(maps, key, resourceVersion: old) }
      #expect(refused?.isConflict == true)
      let uid = try #require(made["metadata"]["uid"].string)
      #expect(try await client.delete(maps, key, uid: uid) == .done)
      #expect(try await client.delete(maps, key) == .wasAbsent)
    }
  }

  @Test func appliedFieldsHaveOwners() async throws {
    try await RealServer.withNamespace { (client: APIServer, namespace: String) async throws in
      let object: JSON = ["metadata": ["name": "m", "namespace": JSON(namespace)], "data": ["a": "1", "b": "1"]]
      let first = try await client.apply(maps, object, manager: "one")
      let same = try await client.apply(maps, object, manager: "one")
      #expect(first["metadata"]["resourceVersion"] == same["metadata"]["resourceVersion"], "the same writes nothing")
      var other = object
      other["data"] = ["a": "2"]
      let refused = await error { _ = try await client.apply(maps, other, manager: "two") }
      #expect(refused?.status?.fieldConflicts == [.init(manager: "one", field: ".data.a")])
      let taken = try await client.apply(maps, other, manager: "two", ownership: .taken)
      #expect(taken["data"] == ["a": "2", "b": "1"])
    }
  }

  @Test func aSetIsScaledAndItsStatusIsWritten() async throws {
    try await RealServer.withNamespace { (client: APIServer, namespace: String) async throws in
      let labels: JSON = ["app": "x"]
      let object: JSON = [
        "metadata": ["name": "s", "namespace": JSON(namespace)],
        "spec": [
          "serviceName": "s", "replicas": 0, "selector": ["matchLabels": labels],
          "template": ["metadata": ["labels": labels], "spec": ["containers": [["name": "c", "image": "none"]]]],
        ],
      ]
      _ = try await client.apply(sets, object, manager: "one")
      let key = ObjectKey(namespace: namespace, name: "s")
      let scale = try await client.get(sets, key, .scale)
      #expect(scale["spec"]["replicas"].int ?? 0 == 0)
      #expect(try await client.scale(sets, key, to: 2)["spec"]["replicas"] == 2)
      #expect(try await client.get(sets, key)["spec"]["replicas"] == 2)
      let condition: JSON = ["type": "Told", "status": "True"]
      let status = try await client.mergePatch(sets, key, ["status": ["conditions": [condition]]], .status)
      #expect(status["status"]["conditions"][0]["type"] == "Told")
    }
  }

  @Test func aLongListComesInPages() async throws {
    var settings = APIServer.Settings()
    settings.pageSize = 7
    try await RealServer.withNamespace(settings) { (client: APIServer, namespace: String) async throws in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<30 {
          group.addTask {
            _ = try await client.create(
              maps,
              [
                "metadata": [
                  "name": "m\(number)", "namespace": JSON(namespace), "labels": ["third": JSON("\(number % 3)")],
                ]
              ])
          }
        }
        try await group.waitForAll()
      }
      let thirds = try await client.list(maps, .init(namespace: namespace, labels: "third=0"))
      #expect(thirds.objects.count == 10)
      let all = try await client.list(maps, .init(namespace: namespace)) { $0["metadata"]["name"].string }
      #expect(Set(all.objects.filter { $0.hasPrefix("m") }).count == 30)
    }
  }

  @Test func anInformerHearsWhatHappens() async throws {
    try await RealServer.withNamespace { (client: APIServer, namespace: String) async throws in
      let diary = InformerTests.Diary()
      let informer = Informer<String>(
        client, maps, .init(namespace: namespace, labels: "mine=yes"), keeping: { $0["data"]["a"].string },
        tell: { diary.write($0) })
      let running = Task { await informer.run() }
      defer { running.cancel() }
      await informer.waitUntilSynced()
      let key = ObjectKey(namespace: namespace, name: "m")
      let object: JSON = [
        "metadata": ["name": "m", "namespace": JSON(namespace), "labels": ["mine": "yes"]], "data": ["a": "1"],
      ]
      _ = try await client.create(maps, object)
      await diary.wait(for: "put \(key) - 1")
      _ = try await client.mergePatch(maps, key, ["data": ["a": "2"]])
      await diary.wait(for: "put \(key) 1 2")
      try await client.delete(maps, key)
      await diary.wait(for: "deleted \(key) 2")
      #expect(informer.contact == .current)
    }
  }

  @Test func aLeaseHasOneHolder() async throws {
    try await RealServer.withNamespace { (client: APIServer, namespace: String) async throws in
      let key = ObjectKey(namespace: namespace, name: "leader")
      let one = Lease(client, key, identity: "one", duration: .seconds(15))
      let two = Lease(client, key, identity: "two", duration: .seconds(15))
      #expect(try await one.attempt(annotations: ["epoch": "7"]))
      #expect(try await two.attempt() == false)
      #expect(try await one.attempt())
      #expect(await two.record?.holder == "one")
      try await one.release()
      #expect(await one.isHeld() == false)
      #expect(try await two.attempt())
      #expect(await two.record?.transitions == 1)
      #expect(await two.record?.annotations["epoch"] == "7")
      #expect(try await one.attempt() == false)
    }
  }

  @Test func whatIsToldTwiceIsOneEvent() async throws {
    try await RealServer.withNamespace { (client: APIServer, namespace: String) async throws in
      let about = try await client.create(maps, ["metadata": ["name": "m", "namespace": JSON(namespace)]])
      let recorder = EventRecorder(client, component: "tests", instance: "here")
      for _ in 0..<3 { #expect(await recorder.tell(.normal, "Moved", "It was moved.", about: about) == nil) }
      #expect(await recorder.tell(.warning, "Stuck", "It is stuck.", about: about) == nil)
      let events = try await client.list(.events, .init(namespace: namespace)).objects
      let counts = events.filter { $0["involvedObject"]["name"] == "m" }.map { "\($0["reason"]) \($0["count"])" }
      #expect(counts.sorted() == ["\"Moved\" 3", "\"Stuck\" 1"])
    }
  }

  @Test func whoMayNotIsToldWhat() async throws {
    try await RealServer.withNamespace { (client: APIServer, namespace: String) async throws in
      let accounts = ResourceType("", "v1", "serviceaccounts", kind: "ServiceAccount")
      let key = ObjectKey(namespace: namespace, name: "nobody")
      _ = try await client.create(accounts, ["metadata": ["name": "nobody", "namespace": JSON(namespace)]])
      let request: JSON = ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": [:]]
      let token = try #require(try await client.create(accounts, key, .token, request)["status"]["token"].string)
      var target = client.target
      target.certificate = nil
      target.token = .fixed(token)
      let nobody = try APIServer(name: "real", target: target)
      let refused = await error { _ = try await nobody.list(maps, .init(namespace: namespace)) }
      #expect(refused?.isForbidden == true)
      #expect(refused?.description.contains("may not list configmaps in namespace \(namespace)") == true)
      target.token = .fixed(token + "x")
      let stranger = await error { _ = try await APIServer(name: "real", target: target).list(maps) }
      #expect(stranger?.status?.code == 401)
      target.authorities = nil
      let untrusted = await error { _ = try await APIServer(name: "real", target: target).list(maps) }
      guard case .notConnected? = untrusted?.cause else {
        Issue.record("\(String(describing: untrusted))")
        return
      }
    }
  }

  @Test func theServerIsKnownByTheNameInItsCertificate() async throws {
    let path = try #require(RealServer.kubeconfig)
    var target = try Kubeconfig(files: [path]).target()
    target.serverName = "kubernetes.default.svc"
    #expect(try await APIServer(name: "real", target: target).version().major == 1)
    target.serverName = "another.example"
    let refused = await error { _ = try await APIServer(name: "real", target: target).version() }
    guard case .notConnected(let why)? = refused?.cause else {
      Issue.record("\(String(describing: refused))")
      return
    }
    #expect(why.contains("another.example"))
  }

  private func error(_ body: () async throws -> Void) async -> APIError? {
    do {
      try await body()
      return nil
    } catch { return error as? APIError }
  }
}

enum RealServer {
  static let kubeconfig = ProcessVariables.all["SWIFTWATER_TEST_KUBECONFIG"]
  private static let namespaces = ResourceType("", "v1", "namespaces", kind: "Namespace", scope: .cluster)

  static func withNamespace(
    _ settings: APIServer.Settings = .init(), _ body: (APIServer, String) async throws -> Void
  ) async throws {
    let path = try #require(kubeconfig)
    let client = try APIServer(name: "real", target: Kubeconfig(files: [path]).target(), settings: settings)
    let made = try await client.create(namespaces, ["metadata": ["generateName": "swiftwater-test-"]])
    let name = try #require(made["metadata"]["name"].string)
    let result: Result<Void, any Error>
    do { result = .success(try await body(client, name)) } catch { result = .failure(error) }
    try await client.delete(namespaces, ObjectKey(name: name))
    try result.get()
  }
}
