import EventLoop
public import JSONValue
import Synchronization
public import Vocabulary

/// Keeps what one API server has of one type, by a list and then a watch, and tells what changes.
///
/// A server that cannot be reached is never taken for one that has nothing: what was known stays, and `contact` says
/// since when it is not certain any more.
public final class Informer<Object: Sendable>: Sendable {
  private struct State {
    var cache = InformerCache<Object>()
    var isSynced = false
    var contact = InformerContact.starting(why: nil)
    var waiting: [CheckedContinuation<Void, Never>] = []
    var asked = InformerAsked()
  }
  public let server: APIServer
  public let type: ResourceType
  public let selection: APIServer.Selection
  private let keeping: @Sendable (JSON) -> Object?
  private let tell: @Sendable (InformerChange<Object>) -> Void
  private let resync: TimeSpan?
  private let backoff: InformerBackoff
  private let state = Mutex(State())

  /// `keeping` makes of an object what is kept of it, nil for what is not of interest; it decides how much memory
  /// 20,000 objects take. `tell` hears every change, one at a time, after the cache has it. With `resync` every object
  /// is told again after such a time.
  public init(
    _ server: APIServer, _ type: ResourceType, _ selection: APIServer.Selection = .init(), resync: TimeSpan? = nil,
    backoff: InformerBackoff = InformerBackoff(), keeping: @escaping @Sendable (JSON) -> Object?,
    tell: @escaping @Sendable (InformerChange<Object>) -> Void
  ) {
    self.server = server
    self.type = type
    self.selection = selection
    self.resync = resync
    self.backoff = backoff
    self.keeping = keeping
    self.tell = tell
  }

  public var contact: InformerContact { state.withLock { $0.contact } }
  /// Whether everything was listed at least once.
  public var isSynced: Bool { state.withLock { $0.isSynced } }
  public var count: Int { state.withLock { $0.cache.entries.count } }
  public var asked: InformerAsked { state.withLock { $0.asked } }
  /// In the order of their keys.
  public var keys: [ObjectKey] { state.withLock { $0.cache.entries.keys.sorted() } }
  /// All objects; taken at one moment.
  public var objects: [ObjectKey: Object] { state.withLock { $0.cache.entries.mapValues(\.object) } }
  /// What is made of each object, in any order, without a copy of the whole cache. `part` must not use the informer.
  public func collect<Part: Sendable>(_ part: (ObjectKey, Object) -> Part?) -> [Part] {
    state.withLock { state in state.cache.entries.compactMap { part($0.key, $0.value.object) } }
  }
  /// Lays out anew what is kept. `remake` returns the same objects in the same order, and must not use the informer.
  public func remake(_ remake: ([Object]) -> [Object]) { state.withLock { $0.cache.remake(remake) } }
  public subscript(key: ObjectKey) -> Object? { state.withLock { $0.cache.entries[key]?.object } }
  public func resourceVersion(of key: ObjectKey) -> String? {
    state.withLock { $0.cache.entries[key]?.resourceVersion }
  }

  /// Returns when everything was listed once. The informer has to run meanwhile.
  public func waitUntilSynced() async {
    await withCheckedContinuation { continuation in
      let isSynced = state.withLock { state in
        if !state.isSynced { state.waiting.append(continuation) }
        return state.isSynced
      }
      if isSynced { continuation.resume() }
    }
  }

  /// Lists and watches until its task is cancelled.
  public func run() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.follow() }
      if let resync { group.addTask { await self.repeatAll(each: resync) } }
      await group.next()
      group.cancelAll()
    }
    // Who still waits must not wait for ever.
    let waiting = state.withLock { state in
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }

  private func repeatAll(each span: TimeSpan) async {
    while (try? await Task.sleep(nanoseconds: UInt64(span.nanoseconds))) != nil {
      let objects = self.objects
      for key in objects.keys.sorted() {
        if let object = objects[key] { tell(.put(key, old: object, new: object)) }
      }
    }
  }

  private func follow() async {
    var version: String?
    var failures = 0
    while !Task.isCancelled {
      do {
        if version == nil { version = try await relist() }
        if let from = version { try await watch(from: from, version: &version, failures: &failures) }
        continue
      } catch  where error.isExpired {
        version = nil
        state.withLock { $0.asked.expired += 1 }
        // At once the first time; a server whose lists are expired when they come must not be asked without pause.
        failures += 1
        if failures == 1 { continue }
      } catch {
        if error.isCancelled && Task.isCancelled { return }
        // Refused for another reason, such as a type that does not exist any more: the place means nothing then.
        if let code = error.status?.code, code < 500, code != 429 { version = nil }
        failures += 1
        lost(error.description)
      }
      let pause = backoff.pause(after: failures, chance: Double.random(in: 0..<1))
      try? await Task.sleep(nanoseconds: UInt64(pause.nanoseconds))
    }
  }

  private func relist() async throws(APIError) -> String {
    typealias Item = (key: ObjectKey, entry: InformerCache<Object>.Entry)
    let keeping = self.keeping
    state.withLock { $0.asked.lists += 1 }
    let listing = try await server.list(type, selection) { object -> Kept<Object>? in
      guard let key = ObjectKey(of: object), let kept = keeping(object) else { return nil }
      return Kept(key: key, entry: .init(resourceVersion: Self.version(of: object), object: kept))
    }
    let (changes, isFirst, waiting) = state.withLock { state in
      let changes = state.cache.replace(with: listing.objects.map { ($0.key, $0.entry) })
      defer {
        state.isSynced = true
        state.waiting = []
      }
      return (changes, !state.isSynced, state.waiting)
    }
    for change in changes { tell(change) }
    if isFirst { tell(.synced) }
    for continuation in waiting { continuation.resume() }
    return listing.resourceVersion
  }

  private func watch(from: String, version: inout String?, failures: inout Int) async throws(APIError) {
    state.withLock { $0.asked.watches += 1 }
    // Spread, so that the watches of many informers do not all begin anew at once.
    let watch = await server.watch(type, selection, from: from, lasting: .seconds(Int64.random(in: 240...300)))
    let began = monotonicNow()
    var events = 0
    defer {
      watch.cancel()
      // That it opens shows little: a server may open every watch and end it at once.
      if events > 0 || monotonicNow() - began > backoff.longest { failures = 0 }
    }
    while let event = try await watch.next() {
      if event != .opened { events += 1 }
      switch event {
      case .opened: regained()
      case .bookmark(let seen): version = seen
      case .added(let object), .modified(let object):
        take(object, isDeleted: false)
        version = Self.version(of: object)
      case .deleted(let object):
        take(object, isDeleted: true)
        version = Self.version(of: object)
      }
    }
    guard events > 0 || monotonicNow() - began > backoff.longest else {
      throw APIError(
        server: server.name, operation: "watch \(type.name)", cause: .cut("the server ended the watch at once"))
    }
  }

  private func take(_ object: JSON, isDeleted: Bool) {
    guard let key = ObjectKey(of: object) else { return }
    let kept = isDeleted ? nil : keeping(object)
    let change = state.withLock { state -> InformerChange<Object>? in
      guard let kept else { return state.cache.delete(key) }
      return state.cache.put(key, .init(resourceVersion: Self.version(of: object), object: kept))
    }
    if let change { tell(change) }
  }

  private static func version(of object: JSON) -> String { object["metadata"]["resourceVersion"].string ?? "" }

  private func regained() {
    let wasLost = state.withLock { state in
      defer { state.contact = .current }
      if case .unknown = state.contact { return true }
      return false
    }
    if wasLost { tell(.contactRegained) }
  }

  private func lost(_ why: String) {
    let now = monotonicNow()
    let isNews = state.withLock { state in
      switch state.contact {
      case .starting: state.contact = .starting(why: why)
      case .unknown(let since, _): state.contact = .unknown(since: since, why: why)
      case .current:
        state.contact = .unknown(since: now, why: why)
        return true
      }
      return false
    }
    if isNews { tell(.contactLost(why)) }
  }
}

private struct Kept<Object: Sendable>: Sendable {
  let key: ObjectKey
  let entry: InformerCache<Object>.Entry
}

/// How long an informer waits before it asks a server again that failed.
public struct InformerBackoff: Sendable {
  public var first = TimeSpan.milliseconds(200)
  /// A server that comes back is noticed after this time at the latest.
  public var longest = TimeSpan.seconds(10)
  public init() {}

  /// Between a half and the whole of a time that doubles; `chance` is in 0..<1.
  public func pause(after failures: Int, chance: Double) -> TimeSpan {
    let doubled = min(longest.nanoseconds, first.nanoseconds << Int64(min(max(failures, 1) - 1, 20)))
    return TimeSpan(nanoseconds: doubled / 2 + Int64(Double(doubled) / 2 * chance))
  }
}
