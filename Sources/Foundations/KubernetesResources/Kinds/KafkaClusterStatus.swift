/// What is known of a KafkaCluster. Every list is sorted, so that the same state is the same text.
public struct KafkaClusterStatus: Fields {
  public var observedGeneration = 0
  public var summary: String?
  public var clusterID: String?
  public var nodeIDBlocks: [NodeIDBlock] = []
  public var initialVoters: [Int] = []
  public var bootstrapServers: [String] = []
  public var brokers: Readiness?
  public var quorum: QuorumStatus?
  public var regions: [RegionShareStatus] = []
  public var partitions: PartitionCounts?
  public var conditions: [Condition] = []
  public init() {}

  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.number(
      "observedGeneration", &observedGeneration, 0...Int.max, .defaulted,
      "The generation of the spec that this is about.")
    c.text("summary", &summary, .any, "What is going on, in one sentence.")
    c.text(
      "clusterID", &clusterID, .any,
      "Kafka's id of the cluster. It is decided once, before anything starts, and copied to every member.")
    c.parts(
      "nodeIDBlocks", &nodeIDBlocks, key: "region", max: ResourceLimits.statusItemsMax,
      "Which node ids belong to which Region, for ever: a Region that was taken out keeps its own.")
    c.numbers(
      "initialVoters", &initialVoters, max: ResourceLimits.statusItemsMax,
      "Node ids of the voters that the metadata quorum began with.")
    c.texts(
      "bootstrapServers", &bootstrapServers, .any, max: ResourceLimits.statusItemsMax,
      "Addresses in every Region, so that no one Region is the door.")
    c.part("brokers", &brokers, "Brokers of all Regions.")
    c.part("quorum", &quorum, "The metadata quorum.")
    c.parts("regions", &regions, key: "name", max: ResourceLimits.statusItemsMax, "What is known of each Region.")
    c.part("partitions", &partitions, "Partitions of all topics.")
    c.parts("conditions", &conditions, key: "type", max: ResourceLimits.itemsMax, "What holds, in sentences.")
  }
}

public struct NodeIDBlock: Fields, Comparable {
  public var region = ""
  public var first = 0
  public init() {}
  public init(region: String, first: Int) {
    self.region = region
    self.first = first
  }
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.text("region", &region, .label, .required, "The Region.")
    c.number("first", &first, 0...Int(Int32.max), .required, "Its first node id; 100 belong to it.")
  }
  public static func < (a: Self, b: Self) -> Bool { (a.first, a.region) < (b.first, b.region) }
}

public struct QuorumStatus: Fields {
  public var leader: Int?
  public var voters: [Int] = []
  public var observers: [Int] = []
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.number("leader", &leader, 0...Int(Int32.max), "The node that leads it; left out where nobody does.")
    c.numbers("voters", &voters, max: ResourceLimits.statusItemsMax, "Nodes that vote.")
    c.numbers("observers", &observers, max: ResourceLimits.statusItemsMax, "Nodes that follow without a vote.")
  }
}

public struct RegionShareStatus: Fields {
  public var name = ""
  public var brokers = 0
  public var ready = 0
  public var inSync = 0
  public var leaders = 0
  public var unknownSince: String?
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.text("name", &name, .label, .required, "The Region.")
    c.number("brokers", &brokers, 0...Int(Int32.max), .defaulted, "Brokers that should be there.")
    c.number("ready", &ready, 0...Int(Int32.max), .defaulted, "Brokers that serve.")
    c.number("inSync", &inSync, 0...Int(Int32.max), .defaulted, "Replicas there that are in sync.")
    c.number("leaders", &leaders, 0...Int(Int32.max), .defaulted, "Partitions that are led from there.")
    c.text("unknownSince", &unknownSince, .any, "Since when its API server has not answered; left out while it does.")
  }
}

public struct PartitionCounts: Fields {
  public var total = 0
  public var offline = 0
  public var underReplicated = 0
  public var underMinISR = 0
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.number("total", &total, 0...Int(Int32.max), .defaulted, "All of them.")
    c.number("offline", &offline, 0...Int(Int32.max), .defaulted, "Without a leader.")
    c.number("underReplicated", &underReplicated, 0...Int(Int32.max), .defaulted, "With a replica that is not in sync.")
    c.number("underMinISR", &underMinISR, 0...Int(Int32.max), .defaulted, "With too few in sync for acks=all.")
  }
}
