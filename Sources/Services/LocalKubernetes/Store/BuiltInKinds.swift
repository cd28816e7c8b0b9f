import JSONValue

/// The kinds that every API server here has.
enum BuiltInKinds {
  static let definitions: [ResourceDefinition] = core + others

  private static func kind(
    _ group: String, _ versions: [String], _ plural: String, _ kind: String, short: [String] = [],
    namespaced: Bool = true,
    status: Bool = false, generation: Bool = false, scale: Bool = false, columns: [TableColumn] = [],
    categories: [String] = []
  ) -> ResourceDefinition {
    let scale =
      scale ? ResourceDefinition.Scale(specPath: ["spec", "replicas"], statusPath: ["status", "replicas"]) : nil
    return ResourceDefinition(
      name: ResourceName(group, plural), singular: kind.lowercased(), kind: kind, listKind: kind + "List",
      shortNames: short, categories: categories, isNamespaced: namespaced,
      versions: versions.map { .init(name: $0, columns: columns, hasStatus: status, scale: scale) },
      storageVersion: versions[0], hasGeneration: generation)
  }

  private static let core: [ResourceDefinition] = [
    kind(
      "", ["v1"], "namespaces", "Namespace", short: ["ns"], namespaced: false, status: true,
      columns: [.init("Status", ".status.phase")]),
    kind("", ["v1"], "configmaps", "ConfigMap", short: ["cm"]),
    kind("", ["v1"], "secrets", "Secret", columns: [.init("Type", ".type")]),
    kind(
      "", ["v1"], "services", "Service", short: ["svc"], status: true,
      columns: [
        .init("Type", ".spec.type"), .init("Cluster-IP", ".spec.clusterIP"),
        .init("Port(s)", ".spec.ports[*].port"),
      ], categories: ["all"]),
    kind(
      "", ["v1"], "endpoints", "Endpoints", short: ["ep"],
      columns: [.init("Endpoints", ".subsets[*].addresses[*].ip")]),
    kind(
      "", ["v1"], "pods", "Pod", short: ["po"], status: true,
      columns: [
        .init("Ready", ".status"), .init("Status", ".status.phase"),
        .init("Restarts", ".status.containerStatuses[0].restartCount"),
        .init("IP", ".status.podIP", priority: 1), .init("Node", ".spec.nodeName", priority: 1),
      ], categories: ["all"]),
    kind(
      "", ["v1"], "persistentvolumeclaims", "PersistentVolumeClaim", short: ["pvc"], status: true,
      columns: [
        .init("Status", ".status.phase"), .init("Volume", ".spec.volumeName"),
        .init("Capacity", ".status.capacity.storage"), .init("StorageClass", ".spec.storageClassName"),
      ]),
    kind("", ["v1"], "serviceaccounts", "ServiceAccount", short: ["sa"]),
    kind(
      "", ["v1"], "events", "Event", short: ["ev"],
      columns: [
        .init("Last Seen", ".lastTimestamp", type: "date"), .init("Type", ".type"), .init("Reason", ".reason"),
        .init("Object", ".involvedObject.name"), .init("Message", ".message"),
      ]),
    kind(
      "", ["v1"], "nodes", "Node", short: ["no"], namespaced: false, status: true,
      columns: [
        .init("Status", ".status.conditions[?(@.type==\"Ready\")].reason"),
        .init("Version", ".status.nodeInfo.kubeletVersion"),
      ]),
  ]

  private static let others: [ResourceDefinition] = [
    kind(
      "apps", ["v1"], "statefulsets", "StatefulSet", short: ["sts"], status: true, generation: true, scale: true,
      columns: [.init("Ready", ".status")], categories: ["all"]),
    kind(
      "apps", ["v1"], "deployments", "Deployment", short: ["deploy"], status: true, generation: true,
      columns: [.init("Replicas", ".spec.replicas")], categories: ["all"]),
    kind("events.k8s.io", ["v1"], "events", "Event", short: ["ev"]),
    kind(
      "discovery.k8s.io", ["v1"], "endpointslices", "EndpointSlice",
      columns: [.init("Endpoints", ".endpoints[*].addresses[*]")]),
    kind(
      "policy", ["v1", "v1beta1"], "poddisruptionbudgets", "PodDisruptionBudget", short: ["pdb"], status: true,
      generation: true,
      columns: [
        .init("Min Available", ".spec.minAvailable"), .init("Max Unavailable", ".spec.maxUnavailable"),
        .init("Allowed Disruptions", ".status.disruptionsAllowed"),
      ]),
    kind(
      "networking.k8s.io", ["v1"], "networkpolicies", "NetworkPolicy", short: ["netpol"], generation: true),
    kind(
      "coordination.k8s.io", ["v1"], "leases", "Lease", columns: [.init("Holder", ".spec.holderIdentity")]),
    kind(
      "storage.k8s.io", ["v1"], "storageclasses", "StorageClass", short: ["sc"], namespaced: false,
      columns: [.init("Provisioner", ".provisioner")]),
    kind("rbac.authorization.k8s.io", ["v1"], "roles", "Role"),
    kind("rbac.authorization.k8s.io", ["v1"], "rolebindings", "RoleBinding"),
    kind("rbac.authorization.k8s.io", ["v1"], "clusterroles", "ClusterRole", namespaced: false),
    kind("rbac.authorization.k8s.io", ["v1"], "clusterrolebindings", "ClusterRoleBinding", namespaced: false),
    kind(
      "apiextensions.k8s.io", ["v1"], "customresourcedefinitions", "CustomResourceDefinition", short: ["crd", "crds"],
      namespaced: false, status: true, generation: true),
  ]
}

extension ResourceName {
  static let namespaces = ResourceName("", "namespaces")
  static let configMaps = ResourceName("", "configmaps")
  static let secrets = ResourceName("", "secrets")
  static let services = ResourceName("", "services")
  static let endpoints = ResourceName("", "endpoints")
  static let endpointSlices = ResourceName("discovery.k8s.io", "endpointslices")
  static let pods = ResourceName("", "pods")
  static let claims = ResourceName("", "persistentvolumeclaims")
  static let events = ResourceName("", "events")
  static let nodes = ResourceName("", "nodes")
  static let serviceAccounts = ResourceName("", "serviceaccounts")
  static let roles = ResourceName("rbac.authorization.k8s.io", "roles")
  static let roleBindings = ResourceName("rbac.authorization.k8s.io", "rolebindings")
  static let clusterRoles = ResourceName("rbac.authorization.k8s.io", "clusterroles")
  static let clusterRoleBindings = ResourceName("rbac.authorization.k8s.io", "clusterrolebindings")
  static let statefulSets = ResourceName("apps", "statefulsets")
  static let definitions = ResourceName("apiextensions.k8s.io", "customresourcedefinitions")
  static let newEvents = ResourceName("events.k8s.io", "events")
  static let budgets = ResourceName("policy", "poddisruptionbudgets")
}
