import JSONValue
import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// Deletes what is no longer wanted, in members that can be seen, found by its labels. A node goes when it has no
  /// replica and no vote, one node at a time; its volume stays unless the resource says otherwise.
  func collectGarbage(into plan: inout Plan) {
    let going = leaving.last { isEmptied($0) }
    for member in memberNames {
      guard let objects = situation.members[member]?.content else { continue }
      let kept = namesInUse(in: member)
      for id in objects.objects.keys.sorted() {
        guard let object = objects.objects[id], !kept.contains(id) else { continue }
        let meta = ObjectMeta(object)
        guard !meta.isBeingDeleted else { continue }
        if let node = meta.labels[Marks.node].flatMap({ Int32($0) }).map({ NodeID($0) }) {
          let isWanted = wanted.contains { $0.id == node }
          guard isWanted ? id.kind != .claim : mayGo(node, going) else { continue }
          if id.kind == .claim, !deletesVolumes(in: meta.labels[Marks.region] ?? "") { continue }
        } else if id.kind == .claim {
          continue
        } else if leaving.contains(where: { isShared(meta, with: $0, in: member) }) {
          // What a Region has in common stays until its last node is gone.
          continue
        }
        plan.steps.append(.delete(id, uid: meta.uid, member: member))
      }
    }
    unregister(into: &plan)
  }

  /// Whether a node that has yet to leave uses what its Region, or its member, has in common.
  private func isShared(_ meta: ObjectMeta, with node: Node, in member: String) -> Bool {
    guard self.member(of: node.region) == member else { return false }
    return meta.labels[Marks.region].map { $0 == node.region } ?? true
  }

  /// Leftovers of a node whose StatefulSet is gone, and everything of the one that goes now.
  private func mayGo(_ id: NodeID, _ going: Node?) -> Bool {
    going?.id == id || !leaving.contains { $0.id == id }
  }

  /// Whether nothing is lost when the node is gone. Who cannot ask the brokers does not know.
  private func isEmptied(_ node: Node) -> Bool {
    if PlantedMistake.planted == .drainWithoutWaiting { return true }
    guard let facts = situation.brokers.content, facts.leader != nil else { return false }
    return !holdsReplicas(node, facts) && !facts.voters.contains { $0.id == node.id }
  }

  /// Everything that is rendered for the member now.
  private func namesInUse(in member: String) -> Set<ObjectID> {
    var kept = Set(rendered.filter { $0.member == member }.map(\.id))
    for node in wanted where self.member(of: node.region) == member {
      // A node whose address is not known for a moment keeps what it has.
      for kind in [ObjectKind.statefulSet, .configMap] { kept.insert(ObjectID(kind, namespace, node.name)) }
      kept.insert(ObjectID(.claim, namespace, claimName(node)))
    }
    return kept
  }

  /// A broker that is gone for good, with its StatefulSet and its pod, is forgotten by the others.
  private func unregister(into plan: inout Plan) {
    guard let facts = situation.brokers.content, facts.leader != nil else { return }
    for node in leaving where facts.brokers.contains(where: { $0.id == node.id && $0.isFenced }) {
      guard isEmptied(node), isGone(node) else { continue }
      plan.steps.append(.ask(.unregister(node.id)))
    }
  }

  /// Whether nothing of a node is left. What is in a Region that does not answer may still be there; of one that was
  /// deleted nobody will ever know.
  private func isGone(_ node: Node) -> Bool {
    guard region(node.region) != nil else { return true }
    guard let objects = objects(in: node.region) else { return false }
    return pod(of: node) == nil && objects.objects[ObjectID(.statefulSet, namespace, node.name)] == nil
  }
}
