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
    guard !joining.isEmpty || !going.isEmpty else { return }
    guard facts.leader != nil else {
      plan.waits.append("Voters change once the quorum has a leader.")
      return
    }
    let caughtUp = facts.voters.filter(\.isCaughtUp).map(\.id)
    if let next = joining.first(where: { node in facts.observers.contains { $0.id == node.id && $0.isCaughtUp } }) {
      guard caughtUp.count + 1 >= (facts.voters.count + 1) / 2 + 1 else {
        plan.waits.append("Node \(next.id) becomes a voter once a majority of the voters is caught up.")
        return
      }
      plan.steps.append(.ask(.addVoter(next.id)))
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
    plan.steps.append(.ask(.removeVoter(next.id)))
    plan.steps.append(.event(clusterKey, .normal, reason: "VoterLeaves", message: "Node \(next.id) stops voting."))
  }
}
