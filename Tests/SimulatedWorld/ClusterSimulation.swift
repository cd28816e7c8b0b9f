// Three controllers and three to five brokers in one to three Regions. What decides is real: the quorum, the cluster's
// metadata and its rules, and the replicas of partitions. The clock, the network, the disks and the clients are
// simulated, and a seed draws what goes wrong.

import ClusterMetadata
import Consensus
import Replication
import Vocabulary

/// A whole cluster in which everything goes wrong that may, and that then heals. One seed is one history, always the
/// same. After every step the promises are checked (`ClusterPromises`).
package final class ClusterSimulation {
  package struct Options: Sendable {
    package var seed: UInt64
    package var planted: ClusterMistake?
    package var logs: ClusterLogs
    /// Keeps a line for each input and effect.
    package var traces = false
    /// How long faults happen, in virtual milliseconds.
    package var troubledFor: Int64 = 6000
    /// Within which virtual time after the last fault every partition must work, in milliseconds.
    package var recoversWithin: Int64 = 10_000
    /// As much trouble as a test that runs with every change can afford.
    package static let shortTrouble: Int64 = 3000
    package init(seed: UInt64, planted: ClusterMistake? = nil, logs: ClusterLogs = .model) {
      self.seed = seed
      self.logs = logs
      self.planted = planted
    }
  }

  package struct Outcome: Sendable {
    /// What promise was broken; nil when all were kept.
    package var failure: String?
    /// Stands for everything that happened.
    package var hash: UInt64
    package var steps: Int
    package var trace: [String]
    package var seen: ClusterSeen
  }

  /// In virtual microseconds.
  enum Spans {
    static let millisecond: Int64 = 1000
    static let brokerTick = 50 * millisecond
    static let controllerTick = 60 * millisecond
    static let patience = 500 * millisecond
    static let retry = 300 * millisecond
  }

  static let controllerCount = 3
  static let clientCount = 4

  let options: Options
  var random: SeededRandom
  var now: Int64 = 0
  var queue = EventQueue<ClusterEvent>()
  /// The controllers, then the brokers.
  var nodes: [ClusterNode] = []
  var brokers: [ClusterBroker] = []
  var clients: [ClusterClient] = []
  var regions: [String] = []
  /// What the batches of the metadata log hold, by their names.
  var payloads: [UInt64: [MetadataRecord]] = [:]
  var nextName: UInt64 = 1
  var nextProcess: UInt64 = 1
  /// One-way: from, to; and how many faults hold it.
  var cuts: [Int: Int] = [:]
  /// Where logs are files: a write counts once it is synced (`flush.messages=1`), and no loss of power is too much.
  var syncsEveryWrite = false
  var lossPerMille = 10
  var troublePause: Int64 = 400
  var oddsOfVoterChange = 12
  var oddsOfMinimumChange = 10
  var isTroubled = true
  var healedAt: Int64 = 0
  /// Partitions that have taken a write since everything was mended.
  var served: Set<PartitionKey> = []
  var promises: ClusterPromises
  var hash: UInt64
  var steps = 0
  var trace: [String] = []
  var seen = ClusterSeen()

  package init(_ options: Options) {
    self.options = options
    random = SeededRandom(seed: options.seed)
    hash = options.seed
    promises = ClusterPromises(beginningWith: Self.emptyImage(options))
  }

  package static func run(_ options: Options) -> Outcome {
    let world = ClusterSimulation(options)
    world.setUp()
    world.run()
    return Outcome(
      failure: world.promises.broken, hash: world.hash, steps: world.steps, trace: world.trace, seen: world.seen)
  }

  private func setUp() {
    // Seeds differ in what they have much of: a mistake often needs a lot of one thing and little of another.
    troublePause = [150, 400, 900][draw(3)]
    oddsOfVoterChange = [4, 12, 1000][draw(3)]
    oddsOfMinimumChange = [2, 10, 1000][draw(3)]
    syncsEveryWrite = hasFiles && happens(oneIn: 3)
    regions = (0..<(1 + draw(3))).map { "r\($0)" }
    let count = 3 + draw(3)
    let voters = VoterSet((0..<Self.controllerCount).map { Voter(ReplicaKey(controllerID($0), directory(of: $0))) })
    for i in 0..<Self.controllerCount {
      nodes.append(
        ClusterNode(
          id: controllerID(i), directory: directory(of: i), region: regions[i % regions.count],
          disk: QuorumDisk(formattedVoters: voters)))
    }
    for j in 0..<count {
      let at = Self.controllerCount + j
      nodes.append(
        ClusterNode(
          id: NodeID(Int32(j)), directory: directory(of: at),
          region: j < regions.count ? regions[j] : regions[draw(regions.count)],
          disk: QuorumDisk(formattedVoters: VoterSet())))
      brokers.append(ClusterBroker(id: NodeID(Int32(j)), files: makeFiles(j)))
    }
    clients = Array(repeating: ClusterClient(), count: Self.clientCount)
    for n in nodes.indices { start(n) }
    for client in clients.indices { queue.add(.clientTick(client), at: Int64(client)) }
    queue.add(.administer, at: 400 * Spans.millisecond)
    queue.add(.trouble, at: 900 * Spans.millisecond)
  }

  private func run() {
    while promises.broken == nil, let (time, event) = queue.next() {
      now = max(now, time)
      if isTroubled, now >= options.troubledFor * Spans.millisecond { heal() }
      if !isTroubled {
        if steps % 16 == 0, isWhole { break }
        if now > healedAt + options.recoversWithin * Spans.millisecond {
          promises.fail("not whole within \(options.recoversWithin) ms after the last fault: \(lacking)")
          break
        }
      }
      happen(event)
      steps += 1
      promises.checkComplete(brokers)
    }
    if promises.broken == nil { checkFiles() }
    if promises.broken == nil { promises.checkAcknowledged() }
    seen.promotions = promises.promotions
    seen.observersLeading = promises.observersLeading
    seen.metadata = Int(promises.quorum.committedEnd.value)
    if let broken = promises.broken { note("BROKEN: \(broken)") }
  }

  func controllerID(_ i: Int) -> NodeID { NodeID(Int32(100 + i)) }
  private func directory(of n: Int) -> UniqueID { UniqueID(high: 9, low: UInt64(n + 1)) }
  /// Where a broker stands among the nodes.
  func place(ofBroker j: Int) -> Int { Self.controllerCount + j }
  func broker(at n: Int) -> Int? { n >= Self.controllerCount ? n - Self.controllerCount : nil }
  func place(of id: NodeID) -> Int? {
    let n = id.value >= 100 ? Int(id.value) - 100 : place(ofBroker: Int(id.value))
    return nodes.indices.contains(n) ? n : nil
  }

  func draw(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }
  func happens(oneIn n: Int) -> Bool { random.next() % UInt64(n) == 0 }
  func chance(perMille: Int) -> Bool { draw(1000) < perMille }
  /// In milliseconds.
  func span(_ range: ClosedRange<Int>) -> Int64 {
    (Int64(range.lowerBound) + Int64(draw(range.count))) * Spans.millisecond
  }

  func note(_ line: @autoclosure () -> String) {
    if options.traces { trace.append("\(now / 1000).\(now % 1000 / 100) ms  \(line())") }
  }

  func mark(_ kind: UInt64, _ value: Int) {
    hash = QuorumDisk.mix(hash, kind << 48 ^ UInt64(bitPattern: now) << 8 ^ UInt64(bitPattern: Int64(value)))
  }

  /// Virtual time as one node's clock shows it.
  func instant(_ n: Int) -> Instant { Instant(nanoseconds: (now + nodes[n].clockAhead) * 1000 + 1_000_000_000) }

  private func happen(_ event: ClusterEvent) {
    switch event {
    case .tick(let n):
      guard nodes[n].tickDue <= now else { return }
      nodes[n].tickDue = .max
      handle(.tick, on: n)
    case .request(let n, let request, let asker): deliver(request, asker, to: n)
    case .answer(let n, let incarnation, let answer, let id):
      if nodes[n].incarnation == incarnation { handle(.answer(answer, to: id), on: n) }
    case .failed(let n, let incarnation, let id):
      if nodes[n].incarnation == incarnation { handle(.failed(id), on: n) }
    case .synced(let n, let incarnation, let write, let end, let epoch):
      guard nodes[n].incarnation == incarnation, nodes[n].quorum != nil else { return }
      nodes[n].disk.sync(upTo: write)
      handle(.persisted(upTo: end, epoch: epoch), on: n)
    case .start(let n): start(n)
    case .ask(let i, let ask, let j, let incarnation): decide(ask, by: j, incarnation, on: i)
    case .told(let j, let incarnation, let told):
      if nodes[place(ofBroker: j)].incarnation == incarnation { hear(told, on: j) }
    case .fetch(let j, let key, let request): serve(request, of: key, on: j)
    case .fetched(let j, let key, let id, let outcome, let records, let life):
      if brokers[j].life == life { handle(.fetchAnswered(id, outcome), key, on: j, copied: records) }
    case .produce(let j, let key, let acks, let client, let sequence): produce(client, sequence, acks, key, on: j)
    case .produced(let client, let sequence, let offset, let answer):
      hear(answer, sequence: sequence, offset: offset, client: client)
    case .brokerTick(let j, let incarnation):
      if nodes[place(ofBroker: j)].incarnation == incarnation { tickBroker(j) }
    case .controllerTick(let i, let incarnation):
      if nodes[i].incarnation == incarnation { tickController(i) }
    case .clientTick(let client): tickClient(client)
    case .administer: administer()
    case .trouble: makeTrouble()
    case .mend(let links): for link in links { cuts[link, default: 1] -= 1 }
    }
  }

  // MARK: The network

  func link(_ from: Int, _ to: Int) -> Int { from * 100 + to }

  /// When something that is sent now arrives: never, once, or twice.
  func arrivals(from: Int?, to: Int?) -> [Int64] {
    if let from, let to, cuts[link(from, to), default: 0] > 0 { return [] }
    if chance(perMille: lossPerMille) { return [] }
    let copies = chance(perMille: lossPerMille) ? 2 : 1
    return (0..<copies).map { _ in
      now + (isTroubled && chance(perMille: 2 * lossPerMille) ? span(20...1200) : 200 + Int64(draw(4000)))
    }
  }
}
