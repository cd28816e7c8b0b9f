import JSONValue
import Synchronization
import Testing
import Vocabulary

@testable import KubernetesAPI

@Suite struct WatchTests {
  @Test func aWatchTellsEventsInTheirOrderAndEnds() async throws {
    let server = try ScriptedServer { _, _ in
      .stream(
        [
          Said.event("ADDED", Said.pod("p", 1)), Said.event("MODIFIED", Said.pod("p", 2)),
          Said.event("BOOKMARK", ["metadata": ["resourceVersion": "9"]]), Said.event("DELETED", Said.pod("p", 10)),
        ], then: .end)
    }
    let client = try server.client()
    let watch = await client.watch(Said.pods, .init(namespace: "a"), from: "0")
    var events: [WatchEvent] = []
    while let event = try await watch.next() { events.append(event) }
    #expect(
      events == [
        .opened, .added(Said.pod("p", 1)), .modified(Said.pod("p", 2)), .bookmark("9"), .deleted(Said.pod("p", 10)),
      ])
    let request = try #require(server.requests.first)
    #expect(request.query("allowWatchBookmarks") == "true")
    #expect(request.query("resourceVersion") == "0")
    #expect(request.query("timeoutSeconds") == "290")
  }

  @Test(arguments: [
    ScriptedServer.Reaction.stream([Said.event("ERROR", Said.status(410, "Expired"))], then: .hold),
    .answer(410, Said.status(410, "Gone")),
  ])
  func aPlaceThatIsTooOldIsExpired(reaction: ScriptedServer.Reaction) async throws {
    let server = try ScriptedServer { _, _ in reaction }
    let client = try server.client()
    let watch = await client.watch(Said.pods, from: "1")
    let error = await ended(watch)
    #expect(error?.isExpired == true)
  }

  @Test func whatCameBeforeACutIsToldBeforeIt() async throws {
    let server = try ScriptedServer { _, _ in .stream([Said.event("ADDED", Said.pod("p", 1))], then: .cut) }
    let client = try server.client()
    let watch = await client.watch(Said.pods, from: "1")
    #expect(try await watch.next() == .opened)
    #expect(try await watch.next() == .added(Said.pod("p", 1)))
    guard case .cut? = await ended(watch)?.cause else {
      Issue.record("it did not say that it was cut")
      return
    }
  }

  @Test func garbageEndsAWatch() async throws {
    let server = try ScriptedServer { _, _ in .stream([], then: .garbage) }
    let client = try server.client()
    guard case .malformed? = await ended(await client.watch(Said.pods, from: "1"))?.cause else {
      Issue.record("it did not say that it was garbage")
      return
    }
  }

  @Test func aWatchWithoutEventsCanBeCancelled() async throws {
    let server = try ScriptedServer { _, _ in .stream([], then: .hold) }
    let client = try server.client()
    let watch = await client.watch(Said.pods, from: "1")
    #expect(try await watch.next() == .opened)
    let task = Task { await ended(watch) }
    task.cancel()
    #expect(await task.value?.isCancelled == true)
  }

  private func ended(_ watch: Watch) async -> APIError? {
    do throws(APIError) {
      while try await watch.next() != nil {}
      return nil
    } catch { return error }
  }
}

@Suite struct InformerTests {
  /// What an informer told, for a test that waits for it.
  final class Diary: Sendable {
    private struct State {
      var lines: [String] = []
      var waiting: (line: String, continuation: CheckedContinuation<Void, Never>)?
    }
    private let state = Mutex(State())
    var lines: [String] { state.withLock { $0.lines } }

    func write(_ change: InformerChange<String>) {
      let line =
        switch change {
        case .put(let key, let old, let new): "put \(key) \(old ?? "-") \(new)"
        case .deleted(let key, let last): "deleted \(key) \(last)"
        case .synced: "synced"
        case .contactLost: "lost"
        case .contactRegained: "regained"
        }
      let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
        state.lines.append(line)
        guard let waiting = state.waiting, waiting.line == line else { return nil }
        state.waiting = nil
        return waiting.continuation
      }
      waiting?.resume()
    }

    func wait(for line: String) async {
      await withCheckedContinuation { continuation in
        let isThere = state.withLock { state in
          if state.lines.contains(line) { return true }
          state.waiting = (line, continuation)
          return false
        }
        if isThere { continuation.resume() }
      }
    }
  }

  func informer(_ client: APIServer, _ diary: Diary) -> Informer<String> {
    var backoff = InformerBackoff()
    backoff.first = .milliseconds(1)
    backoff.longest = .milliseconds(20)
    return Informer(
      client, Said.pods, backoff: backoff, keeping: { $0["metadata"]["resourceVersion"].string },
      tell: { diary.write($0) })
  }

  @Test func anInformerListsThenWatchesAndListsAgainWhenItsPlaceExpired() async throws {
    let server = try ScriptedServer { request, number in
      switch (number, request.query("resourceVersion")) {
      case (1, nil): .answer(200, Said.list([Said.pod("p1", 1), Said.pod("p2", 2)], 5))
      case (2, "5"):
        .stream(
          [
            Said.event("MODIFIED", Said.pod("p1", 6)), Said.event("ADDED", Said.pod("p3", 7)),
            Said.event("BOOKMARK", ["metadata": ["resourceVersion": "8"]]),
          ], then: .end)
      case (3, "8"): .stream([Said.event("ERROR", Said.status(410, "Expired"))], then: .hold)
      case (4, nil): .answer(200, Said.list([Said.pod("p1", 6), Said.pod("p4", 9)], 10))
      default: .stream([Said.event("DELETED", Said.pod("p4", 11))], then: .hold)
      }
    }
    let diary = Diary()
    let informer = informer(try server.client(), diary)
    let running = Task { await informer.run() }
    await diary.wait(for: "deleted a/p4 9")
    running.cancel()
    await running.value
    #expect(
      diary.lines == [
        "put a/p1 - 1", "put a/p2 - 2", "synced", "put a/p1 1 6", "put a/p3 - 7", "deleted a/p2 2", "deleted a/p3 7",
        "put a/p4 - 9", "deleted a/p4 9",
      ])
    #expect(informer.keys.map(\.name) == ["p1"])
    #expect(server.requests[4].query("resourceVersion") == "10")
    #expect([informer.asked.lists, informer.asked.watches, informer.asked.expired] == [2, 3, 1])
  }

  @Test func aServerThatGoesAwayIsUnknownAndNotEmpty() async throws {
    let server = try ScriptedServer { request, _ in
      request.query("watch") == nil ? .answer(200, Said.list([Said.pod("p1", 1)], 5)) : .stream([], then: .hold)
    }
    let diary = Diary()
    let informer = informer(try server.client(), diary)
    let running = Task { await informer.run() }
    await informer.waitUntilSynced()
    while informer.contact != .current { await Task.yield() }
    server.stop()
    await diary.wait(for: "lost")
    guard case .unknown = informer.contact else {
      Issue.record("\(informer.contact)")
      return
    }
    #expect(informer[ObjectKey(namespace: "a", name: "p1")] == "1")
    let back = try ScriptedServer(port: server.port) { request, _ in
      request.query("watch") == nil
        ? .answer(200, Said.list([], 6)) : .stream([Said.event("ADDED", Said.pod("p2", 7))], then: .hold)
    }
    await diary.wait(for: "put a/p2 - 7")
    #expect(diary.lines == ["put a/p1 - 1", "synced", "lost", "regained", "put a/p2 - 7"])
    #expect(back.requests.first?.query("resourceVersion") == "5", "what is known stays the place to go on")
    running.cancel()
    await running.value
  }

  @Test func aServerThatWasNeverThereSaysWhy() async throws {
    let server = try ScriptedServer { _, _ in .answer(403, Said.status(403, "Forbidden", "no")) }
    let diary = Diary()
    let informer = informer(try server.client(), diary)
    let running = Task { await informer.run() }
    while informer.contact == .starting(why: nil) { await Task.yield() }
    #expect(
      informer.contact
        == .starting(why: "east: may not list pods in every namespace: Forbidden (403): no"))
    #expect(!informer.isSynced)
    running.cancel()
    await running.value
    #expect(diary.lines == [])
  }

  @Test func aResyncTellsEverythingAgain() async throws {
    let server = try ScriptedServer { request, _ in
      request.query("watch") == nil ? .answer(200, Said.list([Said.pod("p1", 1)], 5)) : .stream([], then: .hold)
    }
    let diary = Diary()
    let informer = Informer<String>(
      try server.client(), Said.pods, resync: .milliseconds(1), keeping: { $0["metadata"]["resourceVersion"].string },
      tell: { diary.write($0) })
    let running = Task { await informer.run() }
    await diary.wait(for: "put a/p1 1 1")
    running.cancel()
    await running.value
  }
}
