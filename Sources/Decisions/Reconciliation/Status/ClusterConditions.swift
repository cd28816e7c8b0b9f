import JSONValue
import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// Every condition of the cluster, from its birth on, in the order in which the summary looks at them.
  func conditions(_ mistakes: [Mistake], _ plan: Plan) -> [Condition] {
    let refused = situation.refused.words(of: plan)
    let stalled = stalled(mistakes, refused)
    let works = plan.steps.contains { step in
      if case .writeStatus = step { return false }
      if case .event = step, !refused.isEmpty { return false }
      return situation.refused.isOpen(step)
    }
    // What is refused is not waited for: it is for a person to act.
    let pending = works || refused.isEmpty && (!plan.waits.isEmpty || hasUnready)
    let reconciling =
      pending && mistakes.isEmpty
      ? Condition(
        "Reconciling", .yes, "InProgress",
        plan.waits.isEmpty ? "Changes are being made." : plan.waits.joined(separator: " "))
      : Condition(
        "Reconciling", .no, "UpToDate",
        mistakes.isEmpty
          ? refused.isEmpty ? "Everything is as it should be." : "What is left to do was refused."
          : "Nothing is done before the mistakes are corrected.")
    let quorum = quorumHealthy
    return [
      ready(mistakes, quorum), reconciling, stalled, quorum, regionsReachable, survivesRegionLoss,
      survivesProviderLoss, Condition("CertificatesValid", .yes, "NoCertificates", "No listener uses TLS."),
    ].compactMap { $0 }
  }

  private var hasUnready: Bool { wanted.contains { !serves($0) } }

  func summary(_ conditions: [Condition]) -> String {
    if let stalled = conditions["Stalled"], stalled.status == .yes { return stalled.message }
    if let ready = conditions["Ready"], ready.status != .yes { return ready.message }
    if let reconciling = conditions["Reconciling"], reconciling.status == .yes { return reconciling.message }
    return conditions["Ready"]?.message ?? ""
  }

  private func stalled(_ mistakes: [Mistake], _ refused: [String]) -> Condition {
    if !mistakes.isEmpty {
      return Condition("Stalled", .yes, "Mistake", mistakes.map(\.description).joined(separator: " "))
    }
    if !refused.isEmpty { return Condition("Stalled", .yes, "Refused", RefusedSteps.text(refused)) }
    let stuck = stuckPods
    if !stuck.isEmpty { return Condition("Stalled", .yes, "PodsStuck", listed(stuck) + ".") }
    if let volumes = otherVolumes { return Condition("Stalled", .yes, "VolumesKeepTheirClass", volumes) }
    return Condition("Stalled", .no, "Works", "Nothing is in the way.")
  }

  /// What cannot be done about volumes that are there, in a sentence. Nothing else waits for it: a node that is made later
  /// gets the class of its Region.
  private var otherVolumes: String? {
    for (place, share) in cluster.spec.regions.enumerated() {
      guard let asked = share.storage.storageClassName else { continue }
      for node in wanted where node.region == share.name {
        let claim = objects(in: share.name)?.objects[ObjectID(.claim, namespace, claimName(node))]
        guard let has = claim?["spec"]["storageClassName"].string, has != asked else { continue }
        return
          "spec.regions[\(place)].storage.storageClassName is '\(asked)', and the volume of \(node.name) has '\(has)': volumes keep their class; set '\(has)', or replace the nodes by others."
      }
    }
    return nil
  }

  private func ready(_ mistakes: [Mistake], _ quorum: Condition) -> Condition {
    guard mistakes.isEmpty || hasClusterID else {
      return Condition("Ready", .no, "Mistake", mistakes.map(\.description).joined(separator: " "))
    }
    let down = wanted.filter { !serves($0) }
    let unknown = down.filter { isUnknown($0.region) && situation.brokers.content == nil }
    if !down.isEmpty, unknown.count == down.count {
      return Condition(
        "Ready", .unknown, "CannotBeSeen",
        "\(listed(unknown.map(\.podName))) cannot be seen, and the brokers do not answer.")
    }
    if !down.isEmpty {
      return Condition(
        "Ready", .no, "NodesNotReady",
        "\(wanted.count - down.count) of \(wanted.count) nodes are ready; \(listed(down.map(\.podName))) not.")
    }
    guard let facts = situation.brokers.content else {
      return Condition("Ready", .unknown, "BrokersUnknown", "The brokers have not been asked, or do not answer.")
    }
    if quorum.status == .no, facts.leader == nil { return Condition("Ready", .no, "NoLeader", quorum.message) }
    let offline = counts(facts, where: { $0.leader == nil })
    if !offline.isEmpty {
      return Condition("Ready", .no, "PartitionsOffline", "\(listed(offline)) have no leader.")
    }
    return Condition("Ready", .yes, "Serving", "All \(wanted.count) nodes are ready.")
  }

  private func counts(_ facts: BrokerFacts, where isMeant: (PartitionFacts) -> Bool) -> [String] {
    facts.topics.sorted { $0.name < $1.name }.flatMap { topic in
      topic.partitions.enumerated().filter { isMeant($0.element) }.map { "\(topic.name)-\($0.offset)" }
    }
  }

  private var quorumHealthy: Condition {
    let type = "QuorumHealthy"
    guard case .seen(let facts) = situation.brokers else {
      return Condition(type, .unknown, "BrokersUnknown", "The brokers have not been asked, or do not answer.")
    }
    guard facts.leader != nil else {
      return Condition(
        type, .no, "NoLeader",
        "The metadata quorum has no leader; a majority of \(facts.voters.count) voters has to reach each other.")
    }
    let late = facts.voters.filter { !$0.isCaughtUp }.map { "\($0.id)" }
    guard late.isEmpty else {
      return Condition(
        type, .no, "VotersBehind", "The voters \(listed(late)) of \(facts.voters.count) are behind or down.")
    }
    return Condition(type, .yes, "AllCaughtUp", "All \(facts.voters.count) voters are caught up.")
  }

  private var regionsReachable: Condition {
    let type = "RegionsReachable"
    var unknown: [String] = []
    for share in cluster.spec.regions.sorted(by: { $0.name < $1.name }) {
      guard let member = member(of: share.name) else {
        unknown.append("\(share.name) has no access that works")
        continue
      }
      if case .unknown(let since, let why) = situation.members[member] {
        unknown.append("\(share.name) is unknown since \(since) (\(why))")
      }
    }
    guard unknown.isEmpty else {
      return Condition(type, .no, "Unreachable", "\(listed(unknown)). What runs there is left as it is.")
    }
    return Condition(type, .yes, "AllAnswer", "Every Region's API server answers.")
  }

  private var survivesRegionLoss: Condition {
    let regions = cluster.spec.regions.map { (name: $0.name, regions: Set([$0.name])) }
    return survives("SurvivesRegionLoss", anyOf: regions, "AnyRegion", "Any one Region could be lost now.")
  }

  /// Only where that is asked for: most have one provider.
  private var survivesProviderLoss: Condition? {
    guard cluster.spec.durability.survive == .provider else { return nil }
    let groups = Dictionary(grouping: cluster.spec.regions.map(\.name)) { situation.regions.provider(of: $0) }
    let providers = groups.map { (name: $0.key, regions: Set($0.value)) }
    return survives("SurvivesProviderLoss", anyOf: providers, "AnyProvider", "Any one provider could be lost now.")
  }

  private func survives(
    _ type: String, anyOf losses: [(name: String, regions: Set<String>)], _ reason: String, _ words: String
  ) -> Condition {
    guard let facts = situation.brokers.content else {
      return Condition(type, .unknown, "BrokersUnknown", "The brokers have not been asked, or do not answer.")
    }
    let bad = losses.sorted { $0.name < $1.name }.map { RegionLoss($0.name, of: $0.regions, self, facts) }
      .filter { !$0.isSurvived }
    guard bad.isEmpty else {
      return Condition(type, .no, "WouldLose", bad.map(\.sentence).joined(separator: " "))
    }
    return Condition(type, .yes, reason, words)
  }
}
