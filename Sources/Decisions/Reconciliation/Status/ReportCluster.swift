import JSONValue
import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// Writes the status into every copy that can be seen and differs, and tells of conditions that have turned.
  func report(_ mistakes: [Mistake], into plan: inout Plan) {
    var status = recorded
    if let identity = plan.recordedIdentity(of: clusterKey) {
      status.clusterID = identity.clusterID
      status.nodeIDBlocks = identity.nodeIDBlocks
      status.initialVoters = identity.initialVoters
    }
    plan.steps.removeAll { step in if case .writeStatus(clusterKey, _, _) = step { true } else { false } }
    status.bootstrapServers = bootstrapServers
    status.brokers = Readiness(
      desired: wanted.count(where: \.isBroker), ready: wanted.count { $0.isBroker && serves($0) })
    if let facts = situation.brokers.content {
      status.quorum = quorumStatus(facts)
      status.partitions = counts(facts)
    }
    status.regions = cluster.spec.regions.map { regionStatus($0) }.sorted { $0.name < $1.name }
    let conditions = conditions(mistakes, plan)
    status.summary = summary(conditions)
    var news: [Condition] = []
    for member in situation.copies.keys.sorted() {
      guard let copy = situation.copies[member]?.content else { continue }
      var new = status
      // Another cluster's identity is what shows that it is another one.
      if let own = copy.status.clusterID, own != status.clusterID {
        new.clusterID = own
        new.nodeIDBlocks = copy.status.nodeIDBlocks
        new.initialVoters = copy.status.initialVoters
      }
      new.observedGeneration = copy.generation
      new.conditions = conditions.settled(
        after: copy.status.conditions, generation: copy.generation, now: situation.now)
      if PlantedMistake.planted == .conditionsWithoutOrder, copy.status.conditions.first?.type == "CertificatesValid" {
        new.conditions.reverse()
      }
      guard new != copy.status else { continue }
      plan.steps.append(.writeStatus(clusterKey, new.json, member: member))
      for condition in new.conditions where copy.status.conditions[condition.type]?.status != condition.status {
        // Two conditions that turned for one reason are one piece of news.
        let isTold = news.contains {
          $0.type == condition.type || ($0.reason == condition.reason && $0.message == condition.message)
        }
        if !isTold { news.append(condition) }
      }
    }
    for condition in news where Self.told.contains(condition.type) {
      let isBad = condition.type == "Stalled" ? condition.status == .yes : condition.status == .no
      plan.steps.append(
        .event(clusterKey, isBad ? .warning : .normal, reason: condition.reason, message: condition.message))
    }
  }

  /// Conditions whose turning is worth an Event.
  private static let told: Set<String> = [
    "Ready", "Stalled", "QuorumHealthy", "RegionsReachable", "SurvivesRegionLoss", "SurvivesProviderLoss",
  ]

  private func quorumStatus(_ facts: BrokerFacts) -> QuorumStatus {
    var quorum = QuorumStatus()
    quorum.leader = facts.leader.map { Int($0.value) }
    quorum.voters = facts.voters.map { Int($0.id.value) }.sorted()
    quorum.observers = facts.observers.map { Int($0.id.value) }.sorted()
    return quorum
  }

  private func counts(_ facts: BrokerFacts) -> PartitionCounts {
    let places = RegionsOfNodes(self, facts)
    var counts = PartitionCounts()
    for topic in facts.topics {
      let rules = SyncRules(topic, self)
      for partition in topic.partitions {
        counts.total += 1
        if partition.leader == nil { counts.offline += 1 }
        if !partition.voters.allSatisfy(partition.inSync.contains) { counts.underReplicated += 1 }
        if !rules.isMet(by: partition.inSync, of: partition, places) { counts.underMinISR += 1 }
      }
    }
    return counts
  }

  private func regionStatus(_ share: RegionShare) -> RegionShareStatus {
    var status = RegionShareStatus()
    status.name = share.name
    status.brokers = share.brokers
    status.ready = wanted.count { $0.region == share.name && $0.isBroker && serves($0) }
    if let facts = situation.brokers.content {
      let here = Set(facts.brokers.filter { $0.region == share.name }.map(\.id))
      for topic in facts.topics {
        for partition in topic.partitions {
          status.inSync += partition.inSync.count { here.contains($0) }
          if let leader = partition.leader, here.contains(leader) { status.leaders += 1 }
        }
      }
    }
    if let member = member(of: share.name), case .unknown(let since, _) = situation.members[member] {
      status.unknownSince = since
    }
    return status
  }
}

extension Plan {
  /// The identity that this plan records, with nothing else of the status.
  fileprivate func recordedIdentity(of key: ObjectID) -> KafkaClusterStatus? {
    for case .writeStatus(key, let json, _) in steps {
      var ignored: [Mistake] = []
      return KafkaClusterStatus(reading: json, at: "status", mistakes: &ignored)
    }
    return nil
  }
}
