package import Consensus
import Vocabulary

/// Replicas of the metadata log in a world where everything goes wrong that may: messages are late, lost, doubled and
/// overtake each other; links break in one direction; processes end between any two effects of one step; what was not
/// synced is gone; disks are replaced; clocks jump; voters come and go; snapshots replace logs. Then the world heals,
/// and the replicas have to agree and go on.
///
/// One seed is one history, always the same. After every step the promises are checked (`QuorumPromises`).
package final class QuorumSimulation {
  package struct Options {
    package var seed: UInt64
    package var planted: PlantedBug?
    /// Keeps a line for each input and effect.
    package var traces = false
    /// How long faults happen, in virtual milliseconds.
    package var troubledFor: Int64 = 1500
    /// Within which virtual time after the last fault the replicas must agree and have committed new records.
    package var recoversWithin: Int64 = 8000
    /// As much trouble as a test that runs with every change can afford.
    package static let shortTrouble: Int64 = 500
    package init(seed: UInt64, planted: PlantedBug? = nil) {
      self.seed = seed
      self.planted = planted
    }
  }

  package struct Outcome {
    /// What promise was broken, and when; nil when all were kept.
    package var failure: String?
    /// Stands for everything that happened.
    package var hash: UInt64
    package var steps: Int
    package var trace: [String]
    package var seen: Seen
  }

  /// How often something happened: a simulation in which nothing happens proves nothing.
  package struct Seen {
    package var leaders = 0
    package var crashes = 0
    package var truncations = 0
    package var installations = 0
    package var voterChanges = 0
    package var resignations = 0
    package var wipes = 0
    package var updates = 0
    package var committed: Int64 = 0
    package init() {}
    package static func += (a: inout Seen, b: Seen) {
      a.leaders += b.leaders
      a.crashes += b.crashes
      a.truncations += b.truncations
      a.installations += b.installations
      a.voterChanges += b.voterChanges
      a.resignations += b.resignations
      a.wipes += b.wipes
      a.updates += b.updates
      a.committed += b.committed
    }
  }

  struct Node {
    let id: NodeID
    var directory: UniqueID
    var disk: QuorumDisk
    /// Nil while the process is down.
    var quorum: Quorum?
    var incarnation = 0
    var clockAhead: Int64 = 0
    var tickDue: Int64 = .max
    var tokens: [Asker] = []
    /// Up to where the committed records were compared with everybody else's.
    var comparedEnd = Offset.zero
    var committed = Offset.zero
    var key: ReplicaKey { ReplicaKey(id, directory) }
  }

  /// Who waits for an answer.
  struct Asker {
    let node: Int?
    let incarnation: Int
    let id: RequestID
    let vote: VoteRequest?
  }

  enum Event {
    case tick(Int)
    case request(to: Int, Request, Asker)
    case answer(to: Int, incarnation: Int, Answer, RequestID)
    case failed(to: Int, incarnation: Int, RequestID)
    case synced(Int, incarnation: Int, write: Int, end: Offset, LeaderEpoch)
    case checked(Int, incarnation: Int, Snapshot)
    case start(Int)
    case trouble
    case work
    case heal
  }

  let options: Options
  var random: SeededRandom
  var now: Int64 = 0
  var queue = EventQueue<Event>()
  var nodes: [Node] = []
  /// One-way: from, to.
  var cuts: Set<Int> = []
  var isTroubled = true
  var oddsOfVoterChange = 6
  var troublePause = 90_000
  var crashes = 1
  var promises = QuorumPromises()
  var hash: UInt64
  var steps = 0
  var trace: [String] = []
  var seen = Seen()
  var nextName: UInt64 = 1
  var nextDirectory: UInt64 = 1
  var effects: [Effect] = []
  /// The snapshots that were sent, by what they are of.
  var travelling: [SnapshotID: QuorumDisk.Image] = [:]
  /// For healing: the committed end at that time, and what has to be committed everywhere beyond it.
  var healedAt: Int64?
  var goal: Offset?

  package init(_ options: Options) {
    self.options = options
    random = SeededRandom(seed: options.seed)
    hash = options.seed
  }

  package static func run(_ options: Options) -> Outcome {
    let world = QuorumSimulation(options)
    world.run()
    return Outcome(
      failure: world.promises.broken, hash: world.hash, steps: world.steps, trace: world.trace, seen: world.seen)
  }

  private func run() {
    setUp()
    queue.add(.trouble, at: 10)
    queue.add(.work, at: 10)
    queue.add(.heal, at: options.troubledFor * 1000)
    while promises.broken == nil, let (time, event) = queue.next() {
      now = max(now, time)
      if let healedAt {
        if steps % 8 == 0, hasRecovered { break }
        if now > healedAt + options.recoversWithin * 1000 {
          promises.fail("no agreement within \(options.recoversWithin) ms after the last fault: \(summary)")
          break
        }
      }
      happen(event)
      steps += 1
    }
    seen.committed = promises.committedEnd.value
    if let broken = promises.broken { note("BROKEN: \(broken)") }
  }

  private func setUp() {
    // Seeds differ in what they have much of: a mistake often needs a lot of one thing and little of another.
    oddsOfVoterChange = [2, 6, 12][draw(3)]
    troublePause = [30_000, 90_000, 250_000][draw(3)]
    crashes = [1, 1, 4][draw(3)]
    let voterCount = [1, 2, 3, 3, 3, 4, 5][draw(7)]
    let observerCount = draw(4)
    var keys: [ReplicaKey] = []
    for i in 0..<(voterCount + observerCount) { keys.append(ReplicaKey(NodeID(Int32(i + 1)), newDirectory())) }
    // Some clusters begin with voters that are only configured: nobody knows their directories yet.
    let isStatic = happens(oneIn: 5)
    let formatted = VoterSet(keys.prefix(voterCount).map { Voter(isStatic ? ReplicaKey($0.id) : $0) })
    for (i, key) in keys.enumerated() {
      nodes.append(
        Node(
          id: key.id, directory: key.directory,
          disk: QuorumDisk(formattedVoters: i < voterCount ? formatted : VoterSet())))
    }
    for i in nodes.indices { start(i) }
  }

  func newDirectory() -> UniqueID {
    defer { nextDirectory += 1 }
    return UniqueID(high: 0, low: nextDirectory)
  }

  func draw(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }
  func happens(oneIn n: Int) -> Bool { random.next() % UInt64(n) == 0 }

  func note(_ line: @autoclosure () -> String) {
    if options.traces { trace.append("\(now / 1000).\(now % 1000 / 100) ms  \(line())") }
  }

  /// Virtual time as one node's clock shows it.
  func instant(_ node: Node) -> Instant { Instant(nanoseconds: (now + node.clockAhead) * 1000 + 1_000_000_000) }

  var settings: QuorumSettings {
    var settings = QuorumSettings()
    settings.electionTimeout = .milliseconds(80)
    settings.fetchTimeout = .milliseconds(160)
    settings.electionBackoffMax = .milliseconds(80)
    settings.requestTimeout = .milliseconds(100)
    settings.retryBackoff = .milliseconds(10)
    settings.fetchMaxWait = .milliseconds(50)
    settings.caughtUpWithin = .seconds(1)
    settings.pieceMax = ByteCount(2)
    settings.bootstrap = nodes.map(\.id)
    return settings
  }

  func start(_ i: Int) {
    guard nodes[i].quorum == nil else { return }
    nodes[i].incarnation += 1
    nodes[i].tokens = []
    nodes[i].committed = .zero
    nodes[i].comparedEnd = nodes[i].disk.start
    nodes[i].quorum = Quorum(
      local: Voter(nodes[i].key), settings: settings, election: nodes[i].disk.election, log: nodes[i].disk.index(),
      at: instant(nodes[i]), chance: random.next(), planted: options.planted)
    nodes[i].tickDue = .max
    note("\(nodes[i].id.value) starts as \(QuorumWords.text(nodes[i].key))")
    handle(.tick, on: i)
  }

  func crash(_ i: Int) {
    guard nodes[i].quorum != nil else { return }
    seen.crashes += 1
    let unsynced = nodes[i].disk.log.count - nodes[i].disk.syncedCount
    nodes[i].quorum = nil
    nodes[i].disk.crash(keeping: unsynced == 0 ? 0 : draw(unsynced + 1))
    note("\(nodes[i].id.value) crashes; its log ends at \(nodes[i].disk.end.value)")
    let pause = happens(oneIn: 4) ? 400_000 : 30_000
    queue.add(.start(i), at: now + 1000 + Int64(draw(pause)))
  }

  // MARK: One step

  func handle(_ input: Input, on i: Int) {
    guard nodes[i].quorum != nil else { return }
    note("\(nodes[i].id.value) <- \(QuorumWords.text(input))")
    effects.removeAll(keepingCapacity: true)
    let time = instant(nodes[i])
    let chance = random.next()
    nodes[i].quorum?.handle(input, at: time, chance: chance, into: &effects)
    let toDo = effects
    for effect in toDo {
      note("\(nodes[i].id.value)    \(QuorumWords.text(effect))")
      perform(effect, on: i)
      if promises.broken != nil { return }
      // A process can end between any two effects of one step, and after the last one.
      if isTroubled, happens(oneIn: max(2, oddsOfACrash(after: effect) / crashes)) {
        crash(i)
        return
      }
    }
    scheduleTick(i)
  }

  /// Mistakes show where a replica has just promised something, or learned something, and forgets it.
  private func oddsOfACrash(after effect: Effect) -> Int {
    switch effect {
    case .answer(.vote(_, .granted), _): 8
    case .becameLeader, .truncate, .installSnapshot, .dropPrefix: 10
    case .persist, .highWatermark: 60
    case .append, .send, .answer, .lostLeadership, .leaderChanged, .refuse, .writeSnapshot, .checkSnapshot, .report: 400
    }
  }

  private func scheduleTick(_ i: Int) {
    guard let deadline = nodes[i].quorum?.nextDeadline, deadline != .never else { return }
    if deadline <= instant(nodes[i]) {
      promises.fail("\(nodes[i].id.value) asks for a tick at a time that has passed: \(summary)")
      return
    }
    let due = max(now + 1, (deadline.nanoseconds - 1_000_000_000 + 999) / 1000 - nodes[i].clockAhead)
    // A tick that comes too early does no harm; a later one is not needed when one is due before.
    guard due < nodes[i].tickDue else { return }
    nodes[i].tickDue = due
    queue.add(.tick(i), at: due)
  }

  private func happen(_ event: Event) {
    switch event {
    case .tick(let i):
      guard nodes[i].tickDue <= now else { return }
      nodes[i].tickDue = .max
      mark(1, i)
      handle(.tick, on: i)
    case .request(let i, let request, let asker): deliver(request, asker, to: i)
    case .answer(let i, let incarnation, let answer, let id):
      guard nodes[i].incarnation == incarnation else { return }
      mark(3, i)
      handle(.answer(answer, to: id), on: i)
    case .failed(let i, let incarnation, let id):
      guard nodes[i].incarnation == incarnation else { return }
      mark(4, i)
      handle(.failed(id), on: i)
    case .synced(let i, let incarnation, let write, let end, let epoch):
      guard nodes[i].incarnation == incarnation, nodes[i].quorum != nil else { return }
      nodes[i].disk.sync(upTo: write)
      mark(5, i)
      handle(.persisted(upTo: end, epoch: epoch), on: i)
    case .checked(let i, let incarnation, let snapshot):
      guard nodes[i].incarnation == incarnation else { return }
      guard let voters = travelling[snapshot.id]?.voters else { return }
      handle(.checkedSnapshot(snapshot, voters: voters), on: i)
    case .start(let i): start(i)
    case .trouble: makeTrouble()
    case .work: work()
    case .heal: heal()
    }
  }

  func mark(_ kind: UInt64, _ value: Int) {
    hash = QuorumDisk.mix(hash, kind << 48 ^ UInt64(bitPattern: now) << 8 ^ UInt64(value))
  }
}
