import JSONValue
import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// Applies what is missing or differs, Region by Region. A Region that cannot be seen is left alone, and holds up
  /// nobody.
  func applyObjects(into plan: inout Plan) {
    for share in cluster.spec.regions.sorted(by: { $0.name < $1.name }) where isUnknown(share.name) {
      plan.waits.append("The Region \(share.name) cannot be seen, and is left as it is.")
    }
    for wanted in rendered {
      let present = situation.members[wanted.member]?.content?.objects[wanted.id]
      if let present, stands(inTheWay: present, of: wanted.object) {
        let meta = ObjectMeta(present)
        // What a provider has to clear up behind it may keep it for a while.
        if !meta.isBeingDeleted { plan.steps.append(.delete(wanted.id, uid: meta.uid, member: wanted.member)) }
        continue
      }
      if let object = applied(wanted.object, over: present) { plan.steps.append(.apply(object, member: wanted.member)) }
    }
    for node in wanted where !isUnknown(node.region) && !canStart(node) {
      guard networkType(node.region) != .multiClusterService else {
        plan.waits.append(
          "\(node.name) starts once its Kubernetes cluster knows ServiceExports: the Region \(node.region) asks for MultiClusterService."
        )
        continue
      }
      if networkType(node.region) == .nodePort, let why = objects(in: node.region)?.machinesRefused {
        plan.waits.append(
          "\(node.name) starts once the operators may list nodes in the Kubernetes cluster of \(node.region), as NodePort "
            + "needs (rbac.nodes of the chart, regions register --machines): \(why).")
        continue
      }
      plan.waits.append("\(node.name) starts once its Service has an address.")
    }
    for node in wanted { tellWaiting(node, into: &plan) }
  }

  /// Whether an object has to be made anew: a Service with an address of its own never becomes a headless one, nor the
  /// other way round. It has to be gone before; its name leads nowhere until then.
  private func stands(inTheWay present: JSON, of wanted: JSON) -> Bool {
    guard wanted["kind"].string == "Service" else { return false }
    let told = present["spec"]["clusterIP"].string
    return told != nil && (told == "None") != (wanted["spec"]["clusterIP"].string == "None")
  }

  /// Kubelets look at ConfigMaps once a minute, and at once when something about the pod changes.
  private func tellWaiting(_ node: Node, into plan: inout Plan) {
    guard let member = member(of: node.region), let pod = pod(of: node), pod.state == .starting,
      let addresses = properties(of: node)?[quorumKey(node)]
    else { return }
    let words = JSON.string(addresses).fingerprint
    guard pod.told != words else { return }
    plan.steps.append(.tell(pod: ObjectID(.pod, namespace, pod.name), uid: pod.uid, words, member: member))
  }

  /// The object with its mark, or nil where all of it stands there already.
  func applied(_ object: JSON, over present: JSON?) -> JSON? {
    var object = object
    if let present, object["kind"].string == "PersistentVolumeClaim" {
      // Nothing of a claim can change but its size.
      let name = present["spec"]["storageClassName"]
      var spec = object["spec"]
      if name.isNull { spec.remove("storageClassName") } else { spec["storageClassName"] = name }
      object["spec"] = spec
    }
    let mark = object.fingerprint
    object["metadata"]["annotations"] = (object["metadata"]["annotations"].object.map(JSON.object) ?? [:])
    object["metadata"]["annotations"][Marks.applied] = .string(mark)
    guard let present, present.holds(object) else { return object }
    return nil
  }

  /// Whether an object is deleted with the cluster: everything but the volumes that are to stay, and what says that it
  /// is gone.
  func goesWithTheCluster(_ object: JSON) -> Bool {
    guard ObjectID(object) != goneRecord else { return false }
    guard object["kind"].string == "PersistentVolumeClaim" else { return true }
    let region = object["metadata"]["labels"][Marks.region].string ?? ""
    return deletesVolumes(in: region)
  }

  func deletesVolumes(in region: String) -> Bool {
    PlantedMistake.planted == .deletesVolumes || share(region)?.storage.deletionPolicy == .delete
  }
}
