import KubernetesResources
import MirrorPlanning
import Vocabulary

/// What is wrong with a resource, in one sentence that says what would be right.
struct MirrorComplaint {
  let reason: String
  let message: String
}

extension MirrorPass {
  /// Nil where nothing is wrong. Nothing is asked of the brokers before a mistake is corrected, and what runs goes on.
  func mistake(_ wanted: WantedMirror) -> MirrorComplaint? {
    let spec = wanted.spec
    if let mistake = wanted.mistakes.first {
      return MirrorComplaint(reason: "Mistake", message: mistake.description)
    }
    guard TopicName(wanted.mirror.mirrorName) != nil else {
      return MirrorComplaint(
        reason: "Mistake",
        message: "metadata.name is '\(wanted.mirror.mirrorName)', and has to be \(TextForm.topic.words).")
    }
    // API servers that know no rules in CEL let it change.
    if let target = wanted.recorded?.target, target != spec.target {
      return MirrorComplaint(
        reason: "TargetChanged",
        message:
          "spec.target is '\(spec.target)', and the mirror is in '\(target)', from where it cannot move; set it back, and make a new KafkaMirror."
      )
    }
    if spec.topics.isEmpty {
      return MirrorComplaint(
        reason: "Mistake", message: "spec.topics is empty; name topics, or leave it out for all of them.")
    }
    return sourceMistake(wanted) ?? rival(of: wanted)
  }

  private func sourceMistake(_ wanted: WantedMirror) -> MirrorComplaint? {
    let source = wanted.spec.source
    guard (source.cluster == nil) != source.bootstrapServers.isEmpty else {
      return MirrorComplaint(
        reason: "Mistake",
        message: source.cluster == nil
          ? "spec.source is empty; name a KafkaCluster in spec.source.cluster, or addresses in spec.source.bootstrapServers."
          : "spec.source has both cluster and bootstrapServers; take one of them out.")
    }
    let own = ObjectKind.kafkaCluster.id(situation.cluster.metadata)
    switch wanted.source {
    // Who takes topics over without their source needs none.
    case .noSuchCluster where wanted.spec.role == .primary: return nil
    case .noSuchCluster(let id):
      return MirrorComplaint(
        reason: "NoSuchSource",
        message: "spec.source.cluster names the \(id), and there is none; apply it, or correct the name.")
    case .cluster(own, _):
      return MirrorComplaint(
        reason: "SourceIsTarget",
        message:
          "spec.source.cluster names the \(own), which is spec.target as well; a mirror copies from another cluster."
      )
    case .cluster: return nil
    case .given(let servers):
      if let wrong = servers.first(where: { !Self.hasPort($0) }) {
        return MirrorComplaint(
          reason: "Mistake",
          message: "spec.source.bootstrapServers has '\(wrong)', and a port has to be 1 to 65535.")
      }
      let here = Set(situation.cluster.status.bootstrapServers)
      guard let same = servers.first(where: here.contains) else { return nil }
      return MirrorComplaint(
        reason: "SourceIsTarget",
        message:
          "spec.source.bootstrapServers has '\(same)', which is a broker of spec.target; a mirror copies from another cluster."
      )
    }
  }

  private static func hasPort(_ address: String) -> Bool {
    let port = address.lastIndex(of: ":").flatMap { UInt16(address[address.index(after: $0)...]) }
    return port.map { $0 > 0 } ?? false
  }

  /// A topic has one mirror: of two resources that may be for the same one the older one counts.
  private func rival(of wanted: WantedMirror) -> MirrorComplaint? {
    let selection = NameSelection(wanted.spec.topics.joined(separator: ","))
    let rivals = situation.mirrors.filter { other in
      other.id != wanted.id && (other.created, other.id) < (wanted.created, wanted.id)
        && !other.mirror.metadata.isBeingDeleted
        && NameSelection(other.spec.topics.joined(separator: ",")).overlaps(selection)
    }
    guard let rival = rivals.min(by: { ($0.created, $0.id) < ($1.created, $1.id) }) else { return nil }
    return MirrorComplaint(
      reason: "TopicsTaken",
      message:
        "spec.topics is \(listed(wanted.spec.topics)), and the \(rival.id), which is older and copies into the same cluster, has \(listed(rival.spec.topics)): a topic has one mirror; make the two different."
    )
  }
}
