import EventLoop
import JSONValue
import KubernetesAPI
import KubernetesResources
import Reconciliation
import Synchronization
import Telemetry
import Vocabulary

/// How we come to an API server: as the operator's home, or through the kubeconfig of a Region.
enum DoorKey: Hashable, Comparable, Sendable, CustomStringConvertible {
  case home
  case region(namespace: String, name: String)

  static func < (a: Self, b: Self) -> Bool {
    switch (a, b) {
    case (_, .home): false
    case (.home, _): true
    case (.region(let a, let c), .region(let b, let d)): (a, c) < (b, d)
    }
  }
  var description: String {
    switch self {
    case .home: "home"
    case .region(_, let name): name
    }
  }
}

/// Whether what a member's caches say is how it is.
enum Sight: Hashable, Sendable {
  case seen
  case unknown(since: String, why: String)
}

/// The way to one API server, with everything that it needs of its own, so that nobody waits for it.
///
/// Which Kubernetes cluster is behind it, the server itself says: a ConfigMap there has the member's name. Two doors
/// may lead to one member; only one of them reads it.
final class Door: Sendable {
  struct Settings: Sendable {
    var namespace: String
    /// Nil to look at every namespace.
    var watched: String?
    /// A failure that is shorter than this is no news.
    var grace: TimeSpan
    var probePeriod: TimeSpan
  }
  private struct State {
    var version: APIServer.Version?
    var roundTrip: TimeSpan?
    private var lastRoundTrips: [TimeSpan] = []
    var found = MemberWay<DoorKey>.Found.nothingYet
    /// Since when that is found.
    var foundSince: String?
    var caches: Caches?
    /// What was in the way first: the reason stands still while the trouble lasts.
    var unknown: (since: String, why: String)?
    /// The last is whether the server answers, and refuses its marker.
    var failure: (since: String, at: Instant, why: String, isOfMarker: Bool)?
    var task: Task<Void, Never>?

    /// What is told changes when it is far from the truth: a status that follows every flutter is written for ever.
    mutating func note(roundTrip took: TimeSpan) {
      lastRoundTrips = (lastRoundTrips + [took]).suffix(8)
      guard lastRoundTrips.count == 8, let least = lastRoundTrips.min() else { return }
      // Everything below counts as one; the least of several is the way and not the load.
      let floor = TimeSpan.milliseconds(10)
      let (now, told) = (max(least, floor).nanoseconds, max(roundTrip ?? .zero, floor).nanoseconds)
      if now > told * 4 || now < told / 4 { roundTrip = least }
    }
  }
  let key: DoorKey
  let server: APIServer
  let settings: Settings
  private let log: Log
  private let state = Mutex(State())
  /// An object may have changed; nil for news about the door itself.
  private let tell: @Sendable (ResourceType?, JSON?) -> Void
  private let opened = KubernetesTime.text(wallClockNow())
  private let began = monotonicNow()
  /// A server that answers has told everything by then.
  private static let beginningMax = TimeSpan.seconds(30)

  init(
    _ key: DoorKey, _ server: APIServer, _ settings: Settings, log: Log,
    tell: @escaping @Sendable (ResourceType?, JSON?) -> Void
  ) {
    self.key = key
    self.server = server
    self.settings = settings
    self.log = log
    self.tell = tell
  }

  /// What the server says that it is; whether that is what the Region means, `Membership` knows.
  var found: MemberWay<DoorKey>.Found { state.withLock { $0.found } }
  var foundSince: String { state.withLock { $0.foundSince } ?? opened }
  var marker: MemberMarker? { if case .marker(let marker) = found { marker } else { nil } }
  var member: String? { marker?.name }
  var caches: Caches? { state.withLock { $0.caches } }
  var version: APIServer.Version? { state.withLock { $0.version } }
  var roundTrip: TimeSpan? { state.withLock { $0.roundTrip } }

  /// The version of an object that was seen last; nil where none was.
  func version(of id: ObjectID) -> String? {
    Kinds.type(of: id.kind).flatMap { caches?.informers[$0]?.resourceVersion(of: id.key) }
  }

  /// `serves` says whether this door is the one that reads the member of a name; the home reads at once.
  func start(serves: @escaping @Sendable (String) -> Bool, proposal: @escaping @Sendable () -> String?) {
    let task = Task { await run(serves, proposal) }
    state.withLock { $0.task = task }
  }

  func close() {
    let task = state.withLock { state in
      defer { state.task = nil }
      return state.task
    }
    task?.cancel()
    server.close()
  }

  private func run(_ serves: @escaping @Sendable (String) -> Bool, _ proposal: @escaping @Sendable () -> String?) async
  {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.probe(proposal) }
      group.addTask { await self.read(serves) }
    }
  }

  /// Asks the server from time to time who it is: a connection on which nothing comes says nothing about the server.
  private func probe(_ proposal: @Sendable () -> String?) async {
    while !Task.isCancelled {
      let began = monotonicNow()
      do throws(APIError) {
        let version = try await server.version()
        let took = monotonicNow() - began
        let isNews = state.withLock { state in
          let isWell = state.failure?.isOfMarker == false
          if isWell { state.failure = nil }
          defer {
            state.version = version
            state.note(roundTrip: took)
          }
          return state.version == nil || isWell
        }
        if isNews { tell(nil, nil) }
        // Behind an address there may be another cluster than a moment ago, and a marker may have been made anew.
        await lookAtMarker(key == .home && member != nil ? nil : proposal())
      } catch {
        note(error)
      }
      _ = sight
      try? await Task.sleep(
        nanoseconds: UInt64((member == nil ? .milliseconds(500) : settings.probePeriod).nanoseconds))
    }
  }

  private func note(_ error: APIError, isOfMarker: Bool = false) {
    guard !error.isCancelled else { return }
    let isNews = state.withLock { state in
      let isFirst = state.failure == nil
      if isFirst { state.failure = (KubernetesTime.text(wallClockNow()), monotonicNow(), "\(error)", isOfMarker) }
      return isFirst
    }
    if isNews {
      log.warning("an API server does not do what is asked", ["door": key, "because": error])
      tell(nil, nil)
    }
  }

  private func lookAtMarker(_ proposal: String?) async {
    let found: MemberWay<DoorKey>.Found
    do throws(APIError) { found = try await findMarker(proposal) } catch { return note(error, isOfMarker: true) }
    let isNews = state.withLock { state in
      let isWell = state.failure?.isOfMarker == true
      if isWell { state.failure = nil }
      guard state.found != found else { return isWell }
      // Where we are is where we were, whatever becomes of the marker; but it may have been made anew.
      if key == .home, case .marker(let known) = state.found {
        guard case .marker(let marker) = found, marker.name == known.name else { return isWell }
      }
      state.found = found
      state.foundSince = KubernetesTime.text(wallClockNow())
      return true
    }
    guard isNews else { return }
    if let member { log.info("found a member", ["door": key, "member": member, "server": server.target.url]) }
    tell(nil, nil)
  }

  /// The first name that was written is the member's, for ever.
  private func findMarker(_ proposal: String?) async throws(APIError) -> MemberWay<DoorKey>.Found {
    let key = ObjectKey(namespace: settings.namespace, name: MemberMarker.objectName)
    var object = try await server.find(Kinds.configMaps, key)
    if object.flatMap({ MemberMarker($0) }) == nil, let proposal {
      let marker: JSON = [
        "metadata": [
          "name": .string(key.name), "namespace": .string(key.namespace),
          "annotations": [
            "kubernetes.io/description": "The name of this Kubernetes cluster among those of the operators."
          ],
        ], "data": ["name": .string(proposal)],
      ]
      do throws(APIError) { object = try await server.create(Kinds.configMaps, marker) } catch {
        guard error.isAlreadyExists else { throw error }
        object = try await server.find(Kinds.configMaps, key)
      }
    }
    return object.flatMap { MemberMarker($0) }.map { .marker($0) } ?? .noMarker
  }

  private func read(_ serves: @escaping @Sendable (String) -> Bool) async {
    while !Task.isCancelled {
      if key == .home || member.map(serves) == true {
        do throws(APIError) {
          try await readAll(while: serves)
        } catch { note(error) }
      }
      try? await Task.sleep(nanoseconds: 300_000_000)
    }
  }

  private func readAll(while serves: @escaping @Sendable (String) -> Bool) async throws(APIError) {
    let offer = Caches.Offer(
      hasPolicyV1: try await server.has(Kinds.budgets), hasServiceExports: try await server.has(Kinds.exports),
      machinesRefused: await machinesRefused())
    let tell = self.tell
    let caches = Caches(server, offer, namespace: settings.watched) { tell($0, $1) }
    state.withLock { $0.caches = caches }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await caches.run() }
      if !offer.hasServiceExports { group.addTask { await self.awaitExports() } }
      if offer.machinesRefused != nil { group.addTask { await self.awaitMachines(caches) } }
      if key != .home {
        // Another door may turn out to be the better one.
        group.addTask {
          while !Task.isCancelled, self.member.map(serves) == true {
            try? await Task.sleep(nanoseconds: 1_000_000_000)
          }
        }
      }
      // Whatever ends first ends this look: the caches themselves never do.
      await group.next()
      group.cancelAll()
    }
    state.withLock { $0.caches = nil }
  }

  /// Ends when the server knows ServiceExports: an implementation of the MCS API may be installed long after the operator.
  private func awaitExports() async {
    while !Task.isCancelled {
      try? await Task.sleep(nanoseconds: UInt64(Self.offerPeriod.nanoseconds))
      if (try? await server.has(Kinds.exports)) == true { return }
    }
  }

  /// How often a server is asked for what it did not offer.
  private static let offerPeriod = TimeSpan.seconds(5)

  /// Machines belong to no namespace: who may only see one namespace has no rights here, and needs none for PodIP.
  private func machinesRefused() async -> String? {
    do throws(APIError) {
      _ = try await server.list(Kinds.machines) { _ in true }
      return nil
    } catch { return "\(error)" }
  }

  /// Ends when machines can be listed: the right may be granted long after the operator came. Where no Region asks for
  /// their addresses nobody is bothered with requests that are refused.
  private func awaitMachines(_ caches: Caches) async {
    while !Task.isCancelled {
      try? await Task.sleep(nanoseconds: UInt64(Self.offerPeriod.nanoseconds))
      if caches.hasNodePorts, await machinesRefused() == nil { return }
    }
  }

  /// Whether its caches can be believed now. What has lasted shorter than the grace is not held against it.
  var sight: Sight {
    let now = monotonicNow()
    let trouble = self.trouble
    let (sight, isNews) = state.withLock { state -> (Sight, Bool) in
      guard let trouble else {
        let wasUnknown = state.unknown != nil
        state.unknown = nil
        return (.seen, wasUnknown)
      }
      if let since = trouble.since, state.unknown == nil, now - since < settings.grace { return (.seen, false) }
      if let known = state.unknown {
        // That nothing was said yet is no reason once there is one.
        guard Self.beginnings.contains(known.why), !Self.beginnings.contains(trouble.why) else {
          return (.unknown(since: known.since, why: known.why), false)
        }
        state.unknown = (known.since, trouble.why)
        return (.unknown(since: known.since, why: trouble.why), true)
      }
      let since = KubernetesTime.text(wallClockNow())
      state.unknown = (since, trouble.why)
      return (.unknown(since: since, why: trouble.why), true)
    }
    if isNews { tell(nil, nil) }
    return sight
  }

  /// What is in the way while nothing is.
  private static let beginnings = ["it has not answered yet", "it has not told everything yet"]

  /// What is in the way of believing the caches, and since when it went wrong if it ever was right.
  private var trouble: (since: Instant?, why: String)? {
    guard let caches else { return (nil, state.withLock { $0.failure?.why } ?? Self.beginnings[0]) }
    guard caches.isSynced else { return (nil, caches.trouble?.why ?? Self.beginnings[1]) }
    let contact = server.contact
    var worst = caches.trouble
    if let since = contact.failingSince, since < worst?.since ?? Instant(nanoseconds: .max) {
      worst = (since, contact.failure ?? "it does not answer")
    }
    return worst
  }

  /// Whether it has failed for longer than is no news, or has taken too long to begin.
  var hadItsTime: Bool {
    let now = monotonicNow()
    let failingSince = state.withLock { $0.failure?.at }
    return failingSince.map { now - $0 >= settings.grace } ?? false || now - began >= Self.beginningMax
  }

  /// Whether the server answers what the operator asks for a Region's condition.
  var reach: Sight {
    let (failure, version) = state.withLock { ($0.failure, $0.version) }
    guard let failure else {
      return version == nil ? .unknown(since: opened, why: Self.beginnings[0]) : .seen
    }
    if version != nil, monotonicNow() - failure.at < settings.grace { return .seen }
    return .unknown(since: failure.since, why: failure.why)
  }
}
