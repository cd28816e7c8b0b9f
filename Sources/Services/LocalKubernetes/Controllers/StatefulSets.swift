import JSONValue
import KubernetesAPI
import Vocabulary

/// What the StatefulSet controller does, as changes of a store: pods and claims come and go one step at a time, and
/// the status says how far it is. Called again whenever something has changed; when nothing has to, nothing is written.
struct StatefulSets {
  static let manager = "statefulset-controller"
  let now: Timestamp
  private var options: WriteOptions { WriteOptions(manager: Self.manager, now: now) }

  func reconcile(_ store: inout LocalStore) {
    for set in store.objects(.statefulSets) where !set.isBeingDeleted { reconcile(set, &store) }
  }

  /// The hash of the template stands for its revision.
  static func revision(of set: JSON) -> String {
    "\(set.name)-\(String(fnv(set["spec"]["template"].text()), radix: 36).suffix(10))"
  }

  private func reconcile(_ set: JSON, _ store: inout LocalStore) {
    let replicas = set["spec"]["replicas"].int ?? 1
    let isParallel = set["spec"]["podManagementPolicy"] == "Parallel"
    let revision = Self.revision(of: set)
    let before = pods(of: set, store)
    if !removeEnded(before, &store) {
      let isSettled = fill(set, replicas, before, revision, isParallel, &store)
      if isParallel || isSettled { scaleDown(before, to: replicas, isParallel, &store) }
      if isSettled && set["spec"]["updateStrategy"]["type"] != "OnDelete" {
        let partition = set["spec"]["updateStrategy"]["rollingUpdate"]["partition"].int ?? 0
        roll(pods(of: set, store), replicas, revision, from: partition, &store)
      }
    }
    growClaims(set, replicas, &store)
    writeStatus(set, revision, &store)
  }

  private func pods(of set: JSON, _ store: LocalStore) -> [Int: JSON] {
    var found: [Int: JSON] = [:]
    for pod in store.objects(.pods) where pod.namespace == set.namespace {
      guard pod["metadata"]["ownerReferences"].elements.contains(where: { $0["uid"].string == set.uid }),
        pod.name.hasPrefix(set.name + "-"), let ordinal = Int(pod.name.dropFirst(set.name.count + 1))
      else { continue }
      found[ordinal] = pod
    }
    return found
  }

  static func isReady(_ pod: JSON) -> Bool {
    !pod.isBeingDeleted
      && pod["status"]["conditions"].elements.contains { $0["type"] == "Ready" && $0["status"] == "True" }
  }

  /// A pod that has ended for good makes room for another.
  private func removeEnded(_ pods: [Int: JSON], _ store: inout LocalStore) -> Bool {
    var hasRemoved = false
    for pod in pods.values where ["Failed", "Succeeded"].contains(pod["status"]["phase"].string) && !pod.isBeingDeleted
    {
      delete(pod, &store)
      hasRemoved = true
    }
    return hasRemoved
  }

  /// Makes what is missing. Whether every wanted pod is there and ready.
  private func fill(
    _ set: JSON, _ replicas: Int, _ pods: [Int: JSON], _ revision: String, _ isParallel: Bool,
    _ store: inout LocalStore
  ) -> Bool {
    var isSettled = true
    for ordinal in 0..<max(0, replicas) {
      if let pod = pods[ordinal] {
        if Self.isReady(pod) { continue }
      } else {
        makeClaims(set, ordinal, &store)
        _ = try? store.create(
          .pods, version: "v1", namespace: set.namespace, pod(of: set, ordinal, revision, store), options)
      }
      isSettled = false
      if !isParallel { return false }
    }
    return isSettled
  }

  private func scaleDown(_ pods: [Int: JSON], to replicas: Int, _ isParallel: Bool, _ store: inout LocalStore) {
    for (_, pod) in pods.sorted(by: { $0.key > $1.key }).filter({ $0.key >= replicas }) {
      if !pod.isBeingDeleted { delete(pod, &store) }
      // In order means that the next one goes when this one is gone.
      if !isParallel { return }
    }
  }

  private func roll(
    _ pods: [Int: JSON], _ replicas: Int, _ revision: String, from partition: Int, _ store: inout LocalStore
  ) {
    for ordinal in stride(from: replicas - 1, through: max(0, partition), by: -1) {
      guard let pod = pods[ordinal] else { return }
      if pod["metadata"]["labels"]["controller-revision-hash"].string != revision {
        if !pod.isBeingDeleted { delete(pod, &store) }
        return
      }
      if !Self.isReady(pod) { return }
    }
  }

  private func delete(_ pod: JSON, _ store: inout LocalStore) {
    _ = try? store.delete(
      .pods, ObjectKey(namespace: pod.namespace, name: pod.name), DeleteOptions(), now: now)
  }

  private func pod(of set: JSON, _ ordinal: Int, _ revision: String, _ store: LocalStore) -> JSON {
    let template = set["spec"]["template"]
    let name = "\(set.name)-\(ordinal)"
    var pod: JSON = ["apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"]]
    if pod["metadata"].isNull { pod["metadata"] = [:] }
    pod["metadata"]["name"] = JSON(name)
    pod["metadata"]["namespace"] = JSON(set.namespace)
    pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = JSON(name)
    pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] = JSON("\(ordinal)")
    pod["metadata"]["labels"]["controller-revision-hash"] = JSON(revision)
    pod["metadata"]["ownerReferences"] = [
      [
        "apiVersion": "apps/v1", "kind": "StatefulSet", "name": JSON(set.name), "uid": JSON(set.uid),
        "controller": true, "blockOwnerDeletion": true,
      ]
    ]
    pod["spec"]["hostname"] = JSON(name)
    if let service = set["spec"]["serviceName"].string { pod["spec"]["subdomain"] = JSON(service) }
    var volumes = pod["spec"]["volumes"].elements
    for claim in set["spec"]["volumeClaimTemplates"].elements {
      volumes.removeAll { $0["name"] == claim["metadata"]["name"] }
      volumes.append([
        "name": claim["metadata"]["name"],
        "persistentVolumeClaim": ["claimName": JSON("\(claim.name)-\(name)")],
      ])
    }
    if !volumes.isEmpty { pod["spec"]["volumes"] = .array(volumes) }
    return pod
  }

  /// Claims outlive their pods and their set.
  private func makeClaims(_ set: JSON, _ ordinal: Int, _ store: inout LocalStore) {
    for template in set["spec"]["volumeClaimTemplates"].elements {
      var claim = template
      claim["metadata"]["name"] = JSON("\(template.name)-\(set.name)-\(ordinal)")
      claim["metadata"]["namespace"] = JSON(set.namespace)
      for label in set["spec"]["selector"]["matchLabels"].members {
        claim["metadata"]["labels"][label.key] = label.value
      }
      claim.remove("status")
      _ = try? store.create(.claims, version: "v1", namespace: set.namespace, claim, options)
    }
  }

  /// A claim that somebody deleted comes back with its pod only; here those of pods that are there are made sure of.
  private func growClaims(_ set: JSON, _ replicas: Int, _ store: inout LocalStore) {
    guard !set["spec"]["volumeClaimTemplates"].elements.isEmpty else { return }
    for ordinal in pods(of: set, store).keys.sorted() where ordinal < replicas {
      for template in set["spec"]["volumeClaimTemplates"].elements {
        let key = ObjectKey(namespace: set.namespace, name: "\(template.name)-\(set.name)-\(ordinal)")
        if store.object(.claims, key) == nil { makeClaims(set, ordinal, &store) }
      }
    }
  }

  private func writeStatus(_ set: JSON, _ revision: String, _ store: inout LocalStore) {
    let pods = pods(of: set, store).values.filter { !$0.isBeingDeleted }
    let ready = pods.count(where: Self.isReady)
    let updated = pods.count { $0["metadata"]["labels"]["controller-revision-hash"].string == revision }
    var current = set["status"]["currentRevision"].string ?? revision
    let isRolling = set["spec"]["updateStrategy"]["type"] != "OnDelete"
    if isRolling && updated == pods.count && ready == pods.count && pods.count == set["spec"]["replicas"].int {
      current = revision
    }
    var object = set
    object["status"]["replicas"] = JSON(pods.count)
    object["status"]["readyReplicas"] = JSON(ready)
    object["status"]["availableReplicas"] = JSON(ready)
    object["status"]["updatedReplicas"] = JSON(updated)
    object["status"]["currentReplicas"] = JSON(
      pods.count { $0["metadata"]["labels"]["controller-revision-hash"].string == current })
    object["status"]["currentRevision"] = JSON(current)
    object["status"]["updateRevision"] = JSON(revision)
    object["status"]["collisionCount"] = 0
    object["status"]["observedGeneration"] = set["metadata"]["generation"]
    object["metadata"].remove("resourceVersion")
    _ = try? store.update(
      .statefulSets, version: "v1", ObjectKey(namespace: set.namespace, name: set.name), object, subresource: "status",
      options)
  }
}

/// FNV-1a: short, and the same on every run.
func fnv(_ text: String) -> UInt64 {
  text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
}
