import KafkaClient
import KafkaProtocol
import MirrorPlanning
import Vocabulary

extension StandaloneMirror {
  /// Settings that are about the brokers of one cluster; MirrorMaker leaves them out as well.
  private static let leftOut: Set<String> = [
    "follower.replication.throttled.replicas", "leader.replication.throttled.replicas", "min.insync.replicas",
    "message.timestamp.difference.max.ms", "message.timestamp.before.max.ms", "message.timestamp.after.max.ms",
    "unclean.leader.election.enable", "min.insync.regions",
  ]

  /// Topics and partitions come and go at the source.
  func followTopics() async throws {
    let there = try await clusters.source.topics()
    let here = Dictionary(
      try await clusters.target.topics().map { ($0.name, $0.partitions.count) }
    ) { first, _ in first }
    let names = Dictionary(there.map { ($0.name, $0.id) }) { first, _ in first }
    for (partition, copy) in copies.sorted(by: { $0.key < $1.key }) {
      guard let id = names[partition.topic] else {
        halt(partition, "the topic is not at the source any more")
        continue
      }
      if id != copy.topicID { halt(partition, "the topic was deleted at the source and made again") }
    }
    for topic in there {
      guard let remote = plan.remote(of: topic) else { continue }
      do throws(ClientError) {
        try await bringInLine(topic, remote, partitions: here[remote])
        for partition in topic.partitions where partition.leader != nil {
          try await begin(TopicPartition(topic.name, partition.index), of: topic, remote)
        }
      } catch {
        guard case .refused = error else { throw error }
        console.complain("the topic \(topic.name) is left out for now: \(error)")
      }
    }
    try await writeSyncs()
  }

  private func bringInLine(_ topic: TopicView, _ remote: TopicName, partitions: Int?) async throws(ClientError) {
    let count = Int32(clamping: topic.partitions.count)
    guard let partitions else {
      let configs = try await configs(of: topic.name)
      do throws(ClientError) {
        return try await make(remote, partitions: count, configs)
      } catch {
        guard error.code == .invalidConfig else { throw error }
        console.complain("\(remote) is made without the settings of \(topic.name): \(error)")
        return try await make(remote, partitions: count, [])
      }
    }
    if partitions < topic.partitions.count {
      try await clusters.target.addPartitions(to: remote, total: count, .perform)
    }
  }

  /// What was set on the topic itself and means something in another cluster.
  private func configs(of topic: TopicName) async throws(ClientError) -> [(key: String, value: String)] {
    let ofTheTopic: Int8 = 1
    return try await clusters.source.configs(of: .topic(topic)).compactMap { config in
      guard config.configSource == ofTheTopic, let value = config.value, !Self.leftOut.contains(config.name),
        !config.name.hasPrefix("mirror."), !config.name.hasPrefix("placement.")
      else { return nil }
      return (config.name, value)
    }
  }

  /// Finds out where copying of a partition goes on.
  private func begin(
    _ partition: TopicPartition, of topic: TopicView, _ remote: TopicName
  ) async throws(ClientError) {
    guard copies[partition] == nil, halted[partition] == nil else { return }
    let place = TopicPartition(remote, partition.partition)
    let start = try await clusters.source.offset(of: partition, at: .earliest)
    let end = try await clusters.target.offset(of: place, at: .latest)
    let point: ResumePoint
    switch planResume(sync: known[partition].map { ($0.last.upstream, $0.last.downstream) }, start: start, end: end) {
    case .failure(let problem): return halt(partition, problem.description)
    case .success(let found): point = found
    }
    var tail: [(record: OwnedRecord, at: Offset)] = []
    if point.present > 0 {
      for record in try await readAll(of: place, from: point.downstream) {
        var bare = record
        bare.offset = .none
        tail.append((bare, record.offset))
      }
    }
    copies[partition] = Copy(
      topicID: topic.id, remote: place,
      ledger: TranslatedCopy(runs: known[partition]?.runs ?? OffsetRuns(), end: end, tail: tail))
    origins[place] = partition
    reader.positions[partition] = point.upstream
    // Before anything is written, so that whatever is there after a crash can be told from what others wrote.
    if known[partition] == nil {
      try await tell(partition, Place(upstream: point.upstream, downstream: point.downstream))
    }
  }
}
