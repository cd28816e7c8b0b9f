import JSONValue
import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// Bootstrap is once. The id, the blocks of node ids and the first voters are written into every copy before
  /// anything starts, and only while every member can be seen: a partial view never makes a second cluster.
  /// Returns whether there is an identity that everybody who can be seen has.
  func recordIdentity(into plan: inout Plan) -> Bool {
    if !hasClusterID, let missing = firstUnknownMember, PlantedMistake.planted != .secondClusterFromPartialView {
      plan.waits.append("The cluster gets its id once every member can be seen: \(missing).")
      return false
    }
    var identity = recorded
    if identity.clusterID == nil {
      identity.clusterID = "\(situation.freshID)"
      identity.initialVoters = wanted.filter(\.isController).map { Int($0.id.value) }
    }
    identity.nodeIDBlocks = blocks
    var isEverywhere = true
    for member in situation.copies.keys.sorted() {
      guard let copy = situation.copies[member]?.content else { continue }
      let status = copy.status
      if status.clusterID == identity.clusterID, status.nodeIDBlocks == identity.nodeIDBlocks,
        status.initialVoters == identity.initialVoters
      {
        continue
      }
      isEverywhere = false
      var new = status
      new.clusterID = identity.clusterID
      new.nodeIDBlocks = identity.nodeIDBlocks
      new.initialVoters = identity.initialVoters
      plan.steps.append(.writeStatus(clusterKey, new.json, member: member))
    }
    if !isEverywhere {
      plan.waits.append("The cluster's id and node ids are being recorded.")
    } else if !hasStarted, let missing = memberNames.first(where: { situation.copies[$0]?.content == nil }) {
      plan.waits.append("Nothing starts before \(missing) has a copy of this object.")
      return false
    }
    return isEverywhere
  }

  /// Whether a node was ever made, as far as can be seen.
  private var hasStarted: Bool {
    situation.brokers.content != nil
      || situation.members.values.contains { $0.content?.objects.keys.contains { $0.kind == .statefulSet } ?? false }
  }

  /// A sentence about a member that cannot be seen; nil where all can.
  private var firstUnknownMember: String? {
    for share in cluster.spec.regions {
      guard let member = member(of: share.name) else { return "the Region \(share.name) cannot be reached yet" }
      switch situation.members[member] {
      case .seen: break
      case .unknown(let since, let why): return "\(member) has not answered since \(since) (\(why))"
      case nil: return "\(member) has not been asked yet"
      }
      if case .unknown(_, let why) = situation.copies[member] { return "\(member) does not answer (\(why))" }
    }
    return nil
  }
}
