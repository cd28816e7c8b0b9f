import JSONValue
import Telemetry
import Testing
import Vocabulary

@testable import KubernetesAPI

@Suite struct ClientTests {
  let key = ObjectKey(namespace: "a", name: "b")

  func failure(_ body: () async throws -> Void) async -> APIError? {
    do {
      try await body()
      return nil
    } catch { return error as? APIError }
  }

  @Test func aRefusalSaysWhatMayNotBeDoneWhereAndWhy() async throws {
    let server = try ScriptedServer { _, _ in
      .answer(403, Said.status(403, "Forbidden", "pods is forbidden: User \"x\" cannot list resource \"pods\""))
    }
    let error = await failure { _ = try await server.client().list(Said.pods, .init(namespace: "a")) }
    #expect(error?.isForbidden == true)
    #expect(
      error?.description
        == "east: may not list pods in namespace a: Forbidden (403): pods is forbidden: User \"x\" cannot list resource \"pods\""
    )
    #expect(server.requests.count == 1)
  }

  @Test func whatIsMissingIsNilAndWhatCannotBeAskedIsAnError() async throws {
    let server = try ScriptedServer { request, _ in
      request.path.hasSuffix("/b")
        ? .answer(404, Said.status(404, "NotFound")) : .answer(400, Said.status(400, "BadRequest"))
    }
    let client = try server.client()
    #expect(try await client.find(Said.pods, key) == nil)
    #expect(await failure { _ = try await client.find(Said.pods, ObjectKey(namespace: "a", name: "c")) } != nil)
  }

  @Test(arguments: [429, 503]) func aBusyServerIsAskedAgainAsItSays(status: Int) async throws {
    let server = try ScriptedServer { _, number in
      number < 3
        ? .answer(status, Said.status(status, "Busy"), headers: ["Retry-After": "0"]) : .answer(201, Said.pod("b", 1))
    }
    let made = try await server.client().create(Said.pods, Said.pod("b", 0))
    #expect(made["metadata"]["resourceVersion"] == "1")
    #expect(server.requests.count == 3)
    #expect(server.requests[2].json["kind"] == "Pod")
  }

  @Test func readingIsRepeatedAndWritingIsNot() async throws {
    let server = try ScriptedServer { _, number in number % 2 == 1 ? .cut : .answer(200, Said.pod("b", 1)) }
    let client = try server.client()
    _ = try await client.get(Said.pods, key)
    #expect(server.requests.count == 2)
    let error = await failure { _ = try await client.create(Said.pods, Said.pod("b", 0)) }
    #expect(error?.isUnreachable == true)
    #expect(server.requests.count == 3)
  }

  @Test func aServerThatFailsForGoodIsGivenUp() async throws {
    let server = try ScriptedServer { _, _ in .answer(500, Said.status(500, "InternalError", "etcd")) }
    let client = try server.client()
    let error = await failure { _ = try await client.get(Said.pods, key) }
    #expect(error?.status?.code == 500)
    #expect(error?.isUnreachable == true)
    #expect(server.requests.count == 4)
    #expect(client.contact.failingSince != nil)
  }

  @Test func garbageIsNoAnswer() async throws {
    let server = try ScriptedServer { request, _ in
      request.path.hasSuffix("/b")
        ? .raw("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>") : .raw("SSH-2.0-x\r\n\r\n")
    }
    let client = try server.client()
    let page = await failure { _ = try await client.get(Said.pods, key) }
    guard case .malformed? = page?.cause else {
      Issue.record("\(String(describing: page))")
      return
    }
    let other = await failure { _ = try await client.get(Said.pods, ObjectKey(name: "x")) }
    #expect(other?.isUnreachable == true)
  }

  @Test func aServerThatIsNotThereIsNamed() async throws {
    let server = try ScriptedServer { _, _ in .silence }
    server.stop()
    let error = await failure { _ = try await server.client("west", patience: 500).get(Said.pods, key) }
    guard case .notConnected? = error?.cause else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(error?.description.hasPrefix("west: could not get pods a/b: no connection: ") == true)
  }

  @Test func silenceEndsWithThePatienceAndBreaksTheWatchesBesideIt() async throws {
    let server = try ScriptedServer { request, _ in
      request.query("watch") != nil ? .stream([], then: .hold) : .silence
    }
    let client = try server.client(patience: 300)
    let watch = await client.watch(Said.pods, from: "1")
    #expect(try await watch.next() == .opened)
    let error = await failure { _ = try await client.get(Said.pods, key) }
    #expect(error?.cause == .timedOut)
    let broken = await failure { _ = try await watch.next() }
    guard case .cut? = broken?.cause else {
      Issue.record("\(String(describing: broken))")
      return
    }
  }

  @Test func aDeadServerDelaysNoOtherOne() async throws {
    let dead = try ScriptedServer { _, _ in .silence }
    let live = try ScriptedServer { _, _ in .answer(200, Said.pod("b", 1)) }
    let (deadClient, liveClient) = (try dead.client(patience: 3_600_000), try live.client())
    let waiting = Task { await failure { _ = try await deadClient.get(Said.pods, key) } }
    for _ in 0..<200 { _ = try await liveClient.get(Said.pods, key) }
    waiting.cancel()
    #expect(await waiting.value?.isCancelled == true)
  }

  @Test func manyRequestsAtOnceAllEnd() async throws {
    let server = try ScriptedServer { request, _ in
      .answer(200, Said.pod(String(request.path.split(separator: "/").last ?? ""), 1))
    }
    let client = try server.client()
    let names = try await withThrowingTaskGroup(of: String?.self) { group in
      for number in 0..<300 {
        group.addTask {
          try await client.get(Said.pods, ObjectKey(namespace: "a", name: "p\(number)"))["metadata"]["name"].string
        }
      }
      return try await group.reduce(into: Set<String>()) { if let name = $1 { $0.insert(name) } }
    }
    #expect(names.count == 300)
  }

  @Test func aListIsReadInPages() async throws {
    let server = try ScriptedServer { request, _ in
      switch request.query("continue") {
      case nil: .answer(200, Said.list([Said.pod("p1", 1), Said.pod("p2", 2)], 7, next: "a/b"))
      case "a%2Fb": .answer(200, Said.list([Said.pod("p3", 3)], 7))
      default: .answer(400, Said.status(400, "BadRequest"))
      }
    }
    let listing = try await server.client().list(Said.pods, .init(labels: "app in (x,y)"))
    #expect(listing.objects.map { $0["metadata"]["name"].string } == ["p1", "p2", "p3"])
    #expect(listing.objects[0]["kind"] == "Pod")
    #expect(listing.resourceVersion == "7")
    #expect(server.requests[0].query("limit") == "500")
    #expect(server.requests[1].query("labelSelector") == "app%20in%20%28x%2Cy%29")
  }

  @Test func aListThatExpiresInTheMiddleBeginsAnew() async throws {
    let server = try ScriptedServer { request, number in
      switch (number, request.query("continue")) {
      case (1, nil): .answer(200, Said.list([Said.pod("old", 1)], 7, next: "x"))
      case (2, "x"): .answer(410, Said.status(410, "Expired"))
      case (3, nil): .answer(200, Said.list([Said.pod("new", 8)], 9))
      default: .answer(400, Said.status(400, "BadRequest"))
      }
    }
    let listing = try await server.client().list(Said.pods)
    #expect(listing.objects.map { $0["metadata"]["name"].string } == ["new"])
    #expect(listing.resourceVersion == "9")
  }

  @Test func aConflictOfApplySaysWhoOwnsWhat() async throws {
    let causes: JSON = [
      [
        "reason": "FieldManagerConflict", "message": "conflict with \"kubectl\" using apps/v1",
        "field": ".spec.replicas",
      ]
    ]
    let server = try ScriptedServer { _, _ in .answer(409, Said.status(409, "Conflict", "Apply failed", causes: causes))
    }
    let client = try server.client()
    let error = await failure { _ = try await client.apply(Said.pods, Said.pod("b", 1), manager: "swift water") }
    #expect(error?.status?.fieldConflicts == [.init(manager: "kubectl", field: ".spec.replicas")])
    #expect(error?.isConflict == true)
    #expect(
      error?.description == "east: could not apply pods a/b: Conflict (409): .spec.replicas belongs to kubectl")
    let request = try #require(server.requests.first)
    #expect(request.method == "PATCH")
    #expect(request.target == "/api/v1/namespaces/a/pods/b?fieldManager=swift%20water&force=false")
    #expect(request.headers["content-type"] == "application/apply-patch+yaml")
  }

  @Test func aDeletionCarriesItsPreconditions() async throws {
    let server = try ScriptedServer { _, number in
      number == 1 ? .answer(200, Said.status(200, "")) : .answer(404, Said.status(404, "NotFound"))
    }
    let client = try server.client()
    #expect(try await client.delete(Said.pods, key, uid: "u", resourceVersion: "5", propagation: .foreground) == .done)
    #expect(try await client.delete(Said.pods, key) == .wasAbsent)
    let options = server.requests[0].json
    #expect(options["preconditions"] == ["uid": "u", "resourceVersion": "5"])
    #expect(options["propagationPolicy"] == "Foreground")
    #expect(server.requests[0].method == "DELETE")
  }

  @Test func theScaleOfAnObjectIsPatched() async throws {
    let server = try ScriptedServer { _, _ in .answer(200, [:]) }
    _ = try await server.client().scale(ResourceType("apps", "v1", "statefulsets", kind: "StatefulSet"), key, to: 3)
    #expect(server.requests[0].target == "/apis/apps/v1/namespaces/a/statefulsets/b/scale")
    #expect(server.requests[0].json == ["spec": ["replicas": 3]])
    #expect(server.requests[0].headers["content-type"] == "application/merge-patch+json")
  }

  @Test func theVersionIsRead() async throws {
    let server = try ScriptedServer { _, _ in .answer(200, ["major": "1", "minor": "33+", "gitVersion": "v1.33.1-gke"])
    }
    let version = try await server.client().version()
    #expect(version == .init(major: 1, minor: 33, text: "v1.33.1-gke"))
  }

  @Test func requestsAreCountedByVerbAndStatus() async throws {
    let server = try ScriptedServer { _, number in
      number == 1 ? .answer(200, Said.pod("b", 1)) : .answer(404, Said.status(404, "NotFound"))
    }
    let metrics = MetricRegistry()
    let client = try APIServer(
      name: "east", target: ServerTarget(origin: "the test", url: server.url), metrics: metrics)
    _ = try await client.get(Said.pods, key)
    _ = try await client.find(Said.pods, key)
    let text = String(decoding: metrics.exposition(), as: UTF8.self)
    for code in ["200", "404"] {
      #expect(
        text.split(separator: "\n").contains { line in
          line.hasPrefix("kubernetes_requests_total{") && line.contains("code=\"\(code)\"")
            && line.contains("verb=\"get\"") && line.hasSuffix(" 1")
        })
    }
  }

  @Test func whatIsToldAgainCountsTheEventUpAndANewOneIsMadeWhenItIsGone() async throws {
    let server = try ScriptedServer { request, number in
      switch (number, request.method) {
      case (3, "PATCH"): .answer(404, Said.status(404, "NotFound"))
      default: .answer(200, request.json)
      }
    }
    let recorder = EventRecorder(try server.client(), component: "operator", instance: "pod")
    let about: JSON = [
      "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "b", "namespace": "a", "uid": "u"],
    ]
    for _ in 0..<4 { #expect(await recorder.tell(.warning, "Stuck", "It is stuck.", about: about) == nil) }
    #expect(server.requests.map(\.method) == ["POST", "PATCH", "PATCH", "POST", "PATCH"])
    #expect(server.requests.map { $0.json["count"].int } == [1, 2, 3, 1, 2])
    let first = server.requests[0].json
    #expect(first["involvedObject"] == ["apiVersion": "v1", "kind": "Pod", "name": "b", "namespace": "a", "uid": "u"])
    #expect(first["type"] == "Warning" && first["reason"] == "Stuck" && first["metadata"]["namespace"] == "a")
  }

  @Test func anEventThatCannotBeWrittenIsDropped() async throws {
    let server = try ScriptedServer { _, _ in .answer(403, Said.status(403, "Forbidden")) }
    let recorder = EventRecorder(try server.client(), component: "operator", instance: "pod")
    let error = await recorder.tell(.normal, "Moved", "It was moved.", about: Said.pod("b", 1))
    #expect(error?.isForbidden == true)
  }

  @Test func aClosedClientFailsAtOnce() async throws {
    let server = try ScriptedServer { _, _ in .silence }
    let client = try server.client()
    let waiting = Task { await failure { _ = try await client.get(Said.pods, key) } }
    client.close()
    #expect(await waiting.value?.isCancelled == true)
    #expect(await failure { _ = try await client.get(Said.pods, key) }?.isCancelled == true)
  }
}
