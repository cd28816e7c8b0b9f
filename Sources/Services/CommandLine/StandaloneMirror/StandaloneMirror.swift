import EventLoop
import KafkaClient
import KafkaProtocol
import MirrorPlanning
import Vocabulary

/// Copies by consuming and producing. What it knows stands at the target, in the topic of offset synchronisations and in
/// the copies themselves: one that begins finds out there how far the one before it was. It belongs to one task, and is
/// the only one that writes its copies.
final class StandaloneMirror {
  static let topicsInterval = TimeSpan.seconds(5)
  static let groupsInterval = TimeSpan.seconds(5)
  static let heartbeatInterval = TimeSpan.seconds(1)
  static let reportInterval = TimeSpan.seconds(10)

  typealias Place = TranslatedCopy<OwnedRecord>.Place

  /// One partition of the source.
  struct Copy {
    let topicID: UniqueID
    let remote: TopicPartition
    var ledger: TranslatedCopy<OwnedRecord>
    var lag: Int64 = 0
  }

  let plan: StandalonePlan
  let clusters: MirroredClusters
  let console: Console
  let reader: PartitionReader
  let producer: Producer
  var copies: [TopicPartition: Copy] = [:]
  /// The partition of the source that is copied to each.
  var origins: [TopicPartition: TopicPartition] = [:]
  /// Partitions that stand still, with the reason.
  var halted: [TopicPartition: String] = [:]
  /// What was read of synchronisations at the beginning.
  var known: [TopicPartition: KnownSyncs] = [:]
  var checkpoints: [CheckpointRecord: Offset] = [:]
  private var copied = 0
  private var due: [String: Instant] = [:]

  init(_ plan: StandalonePlan, _ clusters: MirroredClusters, _ console: Console) {
    self.plan = plan
    self.clusters = clusters
    self.console = console
    var reading = ReaderSettings()
    reading.reset = .fail
    reading.isolation = .readCommitted
    reader = PartitionReader(clusters.reading, from: [:], reading)
    var writing = ProducerSettings()
    writing.isIdempotent = true
    writing.compression = plan.compression
    producer = Producer(clusters.target, writing)
  }

  /// Until the user interrupts. `working` is called whenever everything was reached.
  func run(working: () -> Void) async throws {
    producer.whenAppended = { [weak self] in self?.appended($0, $1, $2) }
    try await makeOwnTopics()
    try await readSyncs()
    while !Interruption.hasCome {
      if isDue("topics", each: Self.topicsInterval) { try await followTopics() }
      let fetched = try await poll()
      try await write(fetched)
      if isDue("heartbeat", each: Self.heartbeatInterval) { try await beat() }
      if isDue("groups", each: Self.groupsInterval) { try await carryGroups() }
      if isDue("report", each: Self.reportInterval) { report() }
      working()
    }
    try await writeSyncs()
    report()
  }

  private func isDue(_ what: String, each interval: TimeSpan) -> Bool {
    let now = monotonicNow()
    if let next = due[what], now < next { return false }
    due[what] = now + interval
    return true
  }

  private func report() {
    let lag = copies.values.reduce(0) { $0 + $1.lag }
    let still = halted.isEmpty ? "" : ", \(halted.count) of them halted"
    console.note(
      "mirror \(plan.sourceAlias) to \(plan.targetAlias): \(copies.count + halted.count) partitions\(still), "
        + "\(copied) records copied, \(lag) behind")
  }

  // MARK: Copying

  /// What the source has next. Where it has not what comes next, that partition stands still, and the others go on.
  private func poll() async throws -> [FetchedRecords] {
    guard !reader.positions.isEmpty else {
      try? await Task.sleep(for: .milliseconds(500))
      return []
    }
    do throws(ClientError) {
      return try await reader.poll()
    } catch {
      switch error.code {
      case .offsetOutOfRange: try await lookForGaps()
      case .unknownTopicOrPartition, .unknownTopicId: try await followTopics()
      default: throw error
      }
      return []
    }
  }

  private func write(_ fetched: [FetchedRecords]) async throws {
    guard !fetched.isEmpty else { return }
    for some in fetched {
      guard let remote = copies[some.partition]?.remote else { continue }
      copies[some.partition]?.lag = max(0, some.highWatermark - some.next)
      for record in some.records {
        var bare = record
        bare.offset = .none
        guard copies[some.partition]?.ledger.mustWrite(bare, from: record.offset) == true else { continue }
        try await producer.append(bare, to: remote.topic, partition: remote.partition)
      }
    }
    try await producer.flush()
    try await writeSyncs()
  }

  /// A batch is at the target.
  private func appended(_ partition: TopicPartition, _ first: Offset?, _ records: Int) {
    guard let origin = origins[partition] else { return }
    copied += records
    if let expected = copies[origin]?.ledger.appended(records, at: first) {
      console.complain(
        "\(partition): a batch is at offset \(first?.value ?? -1) where \(expected.value) was expected: somebody else "
          + "writes there, or some records are there twice")
    }
  }

  // MARK: What stands still

  func halt(_ partition: TopicPartition, _ reason: String) {
    reader.positions[partition] = nil
    if let copy = copies.removeValue(forKey: partition) { origins[copy.remote] = nil }
    guard halted.updateValue(reason, forKey: partition) != reason else { return }
    console.complain("\(partition) stands still: \(reason)")
  }

  private func lookForGaps() async throws {
    for (partition, position) in reader.positions.sorted(by: { $0.key < $1.key }) {
      let start = try await clusters.source.offset(of: partition, at: .earliest)
      let end = try await clusters.source.offset(of: partition, at: .latest)
      if position < start {
        let gap = "the source removed offsets \(position.value) to \(start.value - 1) before they were copied"
        guard plan.acceptsGaps else {
          halt(partition, gap + "; --gap-policy accept goes on behind them")
          continue
        }
        console.complain("\(partition): \(gap); it goes on behind them")
        reader.positions[partition] = start
      } else if position > end {
        halt(
          partition, "the source ends at offset \(end.value), and everything up to \(position.value) was copied before")
      }
    }
  }
}
