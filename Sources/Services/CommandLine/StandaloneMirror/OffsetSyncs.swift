import EventLoop
import KafkaClient
import KafkaProtocol
import MirrorPlanning
import Vocabulary

/// What the topic of synchronisations says of one partition.
struct KnownSyncs {
  var runs = OffsetRuns()
  var last: StandaloneMirror.Place

  init(_ record: OffsetSyncRecord) {
    last = .init(upstream: Offset(record.upstreamOffset), downstream: Offset(record.downstreamOffset))
    runs.add(last.upstream, at: last.downstream)
  }

  mutating func add(_ record: OffsetSyncRecord) {
    let new = StandaloneMirror.Place(
      upstream: Offset(record.upstreamOffset), downstream: Offset(record.downstreamOffset))
    // The copy was begun anew.
    if new.downstream < last.downstream || new.upstream < last.upstream { runs = OffsetRuns() }
    runs.add(new.upstream, at: new.downstream)
    last = new
  }
}

extension StandaloneMirror {
  /// MirrorMaker's own topics have one partition and keep the last of each key.
  func makeOwnTopics() async throws {
    let there = Set(try await clusters.target.topics().map(\.name))
    for name in [plan.syncsTopic, plan.checkpointsTopic, plan.heartbeatsTopic] where !there.contains(name) {
      try await make(name, partitions: 1, [("cleanup.policy", "compact")])
    }
  }

  /// Somebody else may make it at the same moment.
  func make(_ name: TopicName, partitions: Int32, _ configs: [(key: String, value: String)]) async throws(ClientError) {
    do throws(ClientError) {
      try await clusters.target.createTopic(
        name, partitions: partitions, replicas: plan.replicas, configs: configs, .perform)
    } catch {
      guard error.code == .topicAlreadyExists else { throw error }
    }
  }

  func readSyncs() async throws {
    let place = TopicPartition(plan.syncsTopic, PartitionIndex(0))
    for record in try await readAll(of: place, from: nil) {
      guard let key = record.key, let value = record.value, let sync = try? OffsetSyncRecord(key: key, value: value),
        let topic = TopicName(sync.topic), sync.upstreamOffset >= 0, sync.downstreamOffset >= 0
      else { continue }
      let partition = TopicPartition(topic, PartitionIndex(sync.partition))
      if known[partition] == nil { known[partition] = KnownSyncs(sync) } else { known[partition]?.add(sync) }
    }
  }

  /// The records of a partition of the target up to its end.
  func readAll(
    of partition: TopicPartition, from start: Offset?
  ) async throws(ClientError) -> [OwnedRecord] {
    let end = try await clusters.target.offset(of: partition, at: .latest)
    var first = try await clusters.target.offset(of: partition, at: .earliest)
    if let start { first = max(first, start) }
    let reader = PartitionReader(clusters.target, from: [partition: first])
    var records: [OwnedRecord] = []
    while let position = reader.positions[partition], position < end, !Interruption.hasCome {
      for some in try await reader.poll() { records += some.records }
    }
    return records
  }

  /// Writes down what was copied. A crash before it costs a look at the copies' ends.
  func writeSyncs() async throws(ClientError) {
    for partition in copies.keys.sorted() {
      for place in copies[partition]?.ledger.takeSyncs() ?? [] { try await tell(partition, place) }
    }
    try await producer.flush()
  }

  func tell(_ partition: TopicPartition, _ sync: Place) async throws(ClientError) {
    let record = OffsetSyncRecord(
      topic: partition.topic.text, partition: partition.partition.value, upstreamOffset: sync.upstream.value,
      downstreamOffset: sync.downstream.value)
    try await producer.append(
      OwnedRecord(timestamp: wallClockNow(), key: record.key, value: record.value), to: plan.syncsTopic,
      partition: PartitionIndex(0))
  }

  func beat() async throws(ClientError) {
    let beat = HeartbeatRecord(source: plan.sourceAlias, target: plan.targetAlias, timestamp: wallClockNow())
    try await producer.append(
      OwnedRecord(timestamp: beat.timestamp, key: beat.key, value: beat.value), to: plan.heartbeatsTopic,
      partition: PartitionIndex(0))
    try await producer.flush()
  }
}
