/// A place where brokers run: a failure, isolation and sovereignty domain.
public struct Region: Resource {
  public static let kind = "Region"
  public static let plural = "regions"
  public static let shortNames = ["kregion"]
  public static let about =
    "A place where brokers run: one Kubernetes cluster or a part of one, which fails, is isolated and is sovereign as a whole."
  public static let columns = [
    PrinterColumn("Provider", ".spec.provider", "Who runs it."),
    PrinterColumn("Location", ".spec.location", "Where it is."),
    .condition("Reachable", "Reachable", "Whether its API server answers."),
    PrinterColumn("Brokers", ".status.brokers.ready", type: "integer", "Brokers that are ready."),
    PrinterColumn("Desired", ".status.brokers.desired", type: "integer", "Brokers that should be."),
    PrinterColumn("Round Trip", ".status.roundTrip", "How long its API server takes to answer."),
    PrinterColumn("Kubernetes", ".status.kubernetesVersion", priority: 1, "The version of its API server."),
    PrinterColumn("Age", ".metadata.creationTimestamp", type: "date", "When it was applied."),
  ]
  public var metadata = ObjectMeta(name: "")
  public var spec = RegionSpec()
  public var status = RegionStatus()
  public init() {}
}

public struct RegionSpec: Fields {
  public var provider: String?
  public var location: String?
  public var sovereignty: [String] = []
  public var access: RegionAccess?
  public var scheduling = RegionScheduling()
  public var network = RegionNetwork()
  public init() {}

  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.text("provider", &provider, .any, "Who runs the place; compared when a rule says to survive a provider.")
    c.text("location", &location, .any, "Where the place is, in the provider's words, such as eu-west-1.")
    c.texts(
      "sovereignty", &sovereignty, .any, max: ResourceLimits.itemsMax, "Tags that a topic may require, such as EU.")
    c.part(
      "access", &access,
      "How its Kubernetes cluster is reached; left out, it is the cluster that this object was applied to.")
    c.part("scheduling", &scheduling, .defaulted, "Where in the Kubernetes cluster pods may run.")
    c.part("network", &network, .defaulted, "How its brokers are reached from clients and from other Regions.")
  }
}

public struct RegionAccess: Fields {
  public var kubeconfigSecret = SecretKeyReference()
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.part("kubeconfigSecret", &kubeconfigSecret, .required, "The Secret in this namespace that holds a kubeconfig.")
  }
}

public struct SecretKeyReference: Fields {
  public var name = ""
  public var key = "kubeconfig"
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.text("name", &name, .name, .required, "The name of the Secret.")
    c.text("key", &key, .dataKey, .defaulted, "The key in the Secret.")
  }
}

public struct RegionScheduling: Fields {
  public var nodeSelector: [String: String] = [:]
  public var tolerations: [Toleration] = []
  public var zones: [String] = []
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.textMap("nodeSelector", &nodeSelector, .any, "Labels that a machine needs to have.")
    c.parts("tolerations", &tolerations, key: nil, max: ResourceLimits.itemsMax, "Taints that are put up with.")
    c.texts(
      "zones", &zones, .any, max: ResourceLimits.itemsMax,
      "Zones (topology.kubernetes.io/zone) over which the nodes are dealt out in turn; each broker's rack is then region/zone."
    )
  }
}

public struct Toleration: Fields {
  public enum Operator: String, Choice { case exists = "Exists", equal = "Equal" }
  public var key: String?
  public var match = Operator.equal
  public var value: String?
  public var effect: String?
  public var tolerationSeconds: Int?
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.text("key", &key, .any, "The taint's key; left out, every taint is meant.")
    c.choice("operator", &match, .defaulted, "Whether the value counts (Equal) or only the key (Exists).")
    c.text("value", &value, .any, "The taint's value.")
    c.text("effect", &effect, .any, "NoSchedule, PreferNoSchedule or NoExecute; left out, every effect is meant.")
    c.number("tolerationSeconds", &tolerationSeconds, 0...Int.max, "How long NoExecute is put up with.")
  }
}

public struct RegionNetwork: Fields {
  public enum Kind: String, Choice {
    case podIP = "PodIP"
    case multiClusterService = "MultiClusterService"
    case nodePort = "NodePort"
    case loadBalancer = "LoadBalancer"
    case hostTemplate = "HostTemplate"
  }
  public var type = Kind.podIP
  public var hostTemplate: String?
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.choice(
      "type", &type, .defaulted,
      "PodIP: pods of all Regions reach each other. MultiClusterService: one exported Service for each broker (MCS API). NodePort, LoadBalancer: one such Service for each broker. HostTemplate: names that somebody else makes reach the brokers."
    )
    c.text(
      "hostTemplate", &hostTemplate, .hostTemplate,
      "For HostTemplate: the host name of a broker, with {pod}, and if wanted {ordinal}, {region}, {cluster} and {namespace}."
    )
  }
  public static var rules: [SchemaRule] {
    [
      SchemaRule(
        "self.type != 'HostTemplate' || (has(self.hostTemplate) && (self.hostTemplate.contains('{pod}') || self.hostTemplate.contains('{ordinal}')))",
        "hostTemplate is needed for type HostTemplate, with {pod} or {ordinal} in it")
    ]
  }
}

public struct RegionStatus: Fields {
  public var observedGeneration = 0
  public var conditions: [Condition] = []
  public var member: String?
  public var memberUID: String?
  public var kubernetesVersion: String?
  public var roundTrip: String?
  public var brokers: Readiness?
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.number(
      "observedGeneration", &observedGeneration, 0...Int.max, .defaulted,
      "The generation of the spec that this is about.")
    c.parts("conditions", &conditions, key: "type", max: ResourceLimits.itemsMax, "Reachable and Ready, in sentences.")
    c.text("member", &member, .any, "The name of the Kubernetes cluster that was found there.")
    c.text(
      "memberUID", &memberUID, .any,
      "The uid of the ConfigMap swiftwater-member there, by which the Kubernetes cluster is known again.")
    c.text("kubernetesVersion", &kubernetesVersion, .any, "The version of its API server.")
    c.text("roundTrip", &roundTrip, .any, "How long its API server takes to answer, rounded so that it rarely changes.")
    c.part("brokers", &brokers, "Brokers of all clusters in this Region.")
  }
}

public struct Readiness: Fields {
  public var desired = 0
  public var ready = 0
  public init() {}
  public init(desired: Int, ready: Int) {
    self.desired = desired
    self.ready = ready
  }
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.number("desired", &desired, 0...Int(Int32.max), .defaulted, "How many there should be.")
    c.number("ready", &ready, 0...Int(Int32.max), .defaulted, "How many serve.")
  }
}
