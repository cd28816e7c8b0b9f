import ClusterMetadata
import EventLoop
import KafkaClient
import LogStorage
import MirrorPlanning
import Synchronization
import Telemetry
import Vocabulary

/// What a mirror was asked for, as the metadata has it.
struct MirrorOrder: Equatable, Sendable {
  enum State: String { case running, paused, switchover, failover, failback }
  let name: String
  let bootstrap: [BrokerAddress]
  let topics: NameSelection
  let groups: NameSelection
  let state: State
  let policy: GapPolicy
  /// Nil until the source has been found.
  let sourceID: String?
  let generation: Int32
  /// The number of the last switchover that was asked for.
  let attempt: Int32
  let isPromoted: Bool
  /// Whether the old owner still has to hear that it is none any more.
  let isClosing: Bool
  /// Whether what the source does not have is set aside and replaced, and how much of it may be.
  let setsAside: Bool
  let setAsideMax: Int64
  /// Bytes per second for each broker; nil is no limit.
  let throttledRate: Int64?
  /// Bytes that each broker may have fetched and not written.
  let fetchBuffer: Int64
  /// Fetches under way at each broker of the source.
  let fetchers: Int
  /// `MirrorConfigs.sourceKind`; nil until the source has said it.
  let sourceKind: String?

  /// Nil for one that says too little, which the controller does not let in.
  init?(_ name: String, in image: MetadataImage) {
    let values = image.configs(of: .mirror(name))
    func value(_ key: String) -> String? { values[key] ?? MirrorConfigs.byName[key]?.defaultValue }
    guard let bootstrap = value("bootstrap.servers").flatMap({ BrokerAddress.list($0) }),
      let state = value("state").flatMap({ State(rawValue: $0) })
    else { return nil }
    self.name = name
    self.bootstrap = bootstrap
    self.state = state
    topics = NameSelection(value("topics") ?? "")
    groups = NameSelection(value("groups") ?? "")
    policy = value("gap.policy") == "accept" ? .accept : .halt
    sourceID = value("source.cluster.id")
    generation = value("generation").flatMap { Int32($0) } ?? 1
    attempt = value("attempt").flatMap { Int32($0) } ?? 0
    isPromoted = value("promoted") != nil
    isClosing =
      isPromoted && state == .failover && value("source.fencing.enable") != "false"
      && value("source.fenced") != String(generation)
    setsAside = state == .failback || value("divergence.policy") == "set-aside"
    setAsideMax = value("set.aside.bytes.max").flatMap { Int64($0) } ?? 0
    fetchBuffer = value(MirrorConfigs.fetchBuffer).flatMap { Int64($0) } ?? .max
    fetchers = max(1, value(MirrorConfigs.fetchers).flatMap { Int($0) } ?? 1)
    sourceKind = values[MirrorConfigs.sourceKind]
    throttledRate = value(MirrorConfigs.throttledRate).flatMap { Int64($0) }.flatMap { $0 == .max ? nil : $0 }
  }

  /// A switchover that was given up by a pause may have left topics of the source closed: they are opened all the same.
  var mayOwe: Bool { state == .paused && attempt > 0 && !isPromoted }

  /// That of the owner before.
  func generationBefore(_ planted: MirrorMistake?) -> Int32 {
    planted == .keepsTheGeneration ? generation - 1 : generation
  }

  var runs: Bool {
    switch state {
    case .running, .switchover, .failback: !isPromoted
    case .paused, .failover: false
    }
  }

  /// What holds now. During a switchover producers wait at a closed source until the last record is here, and how many are
  /// missing is known by then: nothing is spared by holding those back. In a fail-back nobody waits, since the other side
  /// takes writes.
  var rateNow: Int64? { state == .switchover ? nil : throttledRate }

  /// Whether clients may be waiting until it has come about.
  var changesSides: Bool {
    switch state {
    case .switchover, .failover, .failback: !isPromoted
    case .running, .paused: false
    }
  }
}

/// One mirror on one broker: the partitions of it that are led here, and who of the source they are copied from.
final class MirrorLink: Sendable {
  /// How old what is known of the source may be before it is looked at again.
  private static let lookSpan = TimeSpan.seconds(1)

  let name: String
  let source: SourceCluster
  private let world: World
  /// This very broker.
  private let broker: NodeID
  /// For everything that this broker copies, from whichever broker of the source.
  private let throttle = ReplicationThrottle()
  private let state = Mutex(State())

  struct World: Sendable {
    let loop: EventLoop
    let pool: BlockingPool
    let settings: CopySettings
    let table: PartitionTable
    let planted: MirrorMistake?
    let log: Log
  }

  private struct State {
    var lanes: [TopicPartition: MirrorLane] = [:]
    var fetchers: [SourceLine: MirrorFetcher] = [:]
    /// Of those, how many have something to copy.
    var fetching = 0
    var mustLook = true
    var lastLook = Instant(nanoseconds: 0)
    /// Whether the last look brought an answer.
    var isReached = false
    /// How many partitions are looked through for what the source does not have.
    var partings = 0
  }
  /// Each of them may read and write a lot.
  private static let partingsMax = 16

  init(_ order: MirrorOrder, node: NodeID, _ world: World) {
    name = order.name
    broker = node
    source = SourceCluster(
      order.bootstrap, clientID: "mirror-\(order.name)-\(node.value)", loop: world.loop, pool: world.pool)
    self.world = world
  }

  /// What the source said last; nil where the last look brought nothing.
  var freshView: SourceCluster.View? { state.withLock { $0.isReached } ? source.view : nil }

  /// Brings the copying in line with the metadata and with what the source says. Comes several times a second.
  func follow(_ order: MirrorOrder, _ image: MetadataImage, _ room: MirrorRoom.Standing) {
    _ = throttle.set(rate: order.rateNow)
    let lanes = lanes(order, image)
    let view = freshView
    let isRight = view != nil && view?.clusterID == order.sourceID
    let kept = image.configs(of: .mirror(order.name))
    for (name, lane) in lanes {
      lane.follow(room)
      lane.follow(
        order, epoch: lane.partition.leaderEpoch,
        source: isRight ? presence(of: name, lane, view) : .unknown,
        shared: kept[MirrorConfigs.shared + "\(name)"].flatMap { SharedEnd(text: $0) },
        recorded: order.policy == .accept ? recordedGaps(of: name, kept) : [])
    }
    if !order.runs { state.withLock { $0.fetching = 0 } }
    guard order.runs || order.isClosing || order.mayOwe else { return }
    lookIfDue()
    guard order.runs, let view, isRight else { return }
    let targets = targets(lanes, view)
    copy(targets, order, room)
    guard order.setsAside else { return }
    for (place, lane) in lanes {
      lane.cut(recorded: SetAside.parse(list: kept[MirrorConfigs.aside + "\(place)"]))
    }
    for (node, targets) in targets.sorted(by: { $0.key < $1.key }) { setAside(targets, node, order) }
  }

  /// Those that may be passed over. There are none where none may be.
  private func recordedGaps(of name: TopicPartition, _ kept: [String: String]) -> [Range<Int64>] {
    kept[MirrorConfigs.known + "\(name)"].flatMap { KnownSource(text: $0) }?.gaps ?? []
  }

  private func setAside(_ targets: [MirrorFetcher.Target], _ node: NodeID, _ order: MirrorOrder) {
    for target in targets {
      let mayBegin = state.withLock { state in
        guard state.partings < Self.partingsMax else { return false }
        state.partings += 1
        return true
      }
      guard mayBegin else { return }
      let end: @Sendable () -> Void = { self.state.withLock { $0.partings -= 1 } }
      guard let peer = source.peer(of: node, for: .questions), let parting = target.lane.beginParting() else {
        end()
        continue
      }
      MirrorParting(
        target: target, source: source, peer: peer, order: parting, bytesMax: order.setAsideMax, broker: broker,
        pool: world.pool,
        throttle: throttle, planted: world.planted, whenDone: end
      ).begin()
    }
  }

  /// What is known of the source is older than something that it has said since.
  func lookAgain() { state.withLock { $0.mustLook = true } }

  private func lookIfDue() {
    let now = monotonicNow()
    let mustLook = state.withLock { state in
      guard state.mustLook || now - state.lastLook >= Self.lookSpan else { return false }
      state.mustLook = false
      state.lastLook = now
      return true
    }
    guard mustLook else { return }
    source.look { view in self.state.withLock { $0.isReached = view != nil } }
  }

  /// One for each copy that is led here, in the order of their names.
  private func lanes(_ order: MirrorOrder, _ image: MetadataImage) -> [(TopicPartition, MirrorLane)] {
    var led: [Partition] = []
    for topic in image.topics(mirroredBy: name) {
      led += (world.table.topic(topic.id)?.partitions ?? []).filter(\.leads)
    }
    return state.withLock { state in
      var lanes: [TopicPartition: MirrorLane] = [:]
      for partition in led {
        if let known = state.lanes[partition.name], known.partition === partition {
          lanes[partition.name] = known
        } else {
          let known = image.configs(of: .mirror(name))[MirrorConfigs.known + "\(partition.name)"]
          lanes[partition.name] = MirrorLane(
            partition, link: name, known: known.flatMap { KnownSource(text: $0) }, planted: world.planted,
            isLate: !state.lanes.isEmpty, log: world.log)
        }
      }
      // What was found when the copying stopped is asked for until the mirror is gone.
      if !order.isPromoted { state.lanes = lanes }
      return led.compactMap { partition in lanes[partition.name].map { (partition.name, $0) } }
    }
  }

  private func presence(
    of name: TopicPartition, _ lane: MirrorLane, _ view: SourceCluster.View?
  ) -> MirrorLane.Presence {
    guard let view else { return .unknown }
    guard let topic = view.topics[name.topic] else { return .gone(now: nil) }
    return isSame(topic, lane) ? .there : .gone(now: topic.id)
  }

  private func isSame(_ topic: SourceCluster.Topic, _ lane: MirrorLane) -> Bool {
    topic.id == lane.partition.topicID || world.planted == .takesTheNameForTheTopic
  }

  /// Fetches that may be under way.
  var fetching: Int { state.withLock { $0.fetching } }

  /// Whom everything is copied from.
  private func targets(
    _ lanes: [(TopicPartition, MirrorLane)], _ view: SourceCluster.View
  ) -> [NodeID: [MirrorFetcher.Target]] {
    var targets: [NodeID: [MirrorFetcher.Target]] = [:]
    for (name, lane) in lanes {
      let index = Int(name.partition.value)
      guard let topic = view.topics[name.topic], isSame(topic, lane),
        topic.partitions.indices.contains(index), let leader = topic.partitions[index].leader
      else { continue }
      targets[leader, default: []].append(
        MirrorFetcher.Target(
          lane: lane, topic: name.topic, id: topic.id, index: name.partition.value,
          sourceEpoch: topic.partitions[index].epoch))
    }
    return targets
  }

  /// Each line to a broker has one Fetch under way, and a part of the partitions that stays the same.
  private func copy(_ targets: [NodeID: [MirrorFetcher.Target]], _ order: MirrorOrder, _ room: MirrorRoom.Standing) {
    var parts: [SourceLine: [MirrorFetcher.Target]] = [:]
    for (node, targets) in targets {
      for target in targets {
        let number = Int((target.id.low &+ UInt64(target.index)) % UInt64(order.fetchers))
        parts[SourceLine(node: node, number: number), default: []].append(target)
      }
    }
    let fetchers = state.withLock { state in
      for line in parts.keys where state.fetchers[line] == nil { state.fetchers[line] = fetcher(on: line) }
      state.fetching = parts.count
      return state.fetchers
    }
    let share = fetchShare(
      response: Int64(world.settings.responseMaxBytes), mirror: (order.fetchBuffer, parts.count),
      broker: (room.buffer, max(room.fetches, parts.count)))
    let wait = order.changesSides ? Mirrors.hurry : world.settings.wait
    for (line, fetcher) in fetchers.sorted(by: { $0.key < $1.key }) {
      fetcher.copy(parts[line] ?? [], within: wait, sharing: share)
    }
  }

  private func fetcher(on line: SourceLine) -> MirrorFetcher {
    MirrorFetcher(
      MirrorFetcher.World(
        pool: world.pool, settings: world.settings, throttle: throttle, planted: world.planted,
        ask: { self.source.fetch(on: line, $0, within: $1, then: $2) },
        questions: { self.source.peer(of: line.node, for: .questions) },
        mustLook: { self.state.withLock { $0.mustLook = true } }))
  }

  /// By the names of partitions, in order.
  func statuses() -> [(TopicPartition, PartitionStatus)] {
    let now = monotonicNow()
    let lanes = state.withLock { $0.lanes }
    return lanes.sorted { $0.key < $1.key }.filter { $0.value.partition.leads }.map {
      ($0.key, $0.value.status(at: now))
    }
  }

  func stop() {
    // They hold the link, which holds them.
    let fetchers = state.withLock { state in
      defer { state.fetchers = [:] }
      return state.fetchers
    }
    for (_, fetcher) in fetchers.sorted(by: { $0.key < $1.key }) { fetcher.stop() }
    source.close()
  }
}
