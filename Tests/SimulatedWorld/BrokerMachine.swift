import Broker
import EventLoop
import KafkaProtocol
import Synchronization
import Telemetry
import Vocabulary

/// A machine with its disk, and the node that runs on it, life after life.
final class BrokerMachine: Sendable {
  /// Whoever sees to it that nodes run starts one again after this time.
  private static let pause = 300 * BrokerStage.Spans.millisecond

  private struct Life: Sendable {
    let process: BrokerProcess
    let disk: BrokerDisk
    var broker: Broker?
  }
  private struct Trace: Sendable { weak let broker: Broker? }
  private struct State {
    var life: Life?
    var brokers: [Trace] = []
    var wallAhead: Int64 = 0
    var isFormatted = false
    var hasStoppedInOrder = false
    var seen = BrokerSeen()
  }
  let id: Int32
  /// Empty where nobody says.
  let region: String
  let isBroker: Bool
  let isController: Bool
  private let formatting: [String]
  let host: BrokerHost
  private let stage: BrokerStage
  private let settings: [String: String]
  private let planted: BrokerMistake?
  private let plantedInMirroring: MirrorMistake?
  private let watch: BrokerDiskWatch
  private let disk: SimulatedDisk
  private let lives: BrokerLives
  private let state = Mutex(State())

  init(
    _ place: BrokerLayout.Place, _ host: BrokerHost, settings: [String: String], planted: BrokerMistake?,
    plantedInMirroring: MirrorMistake? = nil, watch: BrokerDiskWatch = BrokerDiskWatch(), diskSeed: UInt64,
    lives: BrokerLives
  ) {
    id = place.id
    region = place.region ?? ""
    isBroker = place.isBroker
    isController = place.isController
    formatting = place.formatting
    self.host = host
    self.settings = settings
    self.planted = planted
    self.plantedInMirroring = plantedInMirroring
    self.watch = watch
    self.lives = lives
    stage = host.stage
    disk = SimulatedDisk(seed: diskSeed)
  }

  var seen: BrokerSeen { state.withLock { $0.seen } }
  private var life: Life? { state.withLock { $0.life } }
  /// Whether a process is there, ready or not.
  var isUp: Bool { life.map { !$0.process.isDead } ?? false }

  /// How many of its brokers are still in memory.
  var remaining: Int { state.withLock { $0.brokers.count { $0.broker != nil } } }
  /// Whether it is away, and has said that its logs are whole.
  var hasStoppedInOrder: Bool { state.withLock { $0.hasStoppedInOrder } }
  var isActiveController: Bool { isUp && life?.broker?.isActiveController == true }

  /// The node, while its process is there.
  var broker: Broker? { isUp ? life?.broker : nil }

  // MARK: Its disk, as a program would see it now

  func peek(_ path: String) -> [UInt8]? { disk.peek(path) }
  /// The segments of a partition, by their names.
  func segments(of partition: String) -> [String] {
    disk.peekNames(in: "\(host.name)/\(partition)").filter { $0.hasSuffix(".log") }.sorted()
  }
  /// Behind everybody's back.
  func damage(_ path: String, _ change: (inout [UInt8]) -> Void) { disk.damage(path, change) }

  /// Whether the value is on its disk, in the partition.
  func holds(_ value: UInt64, of partition: String) -> Bool {
    let folder = "\(host.name)/\(partition)"
    let segments = disk.peekNames(in: folder).filter { $0.hasSuffix(".log") }.sorted()
    let wanted = Array("\(value)".utf8)
    return segments.reversed().contains { name in
      disk.peek("\(folder)/\(name)")?.withUnsafeBytes { raw in
        var batches = RecordBatchCursor(raw)
        while let batch = try? batches.next() {
          var records = RecordCursor(body: batch.body, header: batch.header)
          while let record = try? records.next() {
            if let bytes = record.value, bytes.elementsEqual(wanted) { return true }
          }
        }
        return false
      } ?? false
    }
  }

  // MARK: Lives

  func start() {
    guard !isUp else { return }
    if disk.isPowerOff { disk.restorePower() }
    let ahead = state.withLock { state in
      state.seen.lives += 1
      state.hasStoppedInOrder = false
      return state.wallAhead
    }
    let process = BrokerProcess(stage, host: host, number: lives.next(), wallAhead: ahead)
    let own = BrokerDisk(disk, process, watch: watch)
    state.withLock { $0.life = Life(process: process, disk: own) }
    host.set(process)
    stage.note("\(host.name) starts")
    process.run { self.begin(process, own) }
  }

  private func begin(_ process: BrokerProcess, _ disk: BrokerDisk) {
    do {
      let output = LogOutput(descriptor: stage.traces ? 1 : -1, format: .text)
      if !stage.traces { output.level = .error }
      let settings = try BrokerSettings(settings)
      if !formatting.isEmpty, !state.withLock({ $0.isFormatted }) {
        try StorageCommand.format(settings, ["-t", BrokerLayout.clusterID, "-g"] + formatting, disk: disk)
        state.withLock { $0.isFormatted = true }
      }
      let broker = try Broker(
        settings: settings, disk: disk, planted: planted, plantedInMirroring: plantedInMirroring,
        log: Log(host.name, to: output)
      ) { [weak self] reason in self?.ended(process, reason) }
      state.withLock { state in
        if state.life?.process === process { state.life?.broker = broker }
        state.brokers.append(Trace(broker: broker))
      }
      process.whenOver { [weak self] in
        self?.state.withLock { if $0.life?.process === process { $0.life = nil } }
        broker.dismantle()
      }
      try broker.start { [weak self, weak broker] in if let broker { self?.isReady(broker) } }
    } catch {
      if !process.isDead { stage.fail("\(host.name) does not start: \(error)") }
    }
  }

  private func isReady(_ broker: Broker) {
    stage.note("\(host.name) is ready")
    guard settings["process.roles"]?.contains("broker") ?? true, !broker.isAmongLiveBrokers else { return }
    stage.fail("\(host.name) is ready, and tells clients of a cluster without it")
  }

  /// The process gives up by itself; a supervisor starts it again.
  private func ended(_ process: BrokerProcess, _ reason: String) {
    guard !process.isDead else { return }
    stage.note("\(host.name) gives up: \(reason)")
    state.withLock { $0.seen.resignations += 1 }
    process.die(.killed)
    stage.schedule(after: Self.pause) { self.start() }
  }

  func die(_ death: BrokerDeath) {
    guard let life, !life.process.isDead else { return }
    stage.note("\(host.name) dies, \(death)")
    life.process.die(death)
    if death == .powerLost { disk.cutPower() }
    count(death)
  }

  /// In place of what it does to its disk a little later.
  func die(_ death: BrokerDeath, afterEffects effects: Int) {
    life?.disk.die(death, afterEffects: effects)
    count(death)
  }

  private func count(_ death: BrokerDeath) {
    state.withLock { state in
      switch death {
      case .killed: state.seen.kills += 1
      case .powerLost: state.seen.powerLosses += 1
      }
    }
  }

  /// As SIGTERM: it says goodbye, closes its logs and ends.
  func stop() {
    guard let life, !life.process.isDead, let broker = life.broker else { return }
    stage.note("\(host.name) is asked to stop")
    state.withLock { $0.seen.stops += 1 }
    life.process.run { broker.stop() }
    if !life.process.isDead {
      stage.note("\(host.name) has stopped")
      state.withLock { $0.hasStoppedInOrder = true }
    }
    life.process.die(.killed)
  }

  func freeze(for span: Int64) {
    if span > 0 {
      stage.note("\(host.name) stands still for \(span / 1000) ms")
      state.withLock { $0.seen.freezes += 1 }
    }
    life?.process.freeze(until: stage.now + span)
  }

  /// Moves the clock of the day, in either direction.
  func setClock(ahead: Int64) {
    stage.note("the clock of \(host.name) is \(ahead) ms ahead")
    state.withLock { $0.wallAhead = ahead }
    life?.process.setClock(ahead: ahead)
  }
}

/// Numbers for processes.
final class BrokerLives: Sendable {
  private let last = Mutex(0)
  func next() -> Int {
    last.withLock { last in
      last += 1
      return last
    }
  }
}

/// What has happened, over all seeds: where nothing happens, nothing is proved.
package struct BrokerSeen: Sendable, CustomStringConvertible {
  package var lives = 0
  package var kills = 0
  package var powerLosses = 0
  package var stops = 0
  package var resignations = 0
  package var freezes = 0
  package var cuts = 0
  package var regionLosses = 0
  package var voterChanges = 0
  package var acknowledged = 0
  package var read = 0
  package var committed = 0
  package var topicsCreated = 0
  package var topicsDeleted = 0
  package var reassigned = 0
  package var elected = 0
  package var retries = 0
  /// Batches that were sent while one that belongs before them was elsewhere.
  package var overtakings = 0
  package init() {}

  package static func += (a: inout Self, b: Self) {
    for path in Self.counters { a[keyPath: path] += b[keyPath: path] }
  }
  private static var counters: [WritableKeyPath<Self, Int>] {
    [
      \.lives, \.kills, \.powerLosses, \.stops, \.resignations, \.freezes, \.cuts, \.regionLosses, \.voterChanges,
      \.acknowledged,
      \.read, \.committed,
      \.topicsCreated, \.topicsDeleted, \.reassigned, \.elected, \.retries, \.overtakings,
    ]
  }

  package var description: String {
    "lives \(lives), kills \(kills), power losses \(powerLosses), stops \(stops), resignations \(resignations), "
      + "freezes \(freezes), cuts \(cuts), Regions lost \(regionLosses), voters changed \(voterChanges), acknowledged \(acknowledged), read \(read), committed \(committed), "
      + "topics +\(topicsCreated) −\(topicsDeleted), reassigned \(reassigned), elections \(elected), retries \(retries), "
      + "overtakings \(overtakings)"
  }
}
