import JSONValue
import KubernetesResources
import Vocabulary

extension ClusterDesign {
  static let dataPath = "/var/lib/swiftwater"
  static let configPath = "/etc/swiftwater"
  /// How long a broker may take to hand over its leaders before it is killed.
  static let terminationGraceSeconds = 120
  /// How long of it the broker waits for others to be in sync before it begins to stop.
  static let stopPatienceSeconds = 60

  func selector(_ region: String) -> [String: String] { [Marks.cluster: name, Marks.region: region] }

  func meta(_ objectName: String, _ region: String, node: Node? = nil) -> ObjectMeta {
    var labels = selector(region)
    labels[Marks.managedBy] = Marks.managedByValue
    labels["app.kubernetes.io/name"] = "swiftwater"
    labels["app.kubernetes.io/instance"] = name
    if let node { for (key, value) in nodeLabels(node) { labels[key] = value } }
    return ObjectMeta(name: objectName, namespace: namespace, labels: labels)
  }

  private func nodeLabels(_ node: Node) -> [String: String] {
    [Marks.node: "\(node.id.value)", Marks.broker: "\(node.isBroker)", Marks.controller: "\(node.isController)"]
  }

  /// Everything that one node consists of, in the order in which it is applied.
  func render(_ node: Node) -> [JSON] {
    let properties = serverProperties(node)
    let wantsExport = networkType(node.region) == .multiClusterService && offersExports(node.region)
    let tellsOldAddress = runsAsBefore(node, properties)
    var objects = [nodeService(node, kept: tellsOldAddress)]
    if wantsExport || tellsOldAddress && present(.serviceExport, of: node) != nil {
      objects.append(Build.object(.serviceExport, meta(node.name, node.region, node: node), []))
    }
    guard canStart(node) else { return objects }
    objects.append(claim(node))
    objects.append(
      Build.configMap(
        meta(node.name, node.region, node: node), ["server.properties": PropertiesText.text(properties)]))
    objects.append(statefulSet(node, properties))
    return objects
  }

  private func ports(_ node: Node) -> [Build.Port] {
    (node.isBroker ? listeners.map { Build.Port($0.name, $0.port) } : [])
      + (node.isController ? [Build.Port("controller", Self.controllerPort)] : [])
  }

  private func present(_ kind: ObjectKind, of node: Node) -> JSON? {
    objects(in: node.region)?.objects[ObjectID(kind, namespace, node.name)]
  }

  /// Whether a pod runs that was made for other settings, and so may tell another address than it shall.
  private func runsAsBefore(_ node: Node, _ properties: [String: String]) -> Bool {
    guard PlantedMistake.planted != .oldWayGoesFirst, let pod = pod(of: node), pod.state != .stopping else {
      return false
    }
    return pod.revision != revision(podSpec(node), properties)
  }

  /// Types of Services, each of which does all that those before it do; nil is a headless one.
  private static let serviceTypes: [String?] = [nil, "ClusterIP", "NodePort", "LoadBalancer"]

  /// `kept` is whether a pod still tells others to come by the Service as it is: it does no less then. Otherwise the first
  /// node to restart could not reach the others, would never be in sync again, and nobody else would restart.
  private func nodeService(_ node: Node, kept: Bool) -> JSON {
    var type: String? =
      switch networkType(node.region) {
      case .podIP, .hostTemplate: nil
      case .multiClusterService: "ClusterIP"
      case .nodePort: "NodePort"
      case .loadBalancer: "LoadBalancer"
      }
    if kept, let spec = present(.service, of: node)?["spec"] {
      let now = spec["clusterIP"] == "None" ? nil : spec["type"].string
      let (old, new) = (Self.serviceTypes.firstIndex(of: now) ?? 0, Self.serviceTypes.firstIndex(of: type) ?? 0)
      if old > new { type = now }
    }
    var selector = self.selector(node.region)
    selector[Marks.node] = "\(node.id.value)"
    var service = Build.service(
      meta(node.name, node.region, node: node), type: type, selector: selector, ports: ports(node))
    // The address that is told may be another machine's than the pod's.
    if type == "NodePort" { service["spec"]["externalTrafficPolicy"] = "Cluster" }
    return service
  }

  private func claim(_ node: Node) -> JSON {
    let storage = share(node.region)?.storage ?? Storage()
    var claim = meta(claimName(node), node.region, node: node)
    claim.annotations[Marks.clusterID] = recorded.clusterID
    return Build.claim(claim, size: storage.size, storageClass: storage.storageClassName)
  }

  private func statefulSet(_ node: Node, _ properties: [String: String]) -> JSON {
    let pod = podSpec(node)
    var labels = meta(node.name, node.region, node: node).labels
    labels["app.kubernetes.io/component"] = node.isBroker ? "broker" : "controller"
    var selector = self.selector(node.region)
    selector[Marks.node] = "\(node.id.value)"
    return Build.statefulSet(
      meta(node.name, node.region, node: node), service: node.name, selector: selector, podLabels: labels,
      podAnnotations: [Marks.revision: revision(pod, properties)], pod: pod)
  }

  /// Changes when a restart is needed.
  private func revision(_ pod: JSON, _ properties: [String: String]) -> String {
    let lasting = properties.filter { !Self.keysWithoutRestart.contains($0.key) }
    let all: JSON = ["pod": pod, "properties": .string(PropertiesText.text(lasting))]
    return all.fingerprint
  }

  private func podSpec(_ node: Node) -> JSON {
    let scheduling = region(node.region)?.spec.scheduling ?? RegionScheduling()
    var spec: JSON = [
      "serviceAccountName": .string(name), "automountServiceAccountToken": false, "enableServiceLinks": false,
      "terminationGracePeriodSeconds": JSON(Self.terminationGraceSeconds), "containers": [container(node)],
      "securityContext": [
        "runAsNonRoot": true, "runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001,
        "fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": ["type": "RuntimeDefault"],
      ],
      "topologySpreadConstraints": [
        [
          "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
          "labelSelector": ["matchLabels": JSON(selector(node.region))],
        ]
      ],
      "volumes": [
        ["name": "data", "persistentVolumeClaim": ["claimName": .string(claimName(node))]],
        ["name": "config", "configMap": ["name": .string(node.name)]],
      ],
    ]
    if !scheduling.nodeSelector.isEmpty { spec["nodeSelector"] = JSON(scheduling.nodeSelector) }
    if !scheduling.tolerations.isEmpty { spec["tolerations"] = .array(scheduling.tolerations.map(\.json)) }
    if let zone = zone(node) {
      let term: JSON = ["key": "topology.kubernetes.io/zone", "operator": "In", "values": [.string(zone)]]
      spec["affinity"] = [
        "nodeAffinity": [
          "requiredDuringSchedulingIgnoredDuringExecution": ["nodeSelectorTerms": [["matchExpressions": [term]]]]
        ]
      ]
    }
    return spec
  }

  private func container(_ node: Node) -> JSON {
    func field(_ name: String, _ path: String) -> JSON {
      ["name": .string(name), "valueFrom": ["fieldRef": ["apiVersion": "v1", "fieldPath": .string(path)]]]
    }
    func probe(_ path: String, period: Int, failures: Int) -> JSON {
      [
        "httpGet": ["path": .string(path), "port": JSON(Self.metricsPort), "scheme": "HTTP"],
        "periodSeconds": JSON(period), "timeoutSeconds": 5, "failureThreshold": JSON(failures),
      ]
    }
    var container: JSON = [
      "name": "swiftwater", "image": .string(cluster.spec.image),
      "imagePullPolicy": .string(cluster.spec.imagePullPolicy.rawValue), "args": JSON(arguments(node)),
      "env": [field("POD_IP", "status.podIP"), field("POD_NAME", "metadata.name")],
      "ports": .array(
        ports(node).map {
          ["name": .string(String($0.name.prefix(15))), "containerPort": JSON($0.port), "protocol": "TCP"]
        }
          + [["name": "metrics", "containerPort": JSON(Self.metricsPort), "protocol": "TCP"]]),
      // A process that reads its log after a crash, or waits for the others' addresses, lives: it has long enough.
      "startupProbe": probe("/livez", period: 2, failures: 900),
      "livenessProbe": probe("/livez", period: 10, failures: 6),
      "readinessProbe": probe("/readyz", period: 3, failures: 2),
      "volumeMounts": [
        ["name": "data", "mountPath": .string(Self.dataPath)],
        ["name": "config", "mountPath": .string(Self.configPath), "readOnly": true],
      ],
      "securityContext": [
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": ["drop": ["ALL"]],
      ],
    ]
    if node.isBroker, let listener = listeners.first {
      container["env"] = .array(
        container["env"].elements + [
          ["name": "SWIFTWATER_BOOTSTRAP_SERVER", "value": .string("$(POD_IP):\(listener.port)")]
        ])
      container["lifecycle"] = ["preStop": ["exec": ["command": JSON(stopWords(node))]]]
    }
    let resources = cluster.spec.resources.json
    if resources != [:] { container["resources"] = resources }
    return container
  }

  /// Waits until every partition keeps its minimum without the broker, also where somebody else than the operator stops
  /// the pod. Only containers' own words have their variables filled in, so that the address comes by the environment.
  private func stopWords(_ node: Node) -> [String] {
    ["/usr/bin/swiftwater", "brokers", "await-stop", "\(node.id.value)", "--for", "\(Self.stopPatienceSeconds)"]
  }

  /// What depends on a path or on the pod's address; everything else is in server.properties.
  private func arguments(_ node: Node) -> [String] {
    var bound = node.isBroker ? listeners.map { "\($0.name.uppercased())://$(POD_IP):\($0.port)" } : []
    if node.isController { bound.append("\(Self.controllerListener)://$(POD_IP):\(Self.controllerPort)") }
    return [
      "broker", "--await", quorumKey(node), "\(Self.configPath)/server.properties",
      "--override", "log.dirs=\(Self.dataPath)/data",
      "--override", "listeners=\(bound.joined(separator: ","))",
      "--override", "metrics.listener=$(POD_IP):\(Self.metricsPort)",
    ]
  }
}
