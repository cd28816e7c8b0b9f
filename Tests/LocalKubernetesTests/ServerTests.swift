import JSONValue
import KubernetesAPI
import Testing
import Vocabulary

@testable import LocalKubernetes

/// A server and our own client of it.
struct Served {
  let server: LocalAPIServer
  let client: APIServer

  init(historyMax: Int = 4096) throws {
    var settings = LocalAPIServer.Settings()
    settings.historyMax = historyMax
    server = try LocalAPIServer(settings)
    client = try Self.client(of: server, token: "people")
  }

  static func client(of server: LocalAPIServer, token: String, patience: TimeSpan = .seconds(15)) throws -> APIServer {
    var target = ServerTarget(origin: "tests", url: server.url)
    target.token = .fixed(token)
    var settings = APIServer.Settings()
    settings.patience = patience
    settings.retry.attemptsMax = 1
    return try APIServer(name: server.name, target: target, settings: settings)
  }
}

private let maps = ResourceType("", "v1", "configmaps", kind: "ConfigMap")

private func map(_ name: String, _ data: JSON = [:], labels: JSON = [:]) -> JSON {
  ["metadata": ["name": JSON(name), "namespace": "default", "labels": labels], "data": data]
}
private func key(_ name: String) -> ObjectKey { ObjectKey(namespace: "default", name: name) }

private func refusal(_ body: () async throws(APIError) -> Void) async -> APIError? {
  do throws(APIError) {
    try await body()
    return nil
  } catch { return error }
}

@Suite struct ServerTests {
  @Test func ourClientFindsItsWayAround() async throws {
    let served = try Served()
    #expect(try await served.client.version().major == 1)
    #expect(try await served.client.has(maps))
    #expect(try await served.client.resources(group: "apps", version: "v1")?.contains("statefulsets/scale") == true)
    #expect(try await served.client.resources(group: "apps", version: "v9") == nil)
    #expect(
      try await served.client.has(.init("policy", "v1beta1", "poddisruptionbudgets", kind: "PodDisruptionBudget")))
  }

  @Test func anObjectLivesAndDies() async throws {
    let served = try Served()
    let made = try await served.client.create(maps, map("m", ["a": "1"]))
    var changed = made
    changed["data"]["a"] = "2"
    _ = try await served.client.update(maps, changed)
    #expect(
      await refusal { () async throws(APIError) in _ = try await served.client.update(maps, changed) }?.isConflict
        == true)
    let patched = try await served.client.mergePatch(maps, key("m"), ["data": ["a": .null, "b": "3"]])
    #expect(patched["data"] == ["b": "3"])
    #expect(try await served.client.delete(maps, key("m")) == .done)
    #expect(try await served.client.delete(maps, key("m")) == .wasAbsent)
  }

  @Test func anApplyThatConflictsSaysWithWhom() async throws {
    let served = try Served()
    _ = try await served.client.apply(maps, map("m", ["a": "1"]), manager: "one")
    let refused = await refusal { () async throws(APIError) in
      _ = try await served.client.apply(maps, map("m", ["a": "2"]), manager: "two")
    }
    let conflicts = refused?.status?.fieldConflicts.map { "\($0.manager) \($0.field)" }
    #expect(conflicts == ["one .data.a"])
    let taken = try await served.client.apply(maps, map("m", ["a": "2"]), manager: "two", ownership: .taken)
    #expect(taken["data"] == ["a": "2"])
  }

  @Test func aSetIsScaledThroughItsSubresource() async throws {
    let served = try Served()
    var set = StatefulSetTests.set(replicas: 0)
    set["metadata"]["namespace"] = "default"
    let sets = ResourceType("apps", "v1", "statefulsets", kind: "StatefulSet")
    _ = try await served.client.apply(sets, set, manager: "one")
    #expect(try await served.client.scale(sets, key("s"), to: 2)["spec"]["replicas"] == 2)
    #expect(try await served.client.get(sets, key("s"))["spec"]["replicas"] == 2)
  }

  @Test func aListComesInPages() async throws {
    let served = try Served()
    for number in 0..<25 {
      _ = try await served.client.create(maps, map("m\(number)", labels: ["third": JSON("\(number % 3)")]))
    }
    var target = served.client.settings
    target.pageSize = 4
    let paged = try APIServer(name: "paged", target: served.client.target, settings: target)
    #expect(try await paged.list(maps, .init(namespace: "default")).objects.count == 25)
    #expect(try await paged.list(maps, .init(namespace: "default", labels: "third=0")).objects.count == 9)
    #expect(try await paged.list(maps, .init(fields: "metadata.name=m7")).objects.count == 1)
  }

  @Test func aWatchTellsComingChangingAndGoing() async throws {
    let served = try Served()
    let from = try await served.client.list(maps).resourceVersion
    let watch = await served.client.watch(maps, .init(namespace: "default", labels: "mine=yes"), from: from)
    #expect(try await watch.next() == .opened)
    _ = try await served.client.create(maps, map("other"))
    _ = try await served.client.create(maps, map("m", labels: ["mine": "yes"]))
    _ = try await served.client.mergePatch(maps, key("m"), ["data": ["a": "1"]])
    _ = try await served.client.mergePatch(maps, key("m"), ["metadata": ["labels": ["mine": "no"]]])
    guard case .added(let added)? = try await watch.next(), case .modified(let changed)? = try await watch.next(),
      case .deleted(let gone)? = try await watch.next()
    else {
      Issue.record("the events came otherwise")
      return
    }
    #expect(added.name == "m" && changed["data"]["a"] == "1")
    #expect(gone["metadata"]["labels"]["mine"] == "yes", "as it was when it still belonged")
    watch.cancel()
  }

  @Test func aWatchFromTooLongAgoIsExpired() async throws {
    let served = try Served()
    let old = try await served.client.list(maps).resourceVersion
    _ = try await served.client.create(maps, map("m"))
    served.server.compact()
    let watch = await served.client.watch(maps, from: old)
    let refused = await refusal { () async throws(APIError) in while try await watch.next() != nil {} }
    #expect(refused?.isExpired == true)
  }

  @Test func aBookmarkComesWithoutEvents() async throws {
    let served = try Served()
    let watch = await served.client.watch(maps, from: try await served.client.list(maps).resourceVersion)
    #expect(try await watch.next() == .opened)
    guard case .bookmark(let version)? = try await watch.next() else {
      Issue.record("something else came")
      return
    }
    #expect(Int(version) != nil)
    watch.cancel()
  }

  @Test func aBodyThatIsTooLargeIsRefused() async throws {
    let served = try Served()
    let large = JSON(String(repeating: "x", count: 4 << 20))
    let refused = await refusal { () async throws(APIError) in
      _ = try await served.client.create(maps, map("m", ["a": large]))
    }
    #expect(refused?.status?.code == 413)
  }
}

@Suite struct FaultTests {
  @Test(arguments: [429, 500])
  func aRefusalMeetsAsManyRequestsAsToldAndNoMore(code: Int) async throws {
    let served = try Served()
    served.server.inject(Fault(.refuse(code: code), verb: "create", resource: .configMaps, times: 1))
    let refused = await refusal { () async throws(APIError) in _ = try await served.client.create(maps, map("m")) }
    #expect(refused?.status?.code == code)
    #expect(served.server.store.object(.configMaps, key("m")) == nil)
    _ = try await served.client.create(maps, map("m"))
  }

  @Test func aConflictCanBeMadeUp() async throws {
    let served = try Served()
    let made = try await served.client.create(maps, map("m"))
    served.server.inject(Fault(.conflict, verb: "write", name: "m", times: 1))
    var changed = made
    changed["data"]["a"] = "1"
    #expect(
      await refusal { () async throws(APIError) in _ = try await served.client.update(maps, changed) }?.isConflict
        == true)
    _ = try await served.client.update(maps, changed)
  }

  @Test func aDeadServerAnswersNobodyUntilItIsHealed() async throws {
    let served = try Served()
    served.server.inject(Fault(.hang))
    let hasty = try Served.client(of: served.server, token: "people", patience: .milliseconds(300))
    let refused = await refusal { () async throws(APIError) in _ = try await hasty.list(maps) }
    #expect(refused?.isUnreachable == true)
    served.server.heal()
    _ = try await served.client.list(maps)
  }

  @Test func oneRequestCanHangWhileOthersAreAnswered() async throws {
    let served = try Served()
    served.server.inject(Fault(.hang, verb: "list", times: 1))
    let hasty = try Served.client(of: served.server, token: "people", patience: .milliseconds(300))
    #expect(await refusal { () async throws(APIError) in _ = try await hasty.list(maps) }?.isUnreachable == true)
    _ = try await served.client.list(maps)
  }

  @Test func aCrashLosesTheAnswerAndNotTheWrite() async throws {
    let served = try Served()
    served.server.crash(afterWrites: 2)
    _ = try await served.client.create(maps, map("one"))
    let lost = await refusal { () async throws(APIError) in _ = try await served.client.create(maps, map("two")) }
    #expect(lost != nil)
    #expect(served.server.store.object(.configMaps, key("two")) != nil)
    let hasty = try Served.client(of: served.server, token: "people", patience: .milliseconds(300))
    #expect(await refusal { () async throws(APIError) in _ = try await hasty.list(maps) } != nil)
    served.server.heal()
    #expect(try await served.client.list(maps, .init(namespace: "default")).objects.count == 2)
  }

  @Test func aStaleWatchCatchesUp() async throws {
    let served = try Served()
    let watch = await served.client.watch(maps, from: try await served.client.list(maps).resourceVersion)
    #expect(try await watch.next() == .opened)
    served.server.setWatchesStale(true)
    _ = try await served.client.create(maps, map("m"))
    served.server.setWatchesStale(false)
    guard case .added(let object)? = try await watch.next() else {
      Issue.record("it did not catch up")
      return
    }
    #expect(object.name == "m")
    watch.cancel()
  }

  @Test func aCutWatchFailsAndTheNextOneWorks() async throws {
    let served = try Served()
    let from = try await served.client.list(maps).resourceVersion
    let watch = await served.client.watch(maps, from: from)
    #expect(try await watch.next() == .opened)
    served.server.cutWatches()
    #expect(await refusal { () async throws(APIError) in while try await watch.next() != nil {} } != nil)
    let again = await served.client.watch(maps, from: from)
    #expect(try await again.next() == .opened)
    again.cancel()
  }

  @Test func aCutRegionIsReachedFromInsideOnly() async throws {
    let served = try Served()
    served.server.setCut(true)
    let inside = try Served.client(of: served.server, token: "region:\(served.server.name)")
    _ = try await inside.list(maps)
    let outside = try Served.client(of: served.server, token: "people", patience: .milliseconds(300))
    #expect(await refusal { () async throws(APIError) in _ = try await outside.list(maps) }?.isUnreachable == true)
    served.server.setCut(false)
    _ = try await outside.list(maps)
  }
}
