import CMalloc
import EventLoop
import HTTP
import JSONValue
public import KubernetesAPI
import KubernetesResources
import Reconciliation
import Synchronization
public import Telemetry
public import Vocabulary

/// One operator: it watches every member, and does what is to be done while it leads.
public final class OperatorService: Sendable {
  public struct Settings: Sendable {
    public var home: ServerTarget
    /// Where Leases and the member's name are.
    public var namespace: String
    /// Whether resources of every namespace are looked after, or of this one only.
    public var watchesAllNamespaces = false
    public var identity: String
    /// The member's name where no Region leads here.
    public var memberName: String?
    /// Nil for none.
    public var metricsListener: (host: String, port: UInt16)?
    /// A leader that dies is replaced after about this time.
    public var leaseDuration = TimeSpan.seconds(10)
    /// An API server that fails for a shorter time is no news.
    public var grace = TimeSpan.seconds(5)
    /// How long one request may take with all its attempts.
    public var patience = TimeSpan.seconds(5)
    /// Changes that come together are looked at together.
    public var debounce = TimeSpan.milliseconds(50)
    public var probePeriod = TimeSpan.seconds(2)
    public var resync = TimeSpan.seconds(15)
    public var workers = 4

    public init(home: ServerTarget, namespace: String, identity: String) {
      self.home = home
      self.namespace = namespace
      self.identity = identity
    }
  }
  public let settings: Settings
  public let metrics: MetricRegistry
  private let log: Log
  private let membership: Membership
  private let leadership: Leadership
  private let reconciler: Reconciler
  private let queue: WorkQueue<WorkKey>
  private let loop: EventLoop
  private let pool: BlockingPool
  /// Names of brokers that are asked for at one time. A name whose servers are silent holds one of them for as long.
  private static let namesAtOnce = 8
  private let tasks = Mutex<[Task<Void, Never>]>([])
  /// Whether our home was found to be a member no more.
  private let isOutside = Mutex(false)
  private let page = Mutex<HTTPServer?>(nil)

  public init(_ settings: Settings, log: Log) throws {
    self.settings = settings
    self.log = log
    let metrics = MetricRegistry()
    metrics.addProcessMetrics()
    self.metrics = metrics
    let queue = WorkQueue<WorkKey>("operator", metrics: metrics)
    self.queue = queue
    loop = try EventLoop(name: "brokers")
    pool = try BlockingPool(threads: Self.namesAtOnce, name: "names")
    let router = Router(queue: queue, debounce: settings.debounce)
    let leading = metrics.gauge("operator_leads", help: "1 while this operator leads.")
    leadership = Leadership(
      .init(
        key: ObjectKey(namespace: settings.namespace, name: "swiftwater-operator"), identity: settings.identity,
        duration: settings.leaseDuration), log: log
    ) { leads in
      leading.set(leads ? 1 : 0)
      if leads { router.everything() }
    }
    let doors = Door.Settings(
      namespace: settings.namespace, watched: settings.watchesAllNamespaces ? nil : settings.namespace,
      grace: settings.grace, probePeriod: settings.probePeriod)
    membership = try Membership(
      home: settings.home, named: settings.memberName, doors, patience: settings.patience, log: log, metrics: metrics
    ) { router.heard($0, $1) }
    var pauses = Reconciler.Pauses()
    pauses.whenDone = settings.resync
    let performer = Performer(leadership, identity: settings.identity, log: log, metrics: metrics)
    reconciler = Reconciler(
      membership, performer, pauses, loop: loop, pool: pool, log: log, news: { router.news(of: $0) })
    router.membership.withLock { $0 = membership }
    metrics.tell(of: membership)
  }

  /// Whether it leads now.
  public var isLeading: Bool { leadership.isLeading }
  /// Whether the home was read, so that it can take over.
  public var isReady: Bool { membership.home.caches?.isSynced == true }
  /// Where metrics and probes are answered.
  public var metricsPort: UInt16? { page.withLock { $0?.port } }

  public func start() throws {
    try loop.start()
    if let (host, port) = settings.metricsListener {
      let server = try HTTPServer(host: host, port: port) { [weak self] request in
        guard let self else { return .text("stopping", status: 503) }
        return answer(request)
      }
      page.withLock { $0 = server }
    }
    membership.start()
    let work = Task { [queue, reconciler, leadership, workers = settings.workers] in
      await queue.work(tasks: workers) { key in
        guard leadership.isLeading else { return nil }
        return try await reconciler.reconcile(key)
      }
    }
    let lead = Task { [weak self] in
      while !Task.isCancelled, let self {
        let began = monotonicNow()
        await attend()
        // What many topics come to for a moment is not kept for the hours until the next one.
        membership.tidy()
        malloc_give_back()
        let period = settings.leaseDuration.nanoseconds / 3
        // Candidates come at different times, so that one of them is first.
        let pause = isLeading ? period : period / 2 + Int64.random(in: 0...period)
        let rest = max(pause - (monotonicNow() - began).nanoseconds, 50_000_000)
        try? await Task.sleep(nanoseconds: UInt64(rest))
      }
    }
    tasks.withLock { $0 = [work, lead] }
    log.info(
      "started", ["identity": settings.identity, "home": settings.home.url, "namespace": settings.namespace])
  }

  /// Looks at the Leases, if there is anything to lead.
  private func attend() async {
    membership.follow()
    // Of members that are not counted a majority would be too small.
    guard membership.knowsRegions else { return }
    let sights = Sights(membership)
    let hasWork = sights.hasSome(of: Kinds.applied)
    guard hasWork || isLeading else { return }
    if let since = sights.homeLeft {
      let isNews = isOutside.withLock { wasOutside in
        defer { wasOutside = true }
        return !wasOutside
      }
      if isNews {
        let words = "this member was given up, and its operator does not lead until a Region leads to it again"
        log.warning(words, ["since": since])
      }
      await leadership.abstain()
      return await standDown(since)
    }
    isOutside.withLock { $0 = false }
    await leadership.attend(sights.doors.mapValues(\.server), of: sights.count)
  }

  /// Ends what runs at home from before it was given up. No leader comes here who could.
  private func standDown(_ since: String) async {
    let home = membership.home
    guard let caches = home.caches, caches.isSynced else { return }
    let left = Departure(home.member ?? "", since: since)
    for case .delete(let id, let uid, _) in left.standDown(Array(caches.all(Kinds.sets).values)) {
      do throws(APIError) {
        try await home.server.delete(Kinds.sets, id.key, uid: uid, resourceVersion: home.version(of: id))
        log.warning("ended a node from before this member was given up; its volume stays", ["node": id])
      } catch {
        log.warning("a node from before this member was given up runs on", ["node": id, "because": "\(error)"])
      }
    }
  }

  private func answer(_ request: HTTPRequest) -> HTTPResponse {
    switch request.path {
    case "/metrics": HTTPResponse(contentType: MetricRegistry.contentType, body: metrics.exposition())
    case "/livez": .text("ok")
    case "/readyz":
      isReady ? .text("ok") : .text("not ready: the home's API server has not told everything", status: 503)
    default: .text("not found: /metrics, /livez and /readyz are here", status: 404)
    }
  }

  /// Gives the Leases back, and ends everything.
  public func stop() async {
    let tasks = tasks.withLock { tasks in
      defer { tasks = [] }
      return tasks
    }
    for task in tasks { task.cancel() }
    queue.close()
    await leadership.end()
    for task in tasks { await task.value }
    await leadership.resign()
    abandon()
  }

  /// Ends as a process that is killed would: the Leases stay as they are.
  func abandon() {
    for task in tasks.withLock({ $0 }) { task.cancel() }
    queue.close()
    membership.close()
    reconciler.close()
    page.withLock { $0.take() }?.stop()
    pool.stop()
    loop.stop()
  }
}

/// Which work a change is.
private final class Router: Sendable {
  let membership = Mutex<Membership?>(nil)
  private let queue: WorkQueue<WorkKey>
  private let debounce: TimeSpan
  /// How often something changed that the topics of a cluster depend on; nil is for what concerns every cluster.
  private let counts = Mutex<[ObjectKey?: Int]>([:])

  init(queue: WorkQueue<WorkKey>, debounce: TimeSpan) {
    self.queue = queue
    self.debounce = debounce
  }

  func heard(_ type: ResourceType?, _ object: JSON?) {
    guard let type, let object, let key = ObjectKey(of: object) else {
      membership.withLock { $0 }?.follow()
      return everything()
    }
    switch type {
    case Kinds.regions:
      membership.withLock { $0 }?.follow()
      everything()
    case Kinds.clusters:
      add(.cluster(key))
      add(.topics(of: key))
      // It may be the source of any mirror.
      mirrors.forEach(add)
      add(.mirrors(into: key))
    case Kinds.mirrors:
      add(.mirrors(into: Reconciler.target(of: object)))
      add(.topics(of: Reconciler.target(of: object)))
    case Kinds.topics: add(.topics(of: Reconciler.cluster(of: object)))
    case Kinds.machines: everything()
    default:
      guard let cluster = object["metadata"]["labels"][Marks.cluster].string else { return }
      add(.cluster(ObjectKey(namespace: key.namespace, name: cluster)))
      if let region = object["metadata"]["labels"][Marks.region].string, type == Kinds.pods || type == Kinds.sets {
        add(.region(ObjectKey(namespace: key.namespace, name: region)))
      }
    }
  }

  private var mirrors: [WorkKey] {
    let members = membership.withLock { $0 }?.members.values.compactMap(\.caches) ?? []
    return Set(members.flatMap { $0.clusters(named: Kinds.mirrors) }).map { .mirrors(into: $0) }
  }

  private func add(_ key: WorkKey) {
    if case .topics(let cluster) = key { counts.withLock { $0[cluster, default: 0] += 1 } }
    // What failed before may be done now.
    queue.forget(key)
    queue.add(key, after: debounce)
  }

  func news(of cluster: ObjectKey) -> Int { counts.withLock { ($0[cluster] ?? 0) + ($0[nil] ?? 0) } }

  func everything() {
    counts.withLock { $0[nil, default: 0] += 1 }
    guard let membership = membership.withLock({ $0 }) else { return }
    let sights = membership.members.values.compactMap(\.caches) + [membership.home.caches].compactMap { $0 }
    for caches in sights {
      for key in caches.informers[Kinds.regions]?.keys ?? [] { add(.region(key)) }
      for key in caches.informers[Kinds.clusters]?.keys ?? [] { add(.cluster(key)) }
      for key in caches.goneClusters { add(.cluster(key)) }
      for cluster in caches.clusters(named: Kinds.topics) { add(.topics(of: cluster)) }
      for cluster in caches.clusters(named: Kinds.mirrors) { add(.mirrors(into: cluster)) }
    }
  }
}
