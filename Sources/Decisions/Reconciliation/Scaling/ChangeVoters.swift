import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// Voters join and leave one at a time, and nobody leaves while somebody has to join.
  func changeVoters(into plan: inout Plan) {
    guard let facts = situation.brokers.content else { return }
    let voters = Set(facts.voters.map(\.id))
    let joining = wanted.filter { $0.isController && !voters.contains($0.id) }
    let known = Set(nodes.map(\.id))
    let asked = Set(wanted.filter(\.isController).map(\.id))
    // A voter of whom nothing is known is somebody else's.
    let going = facts.voters.filter { !asked.contains($0.id) && known.contains($0.id) }
    let lost = replacedVoters(facts)
    guard !joining.isEmpty || !going.isEmpty || !lost.isEmpty else { return }
    guard facts.leader != nil else {
      plan.waits.append("Voters change once the quorum has a leader.")
      return
    }
    let caughtUp = facts.voters.filter(\.isCaughtUp).map(\.id)
    // Nobody counts on it any more, and its node joins again as soon as it is gone.
    if let voter = lost.first {
      removeReplaced(voter, facts, into: &plan)
      return
    }
    for next in joining {
      guard let replica = facts.observers.first(where: { $0.id == next.id && $0.isCaughtUp })?.key else { continue }
      guard caughtUp.count + 1 >= (facts.voters.count + 1) / 2 + 1 else {
        plan.waits.append("Node \(next.id) becomes a voter once a majority of the voters is caught up.")
        return
      }
      plan.steps.append(.ask(.addVoter(replica)))
      plan.steps.append(
        .event(clusterKey, .normal, reason: "VoterJoins", message: "Node \(next.id) in \(next.region) becomes a voter.")
      )
      return
    }
    if let waiting = joining.first {
      plan.waits.append("Node \(waiting.id) becomes a voter once it follows the quorum.")
      guard PlantedMistake.planted == .voterRemovedTooEarly else { return }
    }
    // The leader goes last: each change of leaders is a pause.
    let order = going.filter { $0.id != facts.leader } + going.filter { $0.id == facts.leader }
    guard let next = order.first else { return }
    let left = caughtUp.filter { $0 != next.id }.count
    guard left >= (facts.voters.count - 1) / 2 + 1 || PlantedMistake.planted == .voterRemovedTooEarly else {
      plan.waits.append("Node \(next.id) stops voting once a majority of the others is caught up.")
      return
    }
    plan.steps.append(.ask(.removeVoter(next.key)))
    plan.steps.append(.event(clusterKey, .normal, reason: "VoterLeaves", message: "Node \(next.id) stops voting."))
  }

  /// Voters whose volume is gone: their node follows the quorum with another directory, and is another replica by that.
  /// What the old one has promised the new one cannot know, so that it does not get its vote by itself.
  private func replacedVoters(_ facts: BrokerFacts) -> [BrokerFacts.Voter] {
    facts.voters.filter { voter in
      !voter.isCaughtUp && voter.directory != .zero
        && facts.observers.contains { other in
          other.id == voter.id && other.isCaughtUp && other.directory != .zero && other.directory != voter.directory
        }
    }
  }

  private func removeReplaced(_ voter: BrokerFacts.Voter, _ facts: BrokerFacts, into plan: inout Plan) {
    // It is not among those that are caught up.
    let left = facts.voters.count { $0.isCaughtUp }
    guard left >= (facts.voters.count - 1) / 2 + 1 else {
      plan.waits.append(
        "Node \(voter.id) votes again with its new volume once a majority of the other voters is caught up.")
      return
    }
    plan.steps.append(.ask(.removeVoter(voter.key)))
    let words = "Node \(voter.id) has a new volume: its old replica stops voting, and the new one takes its place."
    plan.steps.append(.event(clusterKey, .normal, reason: "VoterReplaced", message: words))
  }
}
