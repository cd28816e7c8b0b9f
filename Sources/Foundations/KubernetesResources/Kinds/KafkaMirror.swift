/// Topics of another cluster that are copied into a KafkaCluster at the same offsets, and which of the two owns them.
public struct KafkaMirror: Resource {
  public static let kind = "KafkaMirror"
  public static let plural = "kafkamirrors"
  public static let shortNames = ["km"]
  public static let about =
    "Topics of another cluster that are copied into a KafkaCluster at the same offsets, and which of the two owns them."
  public static let columns = [
    PrinterColumn("Target", ".spec.target", "The KafkaCluster that is copied into."),
    PrinterColumn("Source", ".status.source", "The cluster that is copied from."),
    PrinterColumn("Wanted", ".spec.role", "What the target shall be for the topics."),
    PrinterColumn("Role", ".status.role", "What the target is: Standby while it copies, Primary once it owns them."),
    .condition("Ready", "Ready", "Whether it is what it shall be, and nothing is left out."),
    .condition("Mirroring", "Mirroring", "Whether records are being copied."),
    PrinterColumn(
      "Lag", ".status.lagRecords", type: "integer", "Records that are not copied yet; empty where unknown."),
    PrinterColumn("Source Read", ".status.sourceReadingAge", "How old what is known of the source is."),
    PrinterColumn("Halted", ".status.partitions.halted", type: "integer", "Partitions that stand still."),
    PrinterColumn("Status", ".status.conditions[?(@.type==\"Ready\")].message", "What is going on, in one sentence."),
    PrinterColumn(
      "Generation", ".status.generation", type: "integer", priority: 1,
      "Rises with every change of who owns the topics."),
    PrinterColumn("Age", ".metadata.creationTimestamp", type: "date", "When it was applied."),
  ]
  public var metadata = ObjectMeta(name: "")
  public var spec = KafkaMirrorSpec()
  public var status = KafkaMirrorStatus()
  public init() {}
  /// The name of the mirror in Kafka.
  public var mirrorName: String { metadata.name }
}

public struct KafkaMirrorSpec: Fields {
  public enum Role: String, Choice { case standby = "Standby", primary = "Primary" }
  public enum GapPolicy: String, Choice { case halt = "Halt", accept = "Accept" }
  public enum DivergencePolicy: String, Choice { case halt = "Halt", setAside = "SetAside" }
  public enum Deletion: String, Choice { case pause = "Pause", retain = "Retain" }
  public var target = ""
  public var source = MirrorSource()
  public var topics = ["*"]
  public var groups = ["*"]
  public var gapPolicy = GapPolicy.halt
  public var divergencePolicy = DivergencePolicy.halt
  public var setAsideBytesMax = 1 << 30
  public var throttledRate: Int?
  public var fetchBufferBytes: Int?
  public var fetchers: Int?
  public var paused = false
  public var role = Role.standby
  public var failoverGeneration: Int?
  public var fencesSource = true
  public var deletionPolicy = Deletion.pause
  public init() {}

  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.text("target", &target, .name, .required, "The KafkaCluster in this namespace that is copied into.")
    c.part("source", &source, .required, "The cluster that is copied from.")
    c.texts(
      "topics", &topics, .topicSelection, max: ResourceLimits.itemsMax,
      "Topics to copy: names, or beginnings of names with a * after them; left out, all.")
    c.texts(
      "groups", &groups, .groupSelection, max: ResourceLimits.itemsMax,
      "Groups whose offsets are carried, in the same words; left out, all; an empty list is none.")
    c.choice(
      "gapPolicy", &gapPolicy, .defaulted,
      "What to do about records that the source removed before they were copied: Halt the partition, or Accept the gap."
    )
    c.choice(
      "divergencePolicy", &divergencePolicy, .defaulted,
      "What to do about copied records that the source has no more: Halt the partition, or SetAside what it has not.")
    c.number(
      "setAsideBytesMax", &setAsideBytesMax, 0...Int.max, .defaulted,
      "How many bytes of a partition may be set aside at once; where it is more, the partition halts.")
    c.number(
      "throttledRate", &throttledRate, 1...Int.max,
      "How many bytes a second each broker of the target takes from the source; left out, there is no limit. The last records of a switchover are copied without one, since producers wait for them."
    )
    c.number(
      "fetchBufferBytes", &fetchBufferBytes, 1...Int.max,
      "How many bytes each broker of the target may have fetched for this mirror and not written yet; left out, 32 MiB."
    )
    c.number(
      "fetchers", &fetchers, 1...16,
      "How many Fetches each broker of the target has under way at each broker of the source, each for a part of the partitions: more for a source that is far away; left out, 1."
    )
    c.flag("paused", &paused, "Whether nothing is copied for now. Only a Standby can be paused.")
    c.choice(
      "role", &role, .defaulted,
      "What the target shall be for the topics. Standby: a copy of the source's. Primary: their owner, where clients write. A change to Primary is a switchover, which needs the source and loses nothing; a change back is a fail-back."
    )
    c.number(
      "failoverGeneration", &failoverGeneration, 1...Int(Int32.max),
      "With role Primary, while status.generation is this number: take the topics over without asking the source, which may lose records. In any other generation it means nothing, so that it never counts twice."
    )
    c.flag(
      "fencesSource", &fencesSource,
      "Whether after a failover the source's topics are closed to writers as soon as it answers again. Not for a drill, in which both sides shall be written."
    )
    c.choice(
      "deletionPolicy", &deletionPolicy, .defaulted,
      "What becomes of the mirror when this object is deleted: it is paused (Pause) or goes on (Retain). Topics stay as they are, and nothing is promoted."
    )
  }
  public static var rules: [SchemaRule] {
    [
      SchemaRule("self.target == oldSelf.target", "a mirror cannot move to another target; make a new KafkaMirror")
    ]
  }
}

public struct MirrorSource: Fields {
  public var cluster: ClusterReference?
  public var bootstrapServers: [String] = []
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.part("cluster", &cluster, "A KafkaCluster that an operator here looks after as well.")
    c.texts(
      "bootstrapServers", &bootstrapServers, .address, max: ResourceLimits.itemsMax,
      "Where any other cluster is asked for its brokers: HOST:PORT of some of them.")
  }
  public static var rules: [SchemaRule] {
    [
      SchemaRule(
        "has(self.cluster) != (has(self.bootstrapServers) && size(self.bootstrapServers) > 0)",
        "either cluster or bootstrapServers is needed, and not both")
    ]
  }
}

/// What is known of a mirror. What is not known is left out, and is never zero.
public struct KafkaMirrorStatus: Fields {
  public var observedGeneration = 0
  public var mirrorName: String?
  public var target: String?
  public var source: String?
  public var sourceClusterID: String?
  public var role: String?
  public var generation: Int?
  public var topics: Int?
  public var partitions: MirrorPartitionCounts?
  public var lagRecords: Int?
  public var sourceReadingAge: String?
  public var lastPromotion: MirrorPromotion?
  public var conditions: [Condition] = []
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.number(
      "observedGeneration", &observedGeneration, 0...Int.max, .defaulted,
      "The generation of the spec that this is about.")
    c.text(
      "mirrorName", &mirrorName, .any, "The mirror's name in Kafka, once this object has made it or taken it over.")
    c.text("target", &target, .any, "The KafkaCluster in which that mirror is.")
    c.text("source", &source, .any, "The cluster that is copied from: its KafkaCluster, or its first address.")
    c.text("sourceClusterID", &sourceClusterID, .any, "Kafka's id of the source: the mirror copies from no other.")
    c.text("role", &role, .any, "What the target is: Standby while it copies, Primary once it owns the topics.")
    c.number(
      "generation", &generation, 0...Int(Int32.max), "Rises with every change of who owns the topics.")
    c.number("topics", &topics, 0...Int(Int32.max), "Topics that the mirror writes.")
    c.part("partitions", &partitions, "Partitions that the mirror writes.")
    c.number(
      "lagRecords", &lagRecords, 0...Int.max,
      "Records that the source has and the target has not, of all partitions; left out while it is not known of each.")
    c.text(
      "sourceReadingAge", &sourceReadingAge, .any,
      "How old the newest that is known of the source is, of the partition of which it is oldest; rounded, so that it rarely changes. Left out where nothing is known."
    )
    c.part("lastPromotion", &lastPromotion, "The last change of the target to Primary, and what it lost.")
    c.parts("conditions", &conditions, key: "type", max: ResourceLimits.itemsMax, "What holds, in sentences.")
  }
}

public struct MirrorPartitionCounts: Fields {
  public var total = 0
  public var copying = 0
  public var waiting = 0
  public var halted = 0
  public var unknown = 0
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    let range = 0...Int(Int32.max)
    c.number("total", &total, range, .defaulted, "All of them.")
    c.number("copying", &copying, range, .defaulted, "Those that are copied.")
    c.number("waiting", &waiting, range, .defaulted, "Those whose source does not answer, or that were stopped.")
    c.number(
      "halted", &halted, range, .defaulted, "Those that stand still for a reason that somebody has to decide on.")
    c.number("unknown", &unknown, range, .defaulted, "Those of which no broker says anything.")
  }
}

/// How topics became the target's own, as the brokers have reported it.
public struct MirrorPromotion: Fields {
  public var by = ""
  public var at = ""
  public var generation = 0
  public var partitions = 0
  public var unknownPartitions = 0
  public var knownLostRecords: Int?
  public var knownMillisecondsBefore: Int?
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.text("by", &by, .any, .required, "Switchover, which loses nothing, or Failover.")
    c.text("at", &at, .any, .required, "When.")
    c.number("generation", &generation, 0...Int(Int32.max), .required, "The generation that began with it.")
    c.number("partitions", &partitions, 0...Int(Int32.max), .defaulted, "Partitions that the report is about.")
    c.number(
      "unknownPartitions", &unknownPartitions, 0...Int(Int32.max), .defaulted,
      "Partitions of which the source's end was not known: what they lost is unknown.")
    c.number(
      "knownLostRecords", &knownLostRecords, 0...Int.max,
      "Records that the source is known to have had and the copy had not, of all other partitions. What the source took after it was last heard of comes on top."
    )
    c.number(
      "knownMillisecondsBefore", &knownMillisecondsBefore, 0...Int.max,
      "How old that knowledge was, of the partition of which it was oldest.")
  }
}
