import JSONValue
import KubernetesAPI
import Vocabulary

/// What every cluster has from the beginning: some namespaces, a node that is ready, a storage class.
enum Furnishing {
  static func put(into store: inout LocalStore, _ region: String, now: Timestamp) {
    let options = WriteOptions(manager: "local", now: now)
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
      _ = try? store.create(
        .namespaces, version: "v1", namespace: nil, ["metadata": ["name": JSON(name)]], options)
    }
    _ = try? store.create(.nodes, version: "v1", namespace: nil, node(region, KubernetesTime.text(now)), options)
    _ = try? store.create(
      ResourceName("storage.k8s.io", "storageclasses"), version: "v1", namespace: nil,
      [
        "metadata": [
          "name": "standard", "annotations": ["storageclass.kubernetes.io/is-default-class": "true"],
        ], "provisioner": "swiftwater.dev/folder", "reclaimPolicy": "Retain", "volumeBindingMode": "Immediate",
        "allowVolumeExpansion": true,
      ], options)
  }

  private static func node(_ region: String, _ time: String) -> JSON {
    let ready: JSON = [
      "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "this process is the node",
      "lastHeartbeatTime": JSON(time), "lastTransitionTime": JSON(time),
    ]
    let room: JSON = ["cpu": "64", "memory": "256Gi", "pods": "1000"]
    return [
      "metadata": [
        "name": JSON(region),
        "labels": [
          "kubernetes.io/hostname": JSON(region), "topology.kubernetes.io/region": JSON(region),
          "topology.kubernetes.io/zone": JSON(region + "-a"), "kubernetes.io/os": "linux",
        ],
      ], "spec": [:],
      "status": [
        "conditions": [ready], "capacity": room, "allocatable": room,
        "addresses": [["type": "InternalIP", "address": "127.0.0.1"], ["type": "Hostname", "address": JSON(region)]],
        "nodeInfo": ["kubeletVersion": "v1.33.0+swiftwater", "operatingSystem": "linux", "architecture": "amd64"],
      ],
    ]
  }
}
