import JSONValue
import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// The cluster's object is being deleted: what it consists of goes, wherever it can be seen. Its brokers hear of it
  /// before their pods do, or the last ones would wait for the first to come back before they stop.
  func takeDown(into plan: inout Plan) {
    let steps = deletions(into: &plan)
    if let facts = situation.brokers.content, facts.leader != nil, facts.handOver,
      !steps.isEmpty || situation.hasProcesses
    {
      plan.steps.append(.ask(.setHandingOver(false)))
    }
    recordThatItGoes(into: &plan)
    plan.steps += steps
  }

  /// What an earlier cluster left behind in volumes that this one has taken over: its brokers wait for one another again.
  func takeUp(into plan: inout Plan) {
    guard let facts = situation.brokers.content, facts.leader != nil, !facts.handOver else { return }
    plan.steps.append(.ask(.setHandingOver(true)))
  }

  private func deletions(into plan: inout Plan) -> [Step] {
    var steps: [Step] = []
    for member in memberNames {
      guard let objects = situation.members[member]?.content else {
        plan.waits.append("\(member) cannot be seen; what it has of the cluster is deleted when it answers again.")
        continue
      }
      for id in objects.objects.keys.sorted() {
        guard let object = objects.objects[id], goesWithTheCluster(object) else { continue }
        let meta = ObjectMeta(object)
        if !meta.isBeingDeleted { steps.append(.delete(id, uid: meta.uid, member: member)) }
      }
    }
    return steps
  }
}
