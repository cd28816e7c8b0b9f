// Two clusters of whole nodes in one process, and a mirror between them. As in the world of brokers everything from the
// frame that a client sends to the bytes on the disk is the program itself, and a seed draws what goes wrong: on either
// side, and on the way between them.

package import Broker
import KafkaClient
import Synchronization
import Vocabulary

/// A mirror between two clusters that both serve clients while everything goes wrong that may, and topics that move from
/// one to the other. One seed is one history, always the same.
package final class MirrorSimulation: Sendable {
  package struct Options: Sendable {
    package var seed: UInt64
    package var planted: MirrorMistake?
    /// What goes wrong. Where a plot is asked for, nothing else does.
    package var plot: MirrorPlot?
    /// Keeps a line for each frame and fault; the nodes write their logs.
    package var traces = false
    /// How long faults happen, in virtual milliseconds.
    package var troubledFor: Int64 = 12_000
    /// Within which virtual time after the last fault everything must be done, in milliseconds.
    package var recoversWithin: Int64 = 120_000
    /// As much trouble as a test that runs with every change can afford.
    package static let shortTrouble: Int64 = 4000
    package init(seed: UInt64, planted: MirrorMistake? = nil, plot: MirrorPlot? = nil) {
      self.seed = seed
      self.planted = planted
      self.plot = plot
    }
  }

  package struct Outcome: Sendable {
    /// What promise was broken; nil when all were kept.
    package var failure: String?
    package var hash: UInt64
    package var steps: Int
    package var trace: [String]
    package var seen: MirrorSeen
  }

  enum Phase: Sendable {
    /// Topics and the mirror come to be.
    case preparing
    case troubled
    /// Nothing is broken any more: what was asked for has to be done.
    case healing
    /// Nothing is written any more: everything has to be there, on both sides.
    case checking
    case done
  }

  /// What only one thing that happens looks at, or changes, at a time.
  struct Model: Sendable {
    var phase = Phase.preparing
    /// Who takes writes, as far as whoever moves the topics knows.
    var owner = MirrorSide.north
    /// What is still to be done, the first of it now.
    var moves: [MirrorMove] = []
    var stage = MirrorMove.Stage.waiting
    /// Before, the next move does not begin.
    var movesFrom: Int64 = 0
    var ledger = MirrorLedger()
    var scans: [ScanKey: Scan] = [:]
    var producers: [MirrorSide: BrokerClientState] = [.north: BrokerClientState(.producer), .south: .init(.producer)]
    var coordinators: [MirrorSide: Int32] = [:]
    var groups: [MirrorSide: [TopicPartition: Int64]] = [:]
    var commits = MirrorCommits()
    /// What was written beside them.
    var groupWords: [MirrorSide: [TopicPartition: String]] = [:]
    var topics = MirrorTopics()
    /// What was passed over by whoever is gone by now.
    var unexplained: [MirrorLedger.Gap] = []
    var lastValue: UInt64 = 0
    /// Of transactions; none where nobody writes any.
    var writers: [MirrorSide: MirrorWriter] = [:]
    /// By the values that they wrote.
    var outcomes: [UInt64: MirrorOutcome] = [:]
    var acknowledged: [MirrorLedger.Spot: [(offset: Int64, value: UInt64, at: Int64)]] = [:]
    /// Up to where somebody asked for records to be removed.
    var deleted: [MirrorLedger.Spot: Int64] = [:]
    /// Where a cluster lost what it had committed.
    var unclean: Set<MirrorLedger.Spot> = []
    /// Somebody was told that the topics are its own, and by which way.
    var takenOver: [MirrorTakeover] = []
    var isPlotted = false
    var mendedAt: Int64 = 0
    /// Where the owner has taken a write since everything was mended.
    var served: Set<TopicPartition> = []
    var seen = MirrorSeen()

    var places: [TopicPartition] { topics.places }
  }

  /// In the beginning, of those that are always there.
  static let places = [
    TopicPartition(TopicName("apples")!, PartitionIndex(0)), TopicPartition(TopicName("apples")!, PartitionIndex(1)),
    TopicPartition(TopicName("pears")!, PartitionIndex(0)),
  ]
  /// Its topics may lose what one broker alone has.
  static let careless = places[2]
  private static let lookPause = 50 * BrokerStage.Spans.millisecond

  let options: Options
  let stage: BrokerStage
  let network: BrokerNetwork
  let clusters: [MirrorCluster]
  let clients: [BrokerClient]
  let syncs: Bool
  let troublePause: Int
  /// Whether topics are deleted and made again, compacted and given more partitions, and nodes are stopped in order: in
  /// half of the histories, 160 after 160, and in plots that are about it.
  let changesTopics: Bool
  /// Whether there are transactions: in 160 histories of 640 after another, and in plots that are about it.
  let transacts: Bool
  let topics: [String]
  let model = Mutex(Model())
  private let mail = Mutex<[@Sendable (inout Model) -> Void]>([])
  private let appends: MirrorAppends

  init(_ options: Options) throws {
    self.options = options
    let stage = BrokerStage(seed: options.seed &+ 0x6d69_7272, traces: options.traces)
    self.stage = stage
    let network = BrokerNetwork(stage)
    self.network = network
    syncs = options.plot?.needsSync ?? stage.happens(oneIn: 3)
    troublePause = [300, 800, 1500][stage.draw(3)]
    let lives = BrokerLives()
    let appends = MirrorAppends()
    self.appends = appends
    let layouts = options.plot?.layouts ?? Self.layouts(options.seed)
    let changesTopics = options.plot?.changesTopics ?? (options.seed / Self.span % 2 == 1)
    self.changesTopics = changesTopics
    transacts = options.plot?.transacts ?? (options.seed / Self.span % 4 == 2)
    let topics = changesTopics ? ["apples", "pears", Self.compacted] : ["apples", "pears"]
    self.topics = topics
    let upkeep =
      changesTopics
      ? ["log.retention.check.interval.ms": "400", "log.cleaner.backoff.ms": "400"] : [:]
    let own = MirrorCluster.Options(
      syncs: syncs, planted: options.planted,
      plantedAtSource: options.plot == .uncommitted ? .readsAboveTheHighWatermark : nil,
      settings: upkeep.merging(options.plot?.settings ?? [:]) { $1 })
    clusters = zip(MirrorSide.allCases, layouts).map { side, layout in
      MirrorCluster(side, layout, network, lives, own) { appends.wrote($0, $1, $2, $3) }
    }
    clients = try (0..<2).map { number in
      let host = BrokerHost(100 + number, "client-\(number)", network)
      return try BrokerClient(number, host, lives: lives) {
        let (host, port) = MirrorCluster.address($0)
        return BrokerAddress(host: host, port: port)
      }
    }
    model.withLock { model in
      for name in topics { model.topics.partitions[name] = Self.count(of: name) }
    }
  }

  /// How many seeds in a row have the same of topics that change.
  private static let span: UInt64 = 160

  /// One node or three, on each side.
  private static func layouts(_ seed: UInt64) -> [BrokerLayout] {
    switch seed % 4 {
    case 0: [.alone, .alone]
    case 1: [.three, .alone]
    case 2: [.alone, .three]
    default: [.three, .three]
    }
  }

  func cluster(_ side: MirrorSide) -> MirrorCluster { clusters[side.rawValue] }
  var machines: [BrokerMachine] { clusters.flatMap(\.machines) }

  // MARK: Running

  package static func run(_ options: Options) -> Outcome {
    do {
      return try MirrorSimulation(options).run()
    } catch {
      return Outcome(failure: "the world does not begin: \(error)", hash: 0, steps: 0, trace: [], seen: MirrorSeen())
    }
  }

  private func run() -> Outcome {
    for machine in machines { stage.schedule(after: Int64(stage.draw(200_000))) { machine.start() } }
    later(BrokerStage.Spans.millisecond) { self.administer(&$0) }
    for side in MirrorSide.allCases { later(BrokerStage.Spans.millisecond) { self.produce(side, &$0) } }
    if transacts {
      for side in MirrorSide.allCases {
        later(BrokerStage.Spans.millisecond) { model in
          model.writers[side] = MirrorWriter()
          self.transact(side, &model)
        }
      }
    }
    later(BrokerStage.Spans.second) { self.commit(&$0) }
    for side in MirrorSide.allCases { later(BrokerStage.Spans.second) { self.readGroup(side, &$0) } }
    lookOnAndOn()
    stage.schedule(after: options.recoversWithin * BrokerStage.Spans.millisecond) {
      self.post { if case .preparing = $0.phase { self.stage.fail("the mirror does not begin") } }
    }
    while stage.failure == nil, !isDone, stage.step() { drain() }
    let seen = model.withLock { $0.seen }
    let kills = machines.reduce(into: BrokerSeen()) { $0 += $1.seen }
    for machine in machines { machine.die(.killed) }
    var all = seen
    all.lives = kills.lives
    all.deaths = kills.kills + kills.powerLosses
    all.copied = model.withLock { $0.ledger.copied }
    all.gaps = model.withLock { $0.ledger.gaps.count }
    return Outcome(failure: stage.failure, hash: stage.hash, steps: stage.steps, trace: stage.trace, seen: all)
  }

  private var isDone: Bool { model.withLock { if case .done = $0.phase { true } else { false } } }

  /// Has the job look at the model when nobody else does, and no node is in the middle of something.
  func post(_ job: @escaping @Sendable (inout Model) -> Void) { mail.withLock { $0.append(job) } }

  func later(_ span: Int64, _ job: @escaping @Sendable (inout Model) -> Void) {
    stage.schedule(after: span) { self.post(job) }
  }

  private func drain() {
    while true {
      let jobs = mail.withLock { mail in
        defer { mail = [] }
        return mail
      }
      let written = appends.take()
      guard !jobs.isEmpty || !written.isEmpty else { return }
      model.withLock { model in
        for one in written { note(one, &model) }
        for job in jobs { job(&model) }
      }
    }
  }

  private func lookOnAndOn() {
    later(Self.lookPause) { model in
      self.look(&model)
      self.lookOnAndOn()
    }
  }

  // MARK: From one phase to the next

  /// Everything is copied for the first time.
  func begin(_ model: inout Model) {
    stage.note("everything is copied: trouble begins")
    model.phase = .troubled
    model.movesFrom = stage.now + Int64(stage.draw(Int(options.troubledFor) / 3)) * BrokerStage.Spans.millisecond
    if let plot = options.plot {
      model.isPlotted = true
      begin(plot, &model)
      later(plot.span * BrokerStage.Spans.millisecond) { self.heal(&$0) }
    } else {
      model.moves = MirrorMove.journeys[Int(options.seed / 4 % UInt64(MirrorMove.journeys.count))]
      trouble(&model)
      later(options.troubledFor * BrokerStage.Spans.millisecond) { self.heal(&$0) }
    }
  }

  func heal(_ model: inout Model) {
    stage.note("everything is mended")
    network.mendAll()
    for machine in machines { machine.freeze(for: 0) }
    model.phase = .healing
    model.mendedAt = stage.now
    model.served = []
    for machine in machines { stage.schedule(after: 100) { machine.start() } }
    // What was restarting by itself at that moment comes back too.
    later(5 * BrokerStage.Spans.second) { _ in for machine in self.machines where !machine.isUp { machine.start() } }
    later(options.recoversWithin * BrokerStage.Spans.millisecond) { model in
      self.stage.fail("not done after \(self.options.recoversWithin) ms: \(self.complaints(model))")
    }
  }
}

/// What the disks of both clusters were told to write, until it is looked at.
final class MirrorAppends: Sendable {
  struct Append: Sendable {
    let spot: MirrorLedger.Spot
    let batches: [WrittenBatch]
    /// Of topics that are compacted.
    let values: [Int64: UInt64]?
  }
  private let new = Mutex<[Append]>([])

  func wrote(_ side: MirrorSide, _ path: String, _ bytes: UnsafeRawBufferPointer, _ topic: () -> UniqueID?) {
    let parts = path.split(separator: "/")
    // A segment that was compacted is written on under the name that it was made by.
    guard parts.count == 3, parts[2].contains(".log"),
      let place = MirrorSimulation.allPlaces.first(where: { "\($0)" == parts[1] })
    else { return }
    let append = Append(
      spot: .init(side: side, place: place, topic: topic() ?? .zero), batches: WrittenBatch.all(in: bytes),
      values: MirrorSimulation.isCompacted(place) ? WrittenBatch.values(in: bytes) : nil)
    new.withLock { $0.append(append) }
  }

  func take() -> [Append] {
    new.withLock { new in
      defer { new = [] }
      return new
    }
  }
}

/// What has happened, over all seeds: where nothing happens, nothing is proved.
package struct MirrorSeen: Sendable, CustomStringConvertible {
  package var lives = 0
  package var deaths = 0
  package var cuts = 0
  package var acknowledged = 0
  package var copied = 0
  package var committed = 0
  package var groupsRead = 0
  package var removals = 0
  package var gaps = 0
  package var unclean = 0
  package var setAside = 0
  package var switchovers = 0
  package var givenUp = 0
  package var failovers = 0
  package var failbacks = 0
  package var deletions = 0
  package var growths = 0
  package var expiries = 0
  package var stops = 0
  package var transactions = 0
  package var takenBack = 0
  /// Without an outcome when topics were taken over.
  package var leftOpen = 0
  package init() {}

  package static func += (a: inout Self, b: Self) {
    for path in Self.counters { a[keyPath: path] += b[keyPath: path] }
  }
  private static var counters: [WritableKeyPath<Self, Int>] {
    [
      \.lives, \.deaths, \.cuts, \.acknowledged, \.copied, \.committed, \.groupsRead, \.removals, \.gaps, \.unclean,
      \.setAside, \.switchovers, \.givenUp, \.failovers, \.failbacks, \.deletions, \.growths,
      \.expiries, \.stops, \.transactions, \.takenBack, \.leftOpen,
    ]
  }

  package var description: String {
    "lives \(lives), deaths \(deaths), cuts \(cuts), acknowledged \(acknowledged), batches copied \(copied), offsets "
      + "committed \(committed) and read \(groupsRead), removals \(removals), gaps \(gaps), unclean \(unclean), set aside "
      + "\(setAside), switchovers \(switchovers) and given up \(givenUp), failovers \(failovers), fail-backs \(failbacks), "
      + "topics deleted \(deletions), grown \(growths) and expiring \(expiries), orderly stops \(stops), "
      + "transactions \(transactions), taken back \(takenBack) and left open \(leftOpen)"
  }
}
