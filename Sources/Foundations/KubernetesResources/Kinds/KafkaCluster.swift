/// One Kafka stretched over Regions.
public struct KafkaCluster: Resource {
  public static let kind = "KafkaCluster"
  public static let plural = "kafkaclusters"
  public static let shortNames = ["kc"]
  public static let about = "One Kafka stretched over Regions."
  public static let columns = [
    .condition("Ready", "Ready", "Whether it serves."),
    PrinterColumn("Brokers", ".status.brokers.ready", type: "integer", "Brokers that are ready."),
    PrinterColumn("Desired", ".status.brokers.desired", type: "integer", "Brokers that should be."),
    .condition("Quorum", "QuorumHealthy", "Whether the metadata quorum has a leader and a majority to spare."),
    .condition("Survives Region", "SurvivesRegionLoss", "Whether any one Region could be lost now."),
    PrinterColumn("Offline", ".status.partitions.offline", type: "integer", "Partitions without a leader."),
    PrinterColumn(
      "Under Min ISR", ".status.partitions.underMinISR", type: "integer", "Partitions that refuse acks=all."),
    PrinterColumn("Status", ".status.summary", "What is going on, in one sentence."),
    PrinterColumn("Cluster ID", ".status.clusterID", priority: 1, "Kafka's id of the cluster."),
    PrinterColumn("Age", ".metadata.creationTimestamp", type: "date", "When it was applied."),
  ]
  public var metadata = ObjectMeta(name: "")
  public var spec = KafkaClusterSpec()
  public var status = KafkaClusterStatus()
  public init() {}
}

public struct KafkaClusterSpec: Fields {
  public static let defaultImage = "ghcr.io/swiftwater/swiftwater:latest"
  public var regions: [RegionShare] = []
  public var listeners: [KafkaListener] = []
  public var durability = Durability()
  public var rolling = Rolling()
  public var config: [String: String] = [:]
  public var resources = ResourceRequirements()
  public var image = Self.defaultImage
  public var imagePullPolicy = PullPolicy.ifNotPresent
  public init() {}

  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.parts(
      "regions", &regions, key: "name", max: ResourceLimits.itemsMax,
      "The Regions it is stretched over, and its share of each.")
    c.parts(
      "listeners", &listeners, key: "name", max: 16,
      "Where clients connect; left out, one listener PLAINTEXT on port 9092. Brokers use the first among themselves.")
    c.part("durability", &durability, .defaulted, "What may be lost without losing an acknowledged record.")
    c.part("rolling", &rolling, .defaulted, "How careful restarts are.")
    c.textMap("config", &config, .any, "Kafka's own broker settings (server.properties), for every broker.")
    c.part("resources", &resources, .defaulted, "CPU and memory of each node.")
    c.text("image", &image, .any, .defaulted, "The image of every node.")
    c.choice("imagePullPolicy", &imagePullPolicy, .defaulted, "When machines fetch the image.")
  }
  public static var rules: [SchemaRule] {
    [
      SchemaRule(
        "has(self.regions) && self.regions.exists(r, r.brokers > 0)", "at least one Region needs brokers of 1 or more"),
      SchemaRule(
        "has(self.regions) && self.regions.exists(r, r.controllers > 0)",
        "at least one Region needs controllers of 1 or more"),
    ]
  }
}

public enum PullPolicy: String, Choice { case ifNotPresent = "IfNotPresent", always = "Always", never = "Never" }

public struct RegionShare: Fields {
  public var name = ""
  public var brokers = 0
  public var controllers = 0
  public var storage = Storage()
  public init() {}
  public init(_ name: String, brokers: Int, controllers: Int) {
    self.name = name
    self.brokers = brokers
    self.controllers = controllers
  }
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.text("name", &name, .label, .required, "The name of the Region object in the same namespace.")
    c.number(
      "brokers", &brokers, 0...ResourceLimits.nodesPerRegionMax, .defaulted,
      "Brokers there; 0 makes a witness that only votes.")
    c.number(
      "controllers", &controllers, 0...ResourceLimits.nodesPerRegionMax, .defaulted,
      "Voters of the metadata quorum there. The first brokers are controllers too; controllers beyond the brokers get nodes of their own."
    )
    c.part("storage", &storage, .defaulted, "The volume of each node.")
  }
}

public struct Storage: Fields {
  public enum Deletion: String, Choice { case retain = "Retain", delete = "Delete" }
  public var size = "10Gi"
  public var storageClassName: String?
  public var deletionPolicy = Deletion.retain
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.text("size", &size, .quantity, .defaulted, "How large; it can grow and never shrinks.")
    c.text(
      "storageClassName", &storageClassName, .name, "The StorageClass; left out, the Kubernetes cluster's default.")
    c.choice(
      "deletionPolicy", &deletionPolicy, .defaulted,
      "Whether the volume stays (Retain) or goes (Delete) with a node that was taken away on purpose.")
  }
}

public struct KafkaListener: Fields {
  public enum Authentication: String, Choice {
    case none, scramSHA256 = "scram-sha-256", scramSHA512 = "scram-sha-512", tls, oauthbearer
  }
  public var name = "plaintext"
  public var port = 9092
  public var tls = false
  public var authentication = Authentication.none
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.text("name", &name, .label, .required, "The listener's name; in upper case it is Kafka's name of it.")
    c.number("port", &port, 1024...65535, .required, "The port on every broker.")
    c.flag("tls", &tls, "Whether it speaks TLS.")
    c.choice("authentication", &authentication, .defaulted, "How clients say who they are.")
  }
}

public struct Durability: Fields {
  public enum Loss: String, Choice { case broker = "Broker", region = "Region", provider = "Provider" }
  public var survive = Loss.region
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.choice(
      "survive", &survive, .defaulted,
      "What may be lost as a whole without losing an acknowledged record: it picks the replication factor, min.insync.replicas and min.insync.regions of topics that say nothing else."
    )
  }
}

public struct Rolling: Fields {
  public enum Margin: String, Choice { case region = "Region", none = "None" }
  public var keep = Margin.region
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.choice(
      "keep", &keep, .defaulted,
      "Region: a broker restarts only while each of its partitions could lose any other Region meanwhile, where its placement can give that at all. None: min.insync.replicas is enough."
    )
  }
}

public struct ResourceRequirements: Fields {
  public var requests: [String: String] = [:]
  public var limits: [String: String] = [:]
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.textMap("requests", &requests, .quantity, "What a node is promised, such as cpu: 500m and memory: 1Gi.")
    c.textMap("limits", &limits, .quantity, "What a node may use at most.")
  }
}
