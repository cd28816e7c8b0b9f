import JSONValue
import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// Restarts the next node that has to, when nothing is lost by it.
  ///
  /// There is one token for all Regions, and whoever is down holds it: a second node is not touched before the first
  /// is back in every in-sync set.
  func rollNodes(into plan: inout Plan) {
    let outdated = wanted.filter(isOutdated)
    guard !outdated.isEmpty else { return }
    // What the gate knows is how it was before voters or replicas change.
    guard !plan.steps.contains(where: isUnderWay) else {
      plan.waits.append("Nothing restarts while voters or replicas change.")
      return
    }
    // Whoever is down for good already loses nothing by a restart, and may be what all others wait for.
    if let down = outdated.first(where: { pod(of: $0)?.state.isDown == true }) {
      restart(down, because: "it is down, and has a new revision", into: &plan)
      return
    }
    if let idle = inOrder(outdated).first(where: mayRestartWhileNobodyServes) {
      restart(idle, because: "no broker serves, and it has a new revision", into: &plan)
      return
    }
    guard let next = inOrder(outdated).first else { return }
    if PlantedMistake.planted != .rollWithoutGate, let obstacle = obstacle(toRestarting: next) {
      plan.waits.append("\(next.podName) restarts later: \(obstacle)")
      return
    }
    restart(next, because: "it has a new revision", into: &plan)
  }

  /// Whether a step asks for something of the brokers that may come about meanwhile. Where they refuse a move, that changes
  /// nothing, and a restart may be the cure.
  private func isUnderWay(_ step: Step) -> Bool {
    switch step {
    case .ask(.addVoter), .ask(.removeVoter): true
    case .ask: situation.refused.isOpen(step)
    default: false
    }
  }

  private func restart(_ node: Node, because reason: String, into plan: inout Plan) {
    guard let pod = pod(of: node), let member = member(of: node.region) else { return }
    plan.steps.append(
      .restart(pod: ObjectID(.pod, namespace, pod.name), uid: pod.uid, node: node.id, member: member))
    plan.steps.append(.event(clusterKey, .normal, reason: "Restarts", message: "\(pod.name) restarts: \(reason)."))
  }

  /// Whether a pod runs that was made from another template than the StatefulSet has.
  func isOutdated(_ node: Node) -> Bool {
    guard let objects = objects(in: node.region), let pod = pod(of: node), pod.state != .stopping,
      let set = objects.objects[ObjectID(.statefulSet, namespace, node.name)],
      let revision = set["spec"]["template"]["metadata"]["annotations"][Marks.revision].string
    else { return false }
    // The template has to be the wanted one first, or the pod would come back as it was.
    let wanted = rendered.first { $0.node == node.id && $0.id.kind == .statefulSet }?.object
    guard wanted?["spec"]["template"]["metadata"]["annotations"][Marks.revision].string == revision else {
      return false
    }
    return pod.revision != revision
  }

  /// Controllers that are not ready, controllers, brokers that are not ready, brokers; the active controller last.
  private func inOrder(_ nodes: [Node]) -> [Node] {
    let leader = situation.brokers.content?.leader
    func rank(_ node: Node) -> Int {
      if node.id == leader { return 4 }
      return (node.isController ? 0 : 2) + (pod(of: node)?.state == .ready ? 1 : 0)
    }
    return nodes.sorted { (rank($0), $0.id) < (rank($1), $1.id) }
  }
}
