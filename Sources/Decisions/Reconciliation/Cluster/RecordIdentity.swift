import JSONValue
import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// Bootstrap is once. The id, the blocks of node ids and the first voters are written into every copy before
  /// anything starts, and only while every member can be seen: a partial view never makes a second cluster, and never
  /// gives a Region ids that its volumes do not have.
  /// Returns whether there is an identity that everybody who can be seen has.
  func recordIdentity(into plan: inout Plan) -> Bool {
    if !hasClusterID, let missing = situation.firstUnknownMember,
      PlantedMistake.planted != .secondClusterFromPartialView
    {
      plan.waits.append("The cluster gets its id once every member can be seen: \(missing).")
      return false
    }
    var identity = recorded
    if !isRecorded, let id = identity.clusterID {
      let words = "Goes on with the volumes of the cluster \(id), which was here before."
      plan.steps.append(.event(clusterKey, .normal, reason: "VolumesFound", message: words))
    }
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
}
