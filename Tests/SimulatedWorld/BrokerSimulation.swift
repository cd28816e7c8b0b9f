// Whole nodes in one process: everything from the frame that a client sends to the bytes on the disk is the program
// itself. The clocks, the threads' turns, the network, the disks and the clients are simulated, and a seed draws what goes
// wrong.
//
// What a decision decides, the other worlds look at more closely. This one is for what lies between: handlers, who waits
// for whom, what starts and stops in which order.

package import Broker
import EventLoop
import KafkaClient
import KafkaProtocol
import Synchronization
import Vocabulary

/// Brokers that serve clients while everything goes wrong that may, and that then have to be as before. One seed is one
/// history, always the same.
package final class BrokerSimulation: Sendable {
  package struct Options: Sendable {
    package var seed: UInt64
    package var planted: BrokerMistake?
    /// Keeps a line for each frame and fault; the nodes write their logs.
    package var traces = false
    /// How long faults happen, in virtual milliseconds.
    package var troubledFor: Int64 = 12_000
    /// Within which virtual time after the last fault everything must work, in milliseconds.
    package var recoversWithin: Int64 = 60_000
    package var layout: BrokerLayout
    /// What goes wrong last. Where a plot is asked for, nothing else goes wrong.
    package var plot: BrokerPlot?
    /// As much trouble as a test that runs with every change can afford.
    package static let shortTrouble: Int64 = 5000
    package init(seed: UInt64, planted: BrokerMistake? = nil, plot: BrokerPlot? = nil) {
      self.seed = seed
      self.planted = planted
      self.plot = plot
      layout =
        if planted == .fencesWhoIsAlone { .alone } else if let plot { plot.layout } else {
          switch seed % 8 {
          case 0, 4: .alone
          case 3, 7: .regions
          case 6: .voters
          default: .three
          }
        }
    }
  }

  package struct Outcome: Sendable {
    /// What promise was broken; nil when all were kept.
    package var failure: String?
    package var hash: UInt64
    package var steps: Int
    package var trace: [String]
    package var seen: BrokerSeen
    /// Brokers that are dead and in memory all the same.
    package var remaining = 0
  }

  /// Who of the clients is what.
  static let consumer = 2
  static let committer = 3
  static let administrator = 4
  /// Of the two producers: nil is one batch at a time.
  private static let manners: [[BrokerPipeline.Manner?]] = [
    [nil, .eager], [nil, .careful], [.careful, .eager], [.eager, .eager],
  ]
  /// How often it is looked whether a plot can begin, in milliseconds.
  private static let calmPause: Int64 = 100

  enum Phase: Sendable {
    case troubled
    /// Nothing is broken any more: everything has to work again.
    case healing
    /// Nothing is written any more: everything has to be there.
    case checking
    case done
  }

  /// What only one thing that happens looks at, or changes, at a time.
  struct Model: Sendable {
    var phase = Phase.troubled
    var clients: [BrokerClientState] = []
    var promises = BrokerPromises()
    var lastValue: UInt64 = 0
    /// Partitions that have taken a write since everything was mended.
    var served: Set<BrokerKey> = []
    /// By the node that was asked: the nodes that it takes for alive.
    var alive: [Int32: Set<Int32>] = [:]
    /// What has been read of each partition, from its beginning, when everything is checked.
    var found: [BrokerCopy: [Int64: UInt64]] = [:]
    var checkedPositions: [BrokerCopy: Int64] = [:]
    /// Where the leader's copy ended.
    var checkedEnds: [BrokerKey: Int64] = [:]
    var checked: Set<BrokerCopy> = []
    var checkedOffsets = false
    /// What goes wrong now is aimed, and must not be disturbed.
    var isPlotted = false
    /// Where all producers write to, and nowhere else.
    var target: BrokerKey?
    var mendedAt: Int64 = 0
    /// Since everything was mended: that offsets are there, and can be kept.
    var hasReadOffsets = false
    var keepsOffsetsAgain = false
    /// Topics that were created and that nobody has asked to delete.
    var created: [UniqueID: String] = [:]
    var present: Set<UniqueID> = []
    /// By the controller: whether it was said to vote from now on; and those of which nobody can say.
    var voters: [Int32: Bool] = [:]
    var doubtfulVoters: Set<Int32> = []
    var checkedVoters = false
    /// Nothing new is written, and what was written is about to be decided.
    var isResting = false
    /// Why a producer has begun a new epoch, first.
    var newEpoch: String?
    var seen = BrokerSeen()
  }

  let options: Options
  let stage: BrokerStage
  let network: BrokerNetwork
  let machines: [BrokerMachine]
  /// Those that serve clients.
  let brokers: [BrokerMachine]
  let clients: [BrokerClient]
  let clientHosts: [BrokerHost]
  /// A write counts once it is synced: then no loss of power is too much.
  let syncs: Bool
  let troublePause: Int
  let isStopping = Mutex(false)
  let model = Mutex(Model())
  private let mail = Mutex<[@Sendable (inout Model) -> Void]>([])

  init(_ options: Options) throws {
    self.options = options
    let stage = BrokerStage(seed: options.seed, traces: options.traces)
    self.stage = stage
    let network = BrokerNetwork(stage)
    self.network = network
    syncs = stage.happens(oneIn: 3)
    troublePause = [300, 800, 1500][stage.draw(3)]
    let lives = BrokerLives()
    var machines: [BrokerMachine] = []
    for place in options.layout.places {
      let host = BrokerHost(Int(place.id), "node-\(place.id)", network)
      machines.append(
        BrokerMachine(
          place, host, settings: options.layout.settings(of: place, syncs: syncs), planted: options.planted,
          diskSeed: stage.chance(), lives: lives))
    }
    self.machines = machines
    brokers = machines.filter(\.isBroker)
    var clients: [BrokerClient] = []
    var hosts: [BrokerHost] = []
    let roles: [BrokerClientState.Role] = [.producer, .producer, .consumer, .committer, .administrator]
    let manners = Self.manners[stage.draw(Self.manners.count)]
    for number in roles.indices {
      let host = BrokerHost(100 + number, "client-\(number)", network)
      hosts.append(host)
      clients.append(
        try BrokerClient(number, host, lives: lives) { BrokerAddress(host: "node-\($0)", port: 9092) })
    }
    self.clients = clients
    clientHosts = hosts
    model.withLock { model in
      model.clients = roles.enumerated().map { number, role in
        BrokerClientState(role, manner: manners.indices.contains(number) ? manners[number] : nil)
      }
    }
  }

  // MARK: Running

  package static func run(_ options: Options) -> Outcome {
    do {
      return try BrokerSimulation(options).run()
    } catch {
      return Outcome(
        failure: "the world does not begin: \(error)", hash: 0, steps: 0, trace: [], seen: BrokerSeen())
    }
  }

  private func run() -> Outcome {
    for machine in machines {
      stage.schedule(after: Int64(stage.draw(200_000))) { machine.start() }
    }
    for number in clients.indices { again(number) }
    if let plot = options.plot {
      beginWhenCalm(plot)
    } else {
      later(Int64(troublePause) * BrokerStage.Spans.millisecond * 2) { self.trouble(&$0) }
      later(options.troubledFor * BrokerStage.Spans.millisecond) { model in
        let plots = BrokerPlot.allCases.filter { $0.layout == self.options.layout || $0 != .regionLost }
        self.end(with: self.stage.happens(oneIn: 2) ? plots[self.stage.draw(plots.count)] : nil, &model)
      }
    }
    while stage.failure == nil, !isDone, stage.step() { drain() }
    let seen = machines.reduce(into: model.withLock { $0.seen }) { $0 += $1.seen }
    for machine in machines { machine.die(.killed) }
    return Outcome(
      failure: stage.failure, hash: stage.hash, steps: stage.steps, trace: stage.trace, seen: seen,
      remaining: machines.reduce(0) { $0 + $1.remaining })
  }

  private var isDone: Bool { model.withLock { if case .done = $0.phase { true } else { false } } }

  /// Has the job look at the model when nobody else does.
  func post(_ job: @escaping @Sendable (inout Model) -> Void) { mail.withLock { $0.append(job) } }

  func later(_ span: Int64, _ job: @escaping @Sendable (inout Model) -> Void) {
    stage.schedule(after: span) { self.post(job) }
  }

  private func drain() {
    while case let jobs = mail.withLock({ mail in
      defer { mail = [] }
      return mail
    }), !jobs.isEmpty {
      model.withLock { model in for job in jobs { job(&model) } }
    }
  }

  // MARK: The end

  private func beginWhenCalm(_ plot: BrokerPlot) {
    later(Self.calmPause * BrokerStage.Spans.millisecond) { model in
      let isLate = self.stage.now > self.options.troubledFor * BrokerStage.Spans.millisecond
      if isLate || self.isCalm(model) { self.end(with: plot, &model) } else { self.beginWhenCalm(plot) }
    }
  }

  private func end(with plot: BrokerPlot?, _ model: inout Model) {
    guard let plot, machines.count > 1 else { return stage.schedule(after: 0) { self.heal() } }
    begin(plot, &model)
    stage.schedule(after: plot.span * BrokerStage.Spans.millisecond) { self.heal() }
  }

  private func heal() {
    stage.note("everything is mended")
    network.mendAll()
    for machine in machines { machine.freeze(for: 0) }
    post { model in
      model.phase = .healing
      model.mendedAt = self.stage.now
      model.target = nil
      model.served = []
      model.alive = [:]
    }
    for machine in machines { stage.schedule(after: 100) { machine.start() } }
    stage.schedule(after: options.recoversWithin * BrokerStage.Spans.millisecond) { self.giveUp() }
    // What was restarting by itself at that moment comes back too.
    later(5 * BrokerStage.Spans.second) { _ in for machine in self.machines where !machine.isUp { machine.start() } }
  }

  private func giveUp() {
    post { model in
      guard self.stage.failure == nil else { return }
      var words: [String] = []
      let all = Set(self.brokers.map(\.id))
      for machine in self.brokers where model.alive[machine.id] != all {
        let known = model.alive[machine.id].map { "\($0.sorted())" } ?? "nobody"
        words.append("node \(machine.id) takes \(known) for alive")
      }
      let reader = model.clients[Self.consumer]
      let keys = reader.led.filter { !model.served.contains($0) }
      words += reader.leaders.filter { $0.value.node < 0 }.keys.sorted().map { "\($0) has no leader" }
      if case .healing = model.phase {
        words += keys.map { "\($0) took no write" }
        words += reader.leaders.filter { !$0.value.isWhole }.sorted { $0.key < $1.key }.map { key, leader in
          "of \(key), only \(leader.inSync) of \(leader.replicas) are in sync"
        }
        if !model.hasReadOffsets { words.append("the group's offsets could not be read") }
        if !self.keepsOffsets(model) { words.append("the group's offsets could not be committed") }
        if model.isResting {
          words += model.clients.flatMap(self.undecided).map { "nobody says what became of batches of \($0)" }
        }
      }
      if case .checking = model.phase {
        if let copy = self.unchecked(Self.consumer, model) {
          words.append("\(copy.key) could not be read on node \(copy.node)")
        }
        if self.options.layout == .voters, !model.checkedVoters { words.append("nobody says who votes") }
        if !model.checkedOffsets { words.append("the group's offsets could not be read") }
      }
      self.stage.fail("not as before after \(self.options.recoversWithin) ms: \(words.joined(separator: "; "))")
    }
  }

  private func keepsOffsets(_ model: Model) -> Bool {
    model.keepsOffsetsAgain || !model.clients[Self.committer].led.contains { model.created[$0.topic] != nil }
  }

  /// Whether everything works again, or everything has been found.
  func progress(_ model: inout Model) {
    switch model.phase {
    case .troubled, .done: break
    case .healing:
      let all = Set(brokers.map(\.id))
      let reader = model.clients[Self.consumer]
      let keys = Set(reader.led)
      model.isResting = false
      guard brokers.allSatisfy({ model.alive[$0.id] == all }), !keys.isEmpty, keys.isSubset(of: model.served),
        reader.leaders.values.allSatisfy({ $0.node >= 0 && $0.isWhole }), model.hasReadOffsets, keepsOffsets(model)
      else { return }
      model.isResting = true
      guard areProducersDone(model) else { return }
      stage.note("everything works again")
      model.phase = .checking
    case .checking:
      guard model.checkedOffsets, unchecked(Self.consumer, model) == nil,
        options.layout != .voters || model.checkedVoters
      else { return }
      if let lost = model.created.keys.sorted().first(where: { !model.present.contains($0) }) {
        return stage.fail("the topic \(model.created[lost] ?? "") (\(lost)) was created, and is not there")
      }
      if let newEpoch = model.newEpoch { return stage.fail(newEpoch) }
      model.phase = .done
    }
  }
}
