public import Vocabulary

/// What an operation comes to: the records that make it so, and what is told to whoever asked.
public struct Decision<Answer: Sendable>: Sendable {
  public let records: [MetadataRecord]
  public let answer: Answer
}

public struct TopicCreation: Sendable {
  public let name: String
  public let layout: Layout
  public let configs: [(key: String, value: String?)]
  /// Made up by the caller; decides nothing unless the topic is created.
  public let id: UniqueID

  public enum Layout: Sendable {
    /// nil takes the cluster's default.
    case counted(partitions: Int32?, replicationFactor: Int16?)
    /// Replicas by partition index.
    case assigned([Int32: [NodeID]])
  }

  public init(name: String, layout: Layout, configs: [(key: String, value: String?)], id: UniqueID) {
    self.name = name
    self.layout = layout
    self.configs = configs
    self.id = id
  }
}

public struct CreatedTopic: Sendable {
  public let name: TopicName
  public let id: UniqueID
  public let partitionCount: Int32
  public let replicationFactor: Int16
}

/// What a topic gets that does not say, and how much a cluster holds.
public struct TopicDefaults: Sendable {
  public var partitions: Int32
  public var replicationFactor: Int16
  public init(partitions: Int32, replicationFactor: Int16) {
    self.partitions = partitions
    self.replicationFactor = replicationFactor
  }
}

/// Limits of the metadata: at each of them the request is refused, and nothing else changes.
public enum MetadataLimits {
  /// Partitions of one topic, and partitions that one request may make.
  public static let partitionsPerRequest: Int32 = 100_000
  /// Partitions of the whole cluster.
  public static let partitionsMax = 1_000_000
}

extension MetadataImage {
  /// CreateTopics for one topic. The order of the checks is Kafka's, since tools show the first complaint.
  public func create(
    _ creation: TopicCreation, defaults: TopicDefaults
  ) -> Decision<Result<CreatedTopic, Refusal>> {
    do throws(Refusal) {
      let name = try nameOfNewTopic(creation.name)
      let rules = try PlacementRules(
        Dictionary(creation.configs.compactMap { key, value in value.map { (key, $0) } }) { _, last in last })
      let layouts = try replicas(for: creation, rules, defaults: defaults)
      for (key, value) in creation.configs {
        if let refusal = TopicConfigs.check(key, value) { throw refusal }
      }
      var records: [MetadataRecord] = [.topicCreated(name, creation.id)]
      for (key, value) in creation.configs {
        records.append(.configChanged(.topic(name.text), key: key, value: value))
      }
      for (index, layout) in layouts.enumerated() {
        records.append(
          .partitionCreated(topic: creation.id, PartitionIndex(Int32(index)), newPartition(layout)))
      }
      let created = CreatedTopic(
        name: name, id: creation.id, partitionCount: Int32(layouts.count),
        replicationFactor: Int16(clamping: layouts.first?.replicas.count ?? 0))
      return Decision(records: records, answer: .success(created))
    } catch {
      return Decision(records: [], answer: .failure(error))
    }
  }

  private func nameOfNewTopic(_ text: String) throws(Refusal) -> TopicName {
    guard let name = TopicName(text) else { throw .invalidName(text) }
    if topicIDs[name] != nil {
      throw Refusal(.topicAlreadyExists, "Topic '\(name)' already exists.")
    }
    return name
  }

  private func replicas(
    for creation: TopicCreation, _ rules: PlacementRules, defaults: TopicDefaults
  ) throws(Refusal) -> [ReplicaLayout] {
    switch creation.layout {
    case .counted(let partitions, let factor):
      let partitions = partitions ?? defaults.partitions
      guard partitions > 0 else {
        throw Refusal(
          .invalidPartitions, "Number of partitions was set to an invalid non-positive value \(partitions).")
      }
      try checkRoom(for: partitions)
      // The id is a matter of chance, so that topics begin on different brokers.
      return try place(
        partitions: Int(partitions), startingAt: Int(creation.id.low % UInt64(Int32.max)),
        replicationFactor: factor ?? (rules.replicas.isEmpty ? defaults.replicationFactor : nil), rules)
    case .assigned(let assignment):
      guard !assignment.isEmpty else {
        throw Refusal(.invalidReplicaAssignment, "The manual assignment names no partition.")
      }
      try checkRoom(for: Int32(clamping: assignment.count))
      return try checked(assignment, from: 0, rules)
    }
  }

  func checkRoom(for partitions: Int32) throws(Refusal) {
    guard partitions <= MetadataLimits.partitionsPerRequest else {
      throw Refusal(
        .policyViolation,
        "\(partitions) partitions are more than the \(MetadataLimits.partitionsPerRequest) that one request may make.")
    }
    guard partitionCount + Int(partitions) <= MetadataLimits.partitionsMax else {
      throw Refusal(.policyViolation, "The cluster would hold more than \(MetadataLimits.partitionsMax) partitions.")
    }
  }

  /// A broker with several log directories chooses one of them, and says which.
  func directoryOfNewReplica(on broker: NodeID) -> UniqueID {
    let directories = brokers[broker]?.logDirectories ?? []
    return directories.count > 1 ? .unassignedDirectory : directories.first ?? .zero
  }

  func newPartition(_ layout: ReplicaLayout) -> PartitionState {
    let voters = layout.replicas.filter { !layout.observers.contains($0) }
    let alive = voters.filter { brokers[$0]?.isActive == true }
    // Nobody has records yet: the first that comes back may lead.
    var state = PartitionState(
      replicas: layout.replicas, inSync: alive.isEmpty ? voters : alive, leader: alive.first ?? .none,
      leaderEpoch: LeaderEpoch(0), partitionEpoch: 0,
      directories: layout.replicas.map(directoryOfNewReplica))
    state.observers = layout.observers
    return state
  }
}

extension Refusal {
  static func invalidName(_ text: String) -> Refusal {
    Refusal(
      .invalidTopicException,
      "Topic name '\(text.prefix(TopicName.lengthMax))' is illegal: it must be 1 to \(TopicName.lengthMax) of ASCII "
        + "alphanumerics, '.', '_' and '-', and neither '.' nor '..'.")
  }
}
