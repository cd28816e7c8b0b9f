import Vocabulary

/// What a topic's configs say about who leads and when a record is committed.
struct PartitionRules {
  /// min.insync.replicas
  let inSyncMin: Int
  /// min.insync.regions
  let regionsMin: Int
  /// placement.leader.regions, the most wanted first.
  let leaderRegions: [String]
  /// unclean.leader.election.enable
  let allowsUnclean: Bool
}

extension MetadataImage {
  /// `inherited` holds what the controller's own file says; what was set while brokers run is in the image.
  func rules(of topic: TopicState, inherited: ConfigResolution) -> PartitionRules {
    let own = configs(of: .topic(topic.name.text))
    var inherited = inherited
    inherited.allBrokers = configs(of: .allBrokers)
    func value(_ key: String) -> String {
      guard let known = TopicConfigs.byName[key] else { preconditionFailure("\(key) is not a topic config") }
      return inherited.resolve(known, own: own).effective.value ?? known.definition.defaultValue ?? ""
    }
    return PartitionRules(
      inSyncMin: Int(value("min.insync.replicas")) ?? 1, regionsMin: Int(value("min.insync.regions")) ?? 1,
      leaderRegions: commaSeparated(value("placement.leader.regions")),
      allowsUnclean: value("unclean.leader.election.enable") == "true")
  }

  func region(of broker: NodeID) -> String? { brokers[broker]?.location.region }

  /// Whether acks=all can be answered when just these are in sync.
  func canCommit(_ inSync: [NodeID], of partition: PartitionState, _ rules: PartitionRules) -> Bool {
    guard inSync.count >= min(rules.inSyncMin, max(1, partition.voters.count)) else { return false }
    return rules.regionsMin <= 1 || Set(inSync.compactMap(region)).count >= rules.regionsMin
  }

  /// Whether acks=all is answered when just these are in sync: unlike in `canCommit` a minimum above the number of
  /// replicas is not lowered.
  func canAcknowledge(_ inSync: [NodeID], _ rules: PartitionRules) -> Bool {
    inSync.count >= rules.inSyncMin
      && (rules.regionsMin <= 1 || Set(inSync.compactMap(region)).count >= rules.regionsMin)
  }

  /// Whether a replica could lead if it has the records: its broker is active, its directory not lost.
  func canLead(_ replica: NodeID, _ partition: PartitionState) -> Bool {
    guard let broker = brokers[replica], broker.isActive else { return false }
    let directory = partition.directory(of: replica) ?? .zero
    return directory == .zero || directory == .unassignedDirectory || broker.logDirectories.contains(directory)
  }

  /// Those that vote, in the order in which they are wanted: by Region, then as the replicas stand.
  func candidates(_ partition: PartitionState, _ rules: PartitionRules) -> [NodeID] {
    let voters = partition.voters
    if rules.leaderRegions.isEmpty { return voters }
    let ranked = voters.enumerated().map { position, id in
      (
        rank: rules.leaderRegions.firstIndex(of: region(of: id) ?? "") ?? rules.leaderRegions.count,
        position: position, id: id
      )
    }
    return ranked.sorted { ($0.rank, $0.position) < ($1.rank, $1.position) }.map(\.id)
  }
}
