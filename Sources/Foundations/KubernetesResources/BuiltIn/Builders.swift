public import JSONValue

/// Built-in objects that the operator applies, as far as it decides about them.
public enum Build {
  public static func object(_ kind: ObjectKind, _ meta: ObjectMeta, _ body: [(String, JSON)]) -> JSON {
    var json: JSON = ["apiVersion": .string(kind.apiVersion), "kind": .string(kind.kind), "metadata": meta.json]
    for (key, value) in body { json[key] = value }
    return json
  }

  public static func serviceAccount(_ meta: ObjectMeta) -> JSON {
    // The pods ask the API server for nothing.
    object(.serviceAccount, meta, [("automountServiceAccountToken", false)])
  }

  public static func configMap(_ meta: ObjectMeta, _ data: [String: String]) -> JSON {
    object(.configMap, meta, [("data", JSON(data))])
  }

  public struct Port: Sendable {
    public let name: String
    public let port: Int
    public init(_ name: String, _ port: Int) {
      self.name = name
      self.port = port
    }
  }

  /// `type` is ClusterIP, NodePort, LoadBalancer, or nil for a headless Service.
  public static func service(_ meta: ObjectMeta, type: String?, selector: [String: String], ports: [Port]) -> JSON {
    var spec: JSON = [
      "type": .string(type ?? "ClusterIP"), "selector": JSON(selector),
      // Who waits for a name that waits for who waits never starts: addresses are told before pods are ready.
      "publishNotReadyAddresses": true,
      "ports": .array(
        ports.map {
          ["name": .string($0.name), "port": JSON($0.port), "targetPort": JSON($0.port), "protocol": "TCP"]
        }),
    ]
    if type == nil { spec["clusterIP"] = "None" }
    // Clients that were sent to one broker must come to that broker's own machine.
    if type == "NodePort" || type == "LoadBalancer" { spec["externalTrafficPolicy"] = "Local" }
    return object(.service, meta, [("spec", spec)])
  }

  public static func claim(_ meta: ObjectMeta, size: String, storageClass: String?) -> JSON {
    var spec: JSON = ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": .string(size)]]]
    if let storageClass { spec["storageClassName"] = .string(storageClass) }
    return object(.claim, meta, [("spec", spec)])
  }

  public static func disruptionBudget(
    _ kind: ObjectKind, _ meta: ObjectMeta, maxUnavailable: Int, selector: [String: String]
  ) -> JSON {
    object(
      kind, meta,
      [("spec", ["maxUnavailable": JSON(maxUnavailable), "selector": ["matchLabels": JSON(selector)]])])
  }

  /// Lets TCP in on these ports, from anywhere, and nothing else. Other Regions' pods are strangers to a selector.
  public static func networkPolicy(_ meta: ObjectMeta, selector: [String: String], ports: [Int]) -> JSON {
    object(
      .networkPolicy, meta,
      [
        (
          "spec",
          [
            "podSelector": ["matchLabels": JSON(selector)], "policyTypes": ["Ingress"],
            "ingress": [["ports": .array(ports.map { ["port": JSON($0), "protocol": "TCP"] })]],
          ]
        )
      ])
  }

  /// One pod with a name of its own, restarted by nobody but the operator.
  public static func statefulSet(
    _ meta: ObjectMeta, service: String, selector: [String: String], podLabels: [String: String],
    podAnnotations: [String: String], pod: JSON
  ) -> JSON {
    object(
      .statefulSet, meta,
      [
        (
          "spec",
          [
            "replicas": 1, "serviceName": .string(service), "podManagementPolicy": "Parallel",
            "updateStrategy": ["type": "OnDelete"], "selector": ["matchLabels": JSON(selector)],
            "template": [
              "metadata": ["labels": JSON(podLabels), "annotations": JSON(podAnnotations)], "spec": pod,
            ],
          ]
        )
      ])
  }
}
