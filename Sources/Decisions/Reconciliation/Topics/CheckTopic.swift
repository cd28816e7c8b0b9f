import KubernetesResources
import Vocabulary

extension TopicPlanning {
  struct Complaint {
    let reason: String
    let message: String
  }

  /// Settings that a topic's placement decides.
  static let ownKeys = [
    "min.insync.regions", "placement.allowed.regions", "placement.leader.regions", "placement.observers.per.region",
    "placement.replicas.per.region",
  ]

  /// What is wrong with a KafkaTopic, as one sentence that says what to change; nil where nothing is.
  func mistake(_ wanted: WantedTopic, _ owner: ObjectID?) -> Complaint? {
    let topic = wanted.topic
    if let mistake = wanted.mistakes.first { return Complaint(reason: "Mistake", message: mistake.description) }
    guard TopicName(topic.topicName) != nil else {
      return Complaint(
        reason: "Mistake", message: "spec.topicName is '\(topic.topicName)', and has to be \(TextForm.topic.words).")
    }
    if topic.topicName.hasPrefix("__") {
      return Complaint(
        reason: "Internal", message: "'\(topic.topicName)' is an internal topic of the brokers; take another name.")
    }
    if let owner, owner != wanted.id {
      return Complaint(
        reason: "TopicTaken",
        message: "The topic '\(topic.topicName)' belongs to \(owner), which is older; delete one of the two.")
    }
    if let key = Self.ownKeys.first(where: { topic.spec.config[$0] != nil }) {
      return Complaint(
        reason: "Mistake", message: "spec.config.\(key) is decided by spec.placement; take it out and set it there.")
    }
    if let key = topic.spec.config.keys.sorted().first(where: { $0.hasPrefix("mirror.") }) {
      return Complaint(
        reason: "Mistake", message: "spec.config.\(key) is set by mirrors; take it out, and apply a KafkaMirror.")
    }
    if let complaint = placementMistake(topic) { return complaint }
    if let present = facts?[topic.topicName], present.mirror == nil,
      present.partitions.count > topic.spec.partitions
    {
      return Complaint(
        reason: "FewerPartitions",
        message:
          "spec.partitions is \(topic.spec.partitions), and the topic has \(present.partitions.count): partitions are never taken away; set \(present.partitions.count) or more."
      )
    }
    return nil
  }

  private func placementMistake(_ topic: KafkaTopic) -> Complaint? {
    let placement = topic.spec.placement
    let shares = situation.cluster.spec.regions
    let named = Set(placement.replicas.keys).union(placement.observers.keys).union(placement.leaders).sorted()
    if let strange = named.first(where: { name in !shares.contains { $0.name == name && $0.brokers > 0 } }) {
      let there = shares.filter { $0.brokers > 0 }.map(\.name).sorted()
      return Complaint(
        reason: "UnknownRegion",
        message:
          "spec.placement names the Region '\(strange)', where the cluster has no brokers; it has some in \(listed(there))."
      )
    }
    if let allowed = TopicTarget.allowed(placement, situation) {
      let tags = placement.requires.joined(separator: ", ")
      if let outside = named.first(where: { !allowed.contains($0) }) {
        return Complaint(
          reason: "OutsideSovereignty",
          message:
            "spec.placement names \(outside), which is not \(tags); take it out, or take the tag from spec.placement.requires."
        )
      }
      if !shares.contains(where: { $0.brokers > 0 && allowed.contains($0.name) }) {
        return Complaint(
          reason: "OutsideSovereignty",
          message: "spec.placement.requires \(tags), and no Region of the cluster with brokers is that.")
      }
    }
    let target = TopicTarget(topic, self)
    let span = placement.replicas.isEmpty ? shares.count { $0.brokers > 0 } : placement.replicas.count
    if let asked = placement.minInSyncRegions, asked > span {
      return Complaint(
        reason: "Mistake",
        message:
          "spec.placement.minInSyncRegions is \(asked), and replicas are in \(span) Regions; set \(span) or less.")
    }
    if !placement.replicas.isEmpty, let leader = target.leaders.first(where: { placement.replicas[$0] == nil }) {
      return Complaint(
        reason: "Mistake",
        message: "spec.placement.leaders names \(leader), where spec.placement.replicas has none; take it out.")
    }
    return nil
  }
}
