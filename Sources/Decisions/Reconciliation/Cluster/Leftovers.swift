public import JSONValue
public import KubernetesResources

/// What comes to a member of a cluster when that is gone already.
///
/// A request to make an object may arrive long after its operator stopped to lead: it slept, or a network kept what it
/// had sent. Of a cluster that is there such an object is garbage like any other. Of one that is gone nobody would look at
/// it, and that no KafkaCluster is seen is no reason to delete anything. So each member gets a record of what was
/// deleted, and that alone is what leftovers are deleted for. A KafkaCluster that is applied again takes it away.
extension ClusterReconciliation {
  /// The steps after which nothing is left of a cluster that no member has a KafkaCluster of any more, but its volumes.
  /// Records from before `forgetting` (RFC 3339) go in the end: no request is on its way for so long.
  public static func leftovers(
    of cluster: ObjectID, in members: [String: View<MemberObjects>], forgetting: String
  ) -> Plan {
    var plan = Plan()
    let record = ClusterDesign.goneRecord(of: cluster)
    let said = members.values.compactMap { $0.content?.objects[record]?["data"]["since"].string }
    guard let since = said.max() else { return plan }
    for member in members.keys.sorted() {
      guard let objects = members[member]?.content?.objects else {
        // Its KafkaCluster may be there.
        return Plan()
      }
      for id in objects.keys.sorted() where id != record && id.kind != .claim {
        guard let object = objects[id], !ObjectMeta(object).isBeingDeleted else { continue }
        plan.steps.append(.delete(id, uid: ObjectMeta(object).uid, member: member))
      }
    }
    guard plan.steps.isEmpty, since < forgetting else { return plan }
    for member in members.keys.sorted() {
      guard let object = members[member]?.content?.objects[record] else { continue }
      plan.steps.append(.delete(record, uid: ObjectMeta(object).uid, member: member))
    }
    return plan
  }

  /// Whether an object is such a record.
  public static func isGoneRecord(_ id: ObjectID, _ object: JSON) -> Bool {
    guard let cluster = object["metadata"]["labels"][Marks.cluster].string else { return false }
    return id == ClusterDesign.goneRecord(of: ObjectID(.kafkaCluster, id.namespace, cluster))
  }
}

extension ClusterDesign {
  static func goneRecord(of cluster: ObjectID) -> ObjectID {
    ObjectID(.configMap, cluster.namespace, "\(cluster.name)-gone")
  }
  var goneRecord: ObjectID { Self.goneRecord(of: clusterKey) }

  func saysThatItIsGone(_ objects: MemberObjects) -> Bool {
    objects.objects[goneRecord] != nil || PlantedMistake.planted == .goneIsForgotten
  }

  /// Before anything else goes.
  func recordThatItGoes(into plan: inout Plan) {
    guard PlantedMistake.planted != .goneIsForgotten else { return }
    let labels = [Marks.managedBy: Marks.managedByValue, Marks.cluster: name]
    let record = Build.configMap(
      ObjectMeta(name: goneRecord.name, namespace: namespace, labels: labels),
      ["since": cluster.metadata.deletionTimestamp ?? situation.now])
    for member in memberNames {
      guard let objects = situation.members[member]?.content else { continue }
      if let object = applied(record, over: objects.objects[goneRecord]) {
        plan.steps.append(.apply(object, member: member))
      }
    }
  }
}
