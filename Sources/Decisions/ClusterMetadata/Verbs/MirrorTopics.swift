public import Vocabulary

/// The names of mirrors follow those of topics, which makes them safe in keys and in commands.
extension MetadataImage {
  /// In the order of their names.
  public var mirrors: [String] { mirrorNames.sorted() }

  /// The topics that a mirror writes, in the order of their names.
  public func topics(mirroredBy link: String) -> [TopicState] {
    configs.compactMap { resource, values in
      guard case .topic(let name) = resource, values["mirror.link"] == link else { return nil }
      return TopicName(name).flatMap { topic(named: $0) }
    }.sorted { $0.name < $1.name }
  }

  /// Producers get no ids below it.
  ///
  /// A mirrored log remembers the producers of another cluster. If a producer of this one got the id of one of those, its
  /// first batches would be taken for repetitions after a failover, and be lost while they are acknowledged.
  public var leastProducerID: ProducerID {
    ProducerID(mirrors.compactMap { configs(of: .mirror($0))["producer.ids.from"].flatMap { Int64($0) } }.max() ?? 0)
  }

  /// The source of a mirror has been found: from now on the mirror copies from it and from no other.
  /// - Parameter chance: any number: clusters that mirror each other must not draw the same.
  public func adopt(_ sourceID: String, by link: String, chance: UInt32) -> [MetadataRecord] {
    guard configs(of: .mirror(link))["source.cluster.id"] == nil else { return [] }
    let range = Self.mirrorProducerIDs
    // A cluster that has a range of its own stays in it.
    let first = max(nextProducerID.value, range * (1 + Int64(chance) % (Int64(Int32.max) - 1)))
    let next = nextProducerID.value >= range ? nextProducerID.value : first
    var records: [MetadataRecord] = [
      .configChanged(.mirror(link), key: "source.cluster.id", value: sourceID),
      .configChanged(.mirror(link), key: "generation", value: "1"),
      .configChanged(.mirror(link), key: "producer.ids.from", value: String(next)),
    ]
    if next > nextProducerID.value { records.append(.producerIDsAllocated(.none, next: ProducerID(next))) }
    return records
  }

  /// How many producer ids a cluster with mirrors has to itself.
  private static let mirrorProducerIDs: Int64 = 1 << 32

  func checkMirror(_ name: String, after changes: [MetadataRecord]) throws(Refusal) {
    let isDeleted = changes.contains(.configChanged(.mirror(name), key: "bootstrap.servers", value: nil))
    let sets = changes.contains { if case .configChanged(_, _, .some) = $0 { true } else { false } }
    if isDeleted && sets {
      throw Refusal(
        .invalidRequest, "A mirror needs bootstrap.servers; one that loses them is deleted, and nothing is set.")
    }
    guard TopicName(name) != nil else {
      throw Refusal(.invalidRequest, "'\(name)' is no name for a mirror: it must be one that a topic could have.")
    }
    guard configs(of: .mirror(name))["bootstrap.servers"] == nil else { return }
    let isCreated = changes.contains { change in
      if case .configChanged(_, "bootstrap.servers", .some) = change { true } else { false }
    }
    guard isCreated else {
      throw Refusal(.invalidRequest, "There is no mirror '\(name)'; the first thing to say is its bootstrap.servers.")
    }
  }

  /// What goes with a change of a mirror. Each switchover that is asked for has a number, so that what belongs to an
  /// earlier one cannot undo it. A fail-back takes back that the mirror has been promoted.
  func consequences(ofMirror mirror: ConfigResource, _ changes: [MetadataRecord]) -> [MetadataRecord] {
    if changes.contains(.configChanged(mirror, key: "bootstrap.servers", value: nil)) {
      // It is deleted, with everything that it kept about itself.
      let others = configs(of: mirror).keys.filter { $0 != "bootstrap.servers" }.sorted()
      return others.map { .configChanged(mirror, key: $0, value: nil) }
    }
    if changes.contains(.configChanged(mirror, key: "state", value: "failback")) {
      // What is this cluster's own by now is so no more, for topics that are given up.
      return configs(of: mirror)["promoted"] == nil ? [] : [.configChanged(mirror, key: "promoted", value: nil)]
    }
    guard changes.contains(.configChanged(mirror, key: "state", value: "switchover")) else { return [] }
    let attempt = configs(of: mirror)["attempt"].flatMap { Int32($0) } ?? 0
    return [.configChanged(mirror, key: "attempt", value: String(attempt == .max ? attempt : attempt + 1))]
  }

  /// A failover has no way back; a mirror does not move to another source.
  func checkTransition(_ mirror: ConfigResource, _ key: String, _ value: String?) throws(Refusal) {
    let now = configs(of: mirror)
    if key == "state", value == "failback" {
      guard now["promoted"] != nil || now["state"] != "failover" && now["state"] != "switchover" else {
        throw Refusal(
          .invalidRequest, "The mirror is about to take its topics over: there is nothing to go back to yet.")
      }
      return
    }
    if key == "state", now["state"] != value, now["state"] == "failover" || now["promoted"] != nil {
      throw Refusal(
        .invalidRequest,
        "The mirror has failed over: its topics are this cluster's own by now; mirrors failback is the way back.")
    }
    if key == "state", value == "switchover", now["state"] == "failback" {
      throw Refusal(.invalidRequest, "The fail-back is not done: what is not copied yet cannot be taken over.")
    }
    if key == "state", value == "failover" || value == "switchover", now["source.cluster.id"] == nil {
      throw Refusal(.invalidRequest, "The mirror has never reached its source: there is nothing to take over.")
    }
    if key == "state", value == "switchover", now[MirrorConfigs.sourceKind] == "other" {
      throw Refusal(
        .invalidRequest,
        "The source is not Swiftwater, but Apache Kafka or another: a mirror cannot close its topics to producers, which "
          + "a switchover begins with. Stop those that write there, wait until mirrors status shows a lag of 0 that was "
          + "read since, and ask for a failover: it loses nothing then, and its report shows it.")
    }
    if key == "bootstrap.servers", value == nil, let first = topics(mirroredBy: mirror.mirrorName).first?.name {
      let count = topics(mirroredBy: mirror.mirrorName).count
      let words = count == 1 ? "\(first)" : "\(first) and \(count - 1) more"
      throw Refusal(
        .invalidRequest,
        "A mirror without bootstrap.servers is none, and this one still writes \(words): take the topics over with a "
          + "switchover or a failover first, or delete them here.")
    }
  }
}

extension ConfigResource {
  fileprivate var mirrorName: String { if case .mirror(let name) = self { name } else { "" } }
}

/// A topic as it stands at the source.
public struct MirroredTopic: Sendable {
  public let name: TopicName
  public let id: UniqueID
  /// The leader epoch of each partition.
  public let epochs: [LeaderEpoch]
  public let replicationFactor: Int16
  public let configs: [(key: String, value: String?)]

  public init(
    name: TopicName, id: UniqueID, epochs: [LeaderEpoch], replicationFactor: Int16,
    configs: [(key: String, value: String?)]
  ) {
    self.name = name
    self.id = id
    self.epochs = epochs
    self.replicationFactor = replicationFactor
    self.configs = configs
  }
}

extension MetadataImage {
  /// How far above the source's leader epoch that of a copy begins. What a cluster writes after a failover has epochs
  /// that the source does not reach until it has held so many elections more: where both wrote at the same offsets, the
  /// logs show it.
  public static let mirrorEpochHeadroom: Int32 = 1 << 16

  /// Makes a topic that a mirror writes: with the source's name and id, and as many replicas as there or as are the
  /// default here, whichever is more and there are brokers for.
  public func createMirrored(
    _ topic: MirroredTopic, by link: String, path: [String], defaults: TopicDefaults
  ) -> Decision<Result<CreatedTopic, Refusal>> {
    guard topics[topic.id] == nil else {
      return Decision(
        records: [], answer: .failure(Refusal(.topicAlreadyExists, "Another topic here has the id \(topic.id).")))
    }
    let brokers = liveBrokers.count
    let creation = TopicCreation(
      name: topic.name.text,
      layout: .counted(
        partitions: Int32(clamping: topic.epochs.count),
        replicationFactor: min(
          max(1, topic.replicationFactor, defaults.replicationFactor), Int16(clamping: max(1, brokers)))),
      configs: topic.configs, id: topic.id)
    let plain = create(creation, defaults: defaults)
    guard case .success = plain.answer else { return plain }
    var records = plain.records.map { raised($0, topic.epochs) }
    records.append(.configChanged(.topic(topic.name.text), key: "mirror.link", value: link))
    records.append(.configChanged(.topic(topic.name.text), key: "mirror.path", value: path.joined(separator: ",")))
    records += knownKeys(of: topic.name, link).map { .configChanged(.mirror(link), key: $0, value: nil) }
    return Decision(records: records, answer: plain.answer)
  }

  /// What was known of a topic at the source that had this name before: it says nothing of this one.
  private func knownKeys(of topic: TopicName, _ link: String) -> [String] {
    configs(of: .mirror(link)).keys.filter { key in
      [MirrorConfigs.known, MirrorConfigs.shared].contains { prefix in
        let begin = prefix + "\(topic)-"
        return key.hasPrefix(begin) && Int32(key.dropFirst(begin.count)) != nil
      }
    }.sorted()
  }

  /// Gives a mirrored topic the partitions that the source has got.
  public func growMirrored(_ topic: MirroredTopic) -> Decision<Result<Void, Refusal>> {
    let plain = addPartitions(to: topic.name.text, total: Int32(clamping: topic.epochs.count), assigned: nil)
    return Decision(records: plain.records.map { raised($0, topic.epochs) }, answer: plain.answer)
  }

  private func raised(_ record: MetadataRecord, _ epochs: [LeaderEpoch]) -> MetadataRecord {
    guard case .partitionCreated(let id, let index, var state) = record, epochs.indices.contains(Int(index.value))
    else { return record }
    state.leaderEpoch = Self.above(epochs[Int(index.value)])
    return .partitionCreated(topic: id, index, state)
  }

  static func above(_ epoch: LeaderEpoch) -> LeaderEpoch {
    LeaderEpoch(Int32(clamping: Int64(max(0, epoch.value)) + Int64(mirrorEpochHeadroom)))
  }

  /// Raises the epochs of partitions whose source has caught up with them: nothing newer could be copied otherwise.
  public func raiseMirrored(_ id: UniqueID, above epochs: [LeaderEpoch]) -> [MetadataRecord] {
    guard let topic = topics[id] else { return [] }
    return zip(topic.partitions.indices, epochs).compactMap { index, epoch in
      var state = topic.partitions[index]
      guard state.leaderEpoch < epoch else { return nil }
      state.leaderEpoch = Self.above(epoch)
      state.partitionEpoch += 1
      return .partitionCreated(topic: id, PartitionIndex(Int32(index)), state)
    }
  }

  /// Makes everything that a mirror has written this cluster's own, in a new generation. Every leader gets a new epoch,
  /// in which it takes the first write.
  /// - Parameter attempt: the switchover that found every record here; nil for a failover.
  public func promote(
    _ link: String, generation: Int32, attempt: Int32? = nil, reports: [TopicName: String], at time: Timestamp
  ) -> Decision<Result<Void, Refusal>> {
    let mirror = configs(of: .mirror(link))
    guard mirror["state"] == "failover" || attempt != nil && mirror["state"] == "switchover" else {
      return Decision(
        records: [], answer: .failure(Refusal(.invalidRequest, "The mirror '\(link)' was not asked to take over.")))
    }
    if let attempt, mirror["state"] == "switchover", mirror["attempt"] != String(attempt) {
      return Decision(records: [], answer: .failure(Refusal(.invalidRequest, "That attempt was given up.")))
    }
    guard mirror["promoted"] == nil else { return Decision(records: [], answer: .success(())) }
    var records: [MetadataRecord] = [
      .configChanged(.mirror(link), key: "generation", value: String(generation)),
      .configChanged(.mirror(link), key: "promoted", value: String(time.milliseconds)),
    ]
    // What is known of the source is in the reports, and gets no older with them.
    for key in mirror.keys.sorted() where key.hasPrefix(MirrorConfigs.known) || key.hasPrefix(MirrorConfigs.shared) {
      records.append(.configChanged(.mirror(link), key: key, value: nil))
    }
    for topic in topics(mirroredBy: link) {
      let resource = ConfigResource.topic(topic.name.text)
      records.append(.configChanged(resource, key: "mirror.link", value: nil))
      let opened = topic.partitions.map { String(Int64($0.leaderEpoch.value) + 1) }.joined(separator: ",")
      records.append(.configChanged(resource, key: MirrorConfigs.opened, value: opened))
      if let report = reports[topic.name] {
        records.append(.configChanged(resource, key: "mirror.report", value: report))
      }
      for (index, partition) in topic.partitions.enumerated() where partition.leader != .none {
        records.append(
          .partitionChanged(
            topic: topic.id, PartitionIndex(Int32(index)), PartitionChange(leader: partition.leader)))
      }
    }
    return Decision(records: records, answer: .success(()))
  }
}
