import EventLoop
import JSONValue
import KubernetesAPI
import KubernetesResources
import Reconciliation
import Synchronization
import Telemetry
import Vocabulary

/// Every API server that we know of: our home, and one for each Region with a kubeconfig. They come, go and change
/// their credentials while everything runs.
final class Membership: Sendable {
  private struct State {
    var doors: [DoorKey: Door] = [:]
    /// What each Region's door was made of.
    var texts: [DoorKey: String] = [:]
    /// Doors of kubeconfigs that came later. Each takes the place of the one before it once it has told everything.
    var next: [DoorKey: (door: Door, text: String)] = [:]
    /// Why a Region has no door, and since when.
    var refused: [DoorKey: (since: String, why: String)] = [:]
    /// The Regions with a kubeconfig that the home knows; nil until it has told them.
    var wanted: [DoorKey: Access]?
    var secrets: [ObjectKey: SecretWatch] = [:]
    var isClosed = false
    var namelessSince: Instant?
  }
  private struct Access {
    var kubeconfig: SecretKeyReference
    var recorded: MemberWay<DoorKey>.Recorded
  }
  private struct SecretWatch {
    let informer: Informer<JSON>
    let task: Task<Void, Never>
  }
  let home: Door
  let settings: Door.Settings
  private let patience: TimeSpan
  private let log: Log
  private let metrics: MetricRegistry
  private let state = Mutex(State())
  private let tell: @Sendable (ResourceType?, JSON?) -> Void
  /// What the home is called where no Region leads to it.
  private let homeName: String?

  init(
    home target: ServerTarget, named homeName: String?, _ settings: Door.Settings, patience: TimeSpan, log: Log,
    metrics: MetricRegistry, tell: @escaping @Sendable (ResourceType?, JSON?) -> Void
  ) throws(APIError) {
    self.settings = settings
    self.patience = patience
    self.log = log
    self.metrics = metrics
    self.homeName = homeName
    self.tell = tell
    home = Door(
      .home, try Self.server("home", target, patience, metrics), settings, log: log, tell: tell)
    state.withLock { $0.doors[.home] = home }
  }

  private static func server(
    _ name: String, _ target: ServerTarget, _ patience: TimeSpan, _ metrics: MetricRegistry
  ) throws(APIError) -> APIServer {
    var settings = APIServer.Settings()
    settings.patience = patience
    return try APIServer(name: name, target: target, settings: settings, metrics: metrics)
  }

  func start() {
    home.start(serves: { _ in true }, proposal: { [weak self] in self?.proposalForHome })
  }

  func close() {
    let (doors, secrets) = state.withLock { state in
      state.isClosed = true
      defer { state.secrets = [:] }
      return (state.doors.values + state.next.values.map(\.door), Array(state.secrets.values))
    }
    for secret in secrets { secret.task.cancel() }
    for door in doors { door.close() }
  }

  /// How long the home waits for a Region that leads to it before it takes a name of its own.
  private static let namelessMax = TimeSpan.seconds(10)

  /// A Region that was applied here and has no kubeconfig of its own names the home; else whoever was told to. Where
  /// nothing leads here, as in a cluster that only manages others, the home makes up a name.
  private var proposalForHome: String? {
    if let homeName { return homeName }
    guard let caches = home.caches, caches.isSynced else { return nil }
    let regions = caches.all(Kinds.regions).values.map { Region.read($0).resource }
    let local = regions.filter { $0.spec.access == nil && $0.metadata.labels[Marks.origin] == nil }
    if let name = local.map(\.metadata.name).min() { return name }
    guard !regions.isEmpty || !caches.all(Kinds.clusters).isEmpty else { return nil }
    let now = monotonicNow()
    let since = state.withLock { state in
      let since = state.namelessSince ?? now
      state.namelessSince = since
      return since
    }
    let isLed = regions.contains { region in
      let key = DoorKey.region(namespace: region.metadata.namespace, name: region.metadata.name)
      return door(key)?.member == nil
    }
    // A Region that does not answer may be the one that leads here.
    guard !isLed, now - since > Self.namelessMax else { return nil }
    return "home-" + String(UInt32.random(in: 0...UInt32.max), radix: 36)
  }

  /// To be called now and then.
  func tidy() {
    for door in state.withLock({ Array($0.doors.values) }) { door.caches?.tidy() }
  }

  // MARK: Regions come and go

  /// Makes doors for the Regions that the home knows, and closes those of Regions that are gone for certain.
  func follow() {
    guard let caches = home.caches, caches.informers[Kinds.regions]?.isSynced == true else { return }
    var wanted: [DoorKey: Access] = [:]
    for (key, object) in caches.all(Kinds.regions) {
      let region = Region.read(object).resource
      guard let access = region.spec.access else { continue }
      wanted[.region(namespace: key.namespace, name: key.name)] = Access(
        kubeconfig: access.kubeconfigSecret, recorded: .init(region.status))
    }
    let isCertain = home.sight == .seen
    let closing = state.withLock { state -> [Door] in
      guard isCertain else {
        state.wanted = (state.wanted ?? [:]).merging(wanted) { $1 }
        return []
      }
      state.wanted = wanted
      let gone = state.doors.keys.filter { $0 != .home && wanted[$0] == nil }
      for key in gone {
        state.texts[key] = nil
        state.refused[key] = nil
      }
      return gone.compactMap { state.next.removeValue(forKey: $0)?.door }
        + gone.compactMap { state.doors.removeValue(forKey: $0) }
    }
    for door in closing { door.close() }
    for (key, access) in wanted.sorted(by: { $0.key < $1.key }) { open(key, access.kubeconfig) }
    for key in state.withLock({ $0.next.keys.sorted() }) { change(key) }
    if !closing.isEmpty { tell(nil, nil) }
  }

  private func open(_ key: DoorKey, _ reference: SecretKeyReference) {
    guard case .region(let namespace, let name) = key else { return }
    let secretKey = ObjectKey(namespace: namespace, name: reference.name)
    let secrets = informer(secretKey)
    guard secrets.isSynced else {
      switch secrets.contact {
      case .starting(let why?), .unknown(_, let why):
        return refuse(key, "the Secret \(secretKey) cannot be read: \(why)")
      case .starting(nil), .current: return
      }
    }
    guard let secret = secrets[secretKey] else {
      return refuse(key, "the Secret \(secretKey) is not there; spec.access.kubeconfigSecret names it.")
    }
    guard let encoded = secret["data"][reference.key].string, let bytes = Base64.decode(encoded) else {
      return refuse(key, "the Secret \(secretKey) has no kubeconfig under the key '\(reference.key)'.")
    }
    let text = String(decoding: bytes, as: UTF8.self)
    let (isOther, isBack, outdated) = state.withLock { state -> (Bool, Bool, Door?) in
      if state.next[key]?.text == text { return (false, false, nil) }
      let outdated = state.next.removeValue(forKey: key)?.door
      guard state.texts[key] == text else { return (!state.isClosed, false, outdated) }
      // The door stands: what was in the way of it, such as a Secret that was deleted, is over.
      return (false, state.refused.removeValue(forKey: key) != nil, outdated)
    }
    outdated?.close()
    if isBack { tell(nil, nil) }
    guard isOther else { return }
    let server: APIServer
    do {
      let target = try Kubeconfig(text: text, file: "the Secret \(secretKey)", trust: .dataOnly).target()
      server = try Self.server(name, target, patience, metrics)
    } catch {
      return refuse(key, "\(error)")
    }
    let door = Door(key, server, settings, log: log, tell: tell)
    let hasOther = member(key) != nil
    let before = state.withLock { state -> Door? in
      state.refused[key] = nil
      if hasOther, state.doors[key] != nil {
        defer { state.next[key] = (door, text) }
        return state.next[key]?.door
      }
      state.texts[key] = text
      return state.doors.updateValue(door, forKey: key)
    }
    before?.close()
    door.start(
      serves: { [weak self, weak door] in self?.serves(door, key, $0) ?? false },
      proposal: { [weak self] in self?.proposal(for: key) })
    tell(nil, nil)
  }

  private func serves(_ door: Door?, _ key: DoorKey, _ member: String) -> Bool {
    guard let door, chosen(for: member) == key else { return false }
    let (now, next) = state.withLock { ($0.doors[key], $0.next[key]?.door) }
    // The next one reads beside the one before it, so that nothing is unknown when it takes its place.
    return now === door || (next === door && door.marker == now?.marker)
  }

  /// The door of a kubeconfig that came later takes the place of the one before it: once it has told everything, once it
  /// is found to lead elsewhere, or when it has had its time.
  private func change(_ key: DoorKey) {
    let (now, next) = state.withLock { ($0.doors[key], $0.next[key]) }
    guard let next else { return }
    let isFound = next.door.found != .nothingYet
    let isSame = isFound && next.door.marker == now?.marker
    let isRead = now?.member.map { chosen(for: $0) == key } ?? false
    let isReady = isSame && (!isRead || next.door.caches?.isSynced == true)
    guard isReady || (isFound && !isSame) || next.door.hadItsTime else { return }
    let before = state.withLock { state -> Door? in
      guard state.next[key]?.door === next.door else { return nil }
      state.next[key] = nil
      state.texts[key] = next.text
      return state.doors.updateValue(next.door, forKey: key)
    }
    guard let before else { return }
    before.close()
    log.info("goes on with another kubeconfig", ["region": key, "server": next.door.server.target.url])
    tell(nil, nil)
  }

  private func refuse(_ key: DoorKey, _ why: String) {
    let isNews = state.withLock { state in
      if state.refused[key]?.why == why { return false }
      state.refused[key] = (state.refused[key]?.since ?? KubernetesTime.text(wallClockNow()), why)
      return true
    }
    if isNews {
      log.warning("a Region cannot be reached", ["region": key, "because": why])
      tell(nil, nil)
    }
  }

  private func informer(_ key: ObjectKey) -> Informer<JSON> {
    state.withLock { state in
      if let watch = state.secrets[key] { return watch.informer }
      let selection = APIServer.Selection(namespace: key.namespace, fields: "metadata.name=\(key.name)")
      let informer = Informer(home.server, Kinds.secrets, selection, keeping: { $0.trimmed }) { [weak self] _ in
        self?.follow()
      }
      state.secrets[key] = SecretWatch(informer: informer, task: Task { await informer.run() })
      return informer
    }
  }

  // MARK: Members

  /// Where each door leads to, by what is found there and what the home's Regions have recorded.
  private var recognition: MemberRecognition<DoorKey> {
    let (doors, wanted) = state.withLock { ($0.doors, $0.wanted ?? [:]) }
    let ways = doors.sorted { $0.key < $1.key }.map { key, door in
      MemberWay(key, found: door.found, recorded: wanted[key]?.recorded ?? .init())
    }
    return MemberRecognition(ways, namespace: settings.namespace)
  }

  /// What a Kubernetes cluster without a name is called; nil where there was another one, which had a name.
  private func proposal(for key: DoorKey) -> String? {
    guard case .region(_, let name) = key else { return nil }
    return state.withLock { $0.wanted?[key] }.flatMap { $0.recorded.member == nil ? name : nil }
  }

  /// Which door reads a member: the home, if it is the home's, else the first one that works.
  private func chosen(for member: String) -> DoorKey? { recognition.chosen[member] }

  /// The members by name, each with the door that reads it.
  var members: [String: Door] {
    let doors = state.withLock { $0.doors }
    return recognition.chosen.compactMapValues { doors[$0] }
  }

  /// Which member a Region leads to; nil where that is not known, or not the one that it means.
  func member(_ key: DoorKey) -> String? { recognition.members[key] }
  /// Why what a Region leads to is not what it means.
  func strangeness(_ key: DoorKey) -> String? { recognition.strangers[key] }

  func door(_ key: DoorKey) -> Door? { state.withLock { $0.doors[key] } }
  func refusal(_ key: DoorKey) -> (since: String, why: String)? { state.withLock { $0.refused[key] } }

  /// Whether it is known which Regions there are. Before that, the members cannot be counted.
  var knowsRegions: Bool { state.withLock { $0.wanted != nil } }

  /// Regions whose Kubernetes cluster has not said its name yet, also because their kubeconfig cannot be read, or
  /// leads to another one: each counts as a member of its own, so that nobody leads by a majority of what happens to
  /// answer.
  func strangers(recorded: (DoorKey) -> String?) -> [DoorKey: String?] {
    var result: [DoorKey: String?] = [:]
    let keys = state.withLock { Set($0.doors.keys).union(($0.wanted ?? [:]).keys) }
    let known = recognition.members
    for key in keys where key != .home && known[key] == nil {
      result[key] = .some(recorded(key))
    }
    return result
  }
}
