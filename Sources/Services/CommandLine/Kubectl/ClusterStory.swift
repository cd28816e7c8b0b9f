import KubernetesResources

/// What the statuses of resources say, for a person.
struct ClusterStory: Sendable {
  var clusters: [KafkaCluster] = []
  var topics: [KafkaTopic] = []
  var mirrors: [KafkaMirror] = []
  var regions: [Region] = []
  /// Where was looked.
  var place = ""

  /// Topics that are not as they should be and are told one by one; the rest is counted.
  static let topicsToldMax = 10

  var text: String {
    if clusters.isEmpty, regions.isEmpty {
      return "There are no KafkaClusters and no Regions in \(place).\n"
    }
    var text = clusters.map(story).joined(separator: "\n")
    let used = Set(
      clusters.flatMap { cluster in cluster.spec.regions.map { "\(cluster.metadata.namespace)/\($0.name)" } })
    let unused = regions.filter { !used.contains("\($0.metadata.namespace)/\($0.metadata.name)") }
    if !unused.isEmpty {
      text += "\(text.isEmpty ? "" : "\n")Regions without a cluster:\n"
      for region in unused { text += "  \(region.metadata.name): \(reach(region))\n" }
    }
    return text
  }

  private func story(_ cluster: KafkaCluster) -> String {
    let status = cluster.status
    var text = "KafkaCluster \(cluster.metadata.namespace)/\(cluster.metadata.name): \(headline(cluster))\n"
    if let quorum = status.quorum {
      let voters = quorum.voters.map(String.init).joined(separator: ", ")
      text += "  quorum: \(quorum.leader.map { "node \($0) leads" } ?? "nobody leads") the voters \(voters)\n"
    }
    if let partitions = status.partitions {
      text += "  partitions: \(partitions.total), \(words(partitions))\n"
    }
    var table = Table("  REGION", "BROKERS", "LEADERS", "API SERVER")
    for share in cluster.spec.regions {
      let known = status.regions.first { $0.name == share.name }
      let region = regions.first {
        $0.metadata.name == share.name && $0.metadata.namespace == cluster.metadata.namespace
      }
      let reached = region.map(reach) ?? "there is no Region of this name"
      table.add(
        "  \(share.name)", share.brokers == 0 ? "witness" : "\(known?.ready ?? 0) of \(share.brokers)",
        known.map { "\($0.leaders)" } ?? "-", known?.unknownSince.map { "not seen since \($0)" } ?? reached)
    }
    text += table.text
    for condition in status.conditions where isTrouble(condition) {
      text += "  ! \(condition.type) is \(condition.status.rawValue): \(condition.message)\n"
    }
    return text + topicLines(of: cluster) + mirrorLines(into: cluster)
  }

  private func headline(_ cluster: KafkaCluster) -> String {
    let conditions = cluster.status.conditions
    guard let ready = conditions["Ready"] else {
      return "nobody has looked at it yet; is an operator running in this Kubernetes cluster?"
    }
    let state =
      switch ready.status {
      case .yes: "Ready since \(ready.lastTransitionTime)."
      case .no: "not Ready since \(ready.lastTransitionTime)."
      case .unknown: "nobody can tell since \(ready.lastTransitionTime)."
      }
    guard cluster.status.observedGeneration >= cluster.metadata.generation else {
      return "\(state) The change of generation \(cluster.metadata.generation) has not been looked at yet."
    }
    return "\(state) \(cluster.status.summary ?? ready.message)"
  }

  private func words(_ counts: PartitionCounts) -> String {
    let bad = [
      (counts.offline, "without a leader"), (counts.underMinISR, "with too few in sync for acks=all"),
      (counts.underReplicated, "with a replica that is not in sync"),
    ].filter { $0.0 > 0 }
    return bad.isEmpty ? "all in sync" : bad.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
  }

  /// Ready stands in the headline.
  private func isTrouble(_ condition: Condition) -> Bool {
    switch condition.type {
    case "Ready": false
    case "Stalled": condition.status == .yes
    case "Reconciling": condition.status == .yes
    default: condition.status != .yes
    }
  }

  private func reach(_ region: Region) -> String {
    guard let reachable = region.status.conditions["Reachable"] else { return "nobody has asked it yet" }
    guard reachable.status == .yes else { return reachable.message }
    let details = [region.status.roundTrip.map { "in \($0)" }, region.status.kubernetesVersion].compactMap { $0 }
    return "answers" + (details.isEmpty ? "" : " " + details.joined(separator: ", "))
  }

  private func mirrorLines(into cluster: KafkaCluster) -> String {
    let own = mirrors.filter {
      $0.spec.target == cluster.metadata.name && $0.metadata.namespace == cluster.metadata.namespace
    }
    return own.map { mirror in
      let status = mirror.status
      let ready = status.conditions["Ready"]
      let isNew = status.observedGeneration < mirror.metadata.generation
      var words = ready?.message ?? "nobody has looked at it yet."
      if isNew, ready != nil { words = "The change of its spec has not been looked at yet." }
      var parts = [status.role ?? mirror.spec.role.rawValue]
      if let source = status.source { parts.append("source \(source)") }
      if let lag = status.lagRecords { parts.append("lag \(lag)") }
      if let age = status.sourceReadingAge { parts.append("read \(age) ago") }
      let mark = ready?.status == .yes && !isNew ? " " : "!"
      return "  \(mark) KafkaMirror \(mirror.metadata.name) (\(parts.joined(separator: ", "))): \(words)\n"
    }.joined()
  }

  private func topicLines(of cluster: KafkaCluster) -> String {
    let own = topics.filter { topic in
      topic.spec.cluster.name == cluster.metadata.name
        && topic.spec.cluster.namespace ?? topic.metadata.namespace == cluster.metadata.namespace
    }
    let bad = own.filter { $0.status.conditions["Ready"]?.status != .yes }
    guard !own.isEmpty else { return "" }
    var text = "  topics: \(own.count - bad.count) of \(own.count) are Ready\n"
    for topic in bad.prefix(Self.topicsToldMax) {
      let why = topic.status.conditions["Ready"]?.message ?? "nobody has looked at it yet."
      text += "  ! KafkaTopic \(topic.metadata.name): \(why)\n"
    }
    if bad.count > Self.topicsToldMax { text += "  ! and \(bad.count - Self.topicsToldMax) more\n" }
    return text
  }
}
