// Producers that share transactional ids, the coordinator of those, and partitions as small logs. The coordinator's
// decisions are the real ones, and so are the bytes of its records; its log, the network, the partitions and the
// clients are simulated, and a seed draws what goes wrong.

package import Coordination
import Vocabulary

/// Transactions over several partitions, while coordinators die, are replaced and do not know it, markers get lost,
/// partitions vanish, and producers stand still, die and are replaced. One seed is one history, always the same.
package final class TransactionSimulation {
  package struct Options: Sendable {
    package var seed: UInt64
    package var planted: PlantedBug?
    /// Keeps a line for everything that happens.
    package var traces = false
    /// How long faults happen, in virtual milliseconds.
    package var troubledFor: Int64 = 8000
    /// As much trouble as a test that runs with every change can afford.
    package static let shortTrouble: Int64 = 4000
    package init(seed: UInt64, planted: PlantedBug? = nil) {
      self.seed = seed
      self.planted = planted
    }
  }

  package struct Outcome: Sendable {
    /// What promise was broken; nil when all were kept.
    package var failure: String?
    package var hash: UInt64
    package var steps: Int
    package var trace: [String]
    package var seen: TransactionSeen
  }

  /// In microseconds, as all times here.
  enum Spans {
    static let millisecond: Int64 = 1000
    /// How long a client waits for an answer.
    static let patience = 300 * millisecond
    /// How long who writes markers waits for one.
    static let markerPatience = 120 * millisecond
    static let look = 20 * millisecond
    /// After the last fault everything that was open has ended by then: the longest timeout of a transaction, and the
    /// time for its markers.
    static let settling = 4000 * millisecond
    /// Within which everyone who then begins has committed.
    static let recovery = 5000 * millisecond
  }

  let options: Options
  let settings: TransactionSettings
  var random: SeededRandom
  var now: Int64 = 0
  private var agenda = EventQueue<() -> Void>()
  var isTroubled = true
  private var isDone = false
  private(set) var failure: String?
  private var steps = 0
  private var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  private var trace: [String] = []
  var seen = TransactionSeen()

  // What there is.
  var log = StateLog()
  var shards: [StateShard] = []
  var partitions: [LedgerPartition] = []
  var clients: [LedgerClient] = []
  var transactions: [LedgerTransaction] = []
  /// Who was last told that a transactional id is its own.
  var owners: [TransactionalID: (client: Int, identity: ProducerIdentity)] = [:]
  /// Frames of one way arrive in order: when the last of them does.
  var ways: [MarkerWay: Int64] = [:]
  var lastProducer: Int64 = 100

  static let ids = ["payments", "transfers"].map { TransactionalID($0) }

  init(_ options: Options) {
    self.options = options
    random = SeededRandom(seed: options.seed &+ 0x7478_6e73)
    var settings = TransactionSettings()
    settings.planted = options.planted
    settings.markerRetryBackoff = .milliseconds(30)
    settings.timeoutMax = .seconds(2)
    settings.idExpirationInterval = .milliseconds(500)
    settings.idExpirationPause = .milliseconds(50)
    settings.idExpirationBatch = 1
    if Int.random(in: 0..<3, using: &random) == 0 { settings.idExpiration = .milliseconds(900) }
    self.settings = settings
    for (topic, count) in [("ledger", 2), ("audit", 2), ("alerts", 1)] {
      for index in 0..<count {
        partitions.append(LedgerPartition(partitions.count, topic, Int32(index)))
      }
    }
  }

  // MARK: Running

  package static func run(_ options: Options) -> Outcome { TransactionSimulation(options).run() }

  private func run() -> Outcome {
    if happens(oneIn: 3) { prepareLateEpochs() }
    beginShard(after: 1)
    for id in Self.ids { beginClient(id, after: span(1...50)) }
    lookOnAndOn()
    after(span(100...400)) { self.trouble() }
    after(options.troubledFor * Spans.millisecond) { self.mend() }
    while failure == nil, !isDone, let (time, event) = agenda.next() {
      now = time
      steps += 1
      event()
    }
    // What has not happened yet holds on to this.
    agenda = EventQueue()
    shards = []
    return Outcome(failure: failure, hash: hash, steps: steps, trace: trace, seen: seen)
  }

  func after(_ span: Int64, _ event: @escaping () -> Void) { agenda.add(event, at: now + max(1, span)) }

  private func lookOnAndOn() {
    after(Spans.look) {
      for partition in self.partitions { self.read(partition) }
      self.lookOnAndOn()
    }
  }

  /// Nothing is broken any more, and nobody comes back: what was open has to end by itself. Then everyone who begins
  /// has to be served.
  private func mend() {
    note("everything is mended")
    isTroubled = false
    for client in clients { client.isDead = true }
    for partition in partitions { partition.blockedUntil = 0 }
    after(Spans.settling) {
      self.checkSettled()
      for id in Self.ids { self.beginClient(id, after: 1, isLast: true) }
      self.after(Spans.recovery) {
        for partition in self.partitions { self.read(partition) }
        self.checkSettled()
        self.checkEverything()
        self.isDone = true
      }
    }
  }

  // MARK: Chance, and what is told of it

  func draw(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }
  func happens(oneIn count: Int) -> Bool { draw(count) == 0 }
  /// Only while things go wrong.
  func goesWrong(oneIn count: Int) -> Bool { happens(oneIn: count) && isTroubled }
  /// In milliseconds; microseconds come out.
  func span(_ range: ClosedRange<Int64>) -> Int64 {
    Int64.random(in: range.lowerBound * 1000...range.upperBound * 1000, using: &random)
  }
  /// How long a message takes: seldom very long.
  var delay: Int64 { goesWrong(oneIn: 25) ? span(20...600) : span(1...6) }

  func note(_ text: @autoclosure () -> String) {
    hash = (hash ^ UInt64(bitPattern: now)) &* 0x100_0000_01b3
    guard options.traces else { return }
    trace.append("\(now / 1000).\(String(now % 1000 + 1000).dropFirst()) \(text())")
  }

  func fail(_ text: String) {
    if failure == nil { failure = "after \(now / 1000) ms: \(text)" }
  }
}

/// What has happened, over all seeds: where nothing happens, nothing is proved.
package struct TransactionSeen: Sendable, CustomStringConvertible {
  package var begun = 0
  package var committed = 0
  package var aborted = 0
  package var timedOut = 0
  package var fenced = 0
  package var failovers = 0
  package var superseded = 0
  package var lostRecords = 0
  package var failedAppends = 0
  package var markers = 0
  package var markersAgain = 0
  package var markersRefused = 0
  package var vanished = 0
  package var unverified = 0
  package var late = 0
  package var rotations = 0
  package var forgotten = 0
  package var read = 0
  package init() {}

  package static func += (a: inout Self, b: Self) {
    for path in counters { a[keyPath: path] += b[keyPath: path] }
  }
  private static var counters: [WritableKeyPath<Self, Int>] {
    [
      \.begun, \.committed, \.aborted, \.timedOut, \.fenced, \.failovers, \.superseded, \.lostRecords, \.failedAppends,
      \.markers, \.markersAgain, \.markersRefused, \.vanished, \.unverified, \.late, \.rotations, \.forgotten, \.read,
    ]
  }

  package var description: String {
    "transactions \(begun), committed \(committed), aborted \(aborted) and timed out \(timedOut), producers fenced "
      + "\(fenced), coordinators replaced \(failovers) and not told \(superseded), records lost \(lostRecords), appends "
      + "failed \(failedAppends), markers \(markers), again \(markersAgain) and refused \(markersRefused), partitions "
      + "vanished \(vanished), batches not verified \(unverified) and late \(late), producer ids renewed \(rotations), ids "
      + "forgotten \(forgotten), values read \(read)"
  }
}
