/// What a mirror is asked for, and what it keeps about itself: the keys of a `.mirror` resource.
public enum MirrorConfigs {
  /// The number that requests and records of configs use for mirrors. Kafka's own go up to 32.
  public static let resourceType: Int8 = 100

  public static let all: [ConfigDefinition] = [
    key("bootstrap.servers", .freeList, nil, "Where the source cluster is asked for its brokers."),
    key("topics", .freeList, "*", "Topics to mirror: names, or beginnings of names with a * after them."),
    key("groups", .freeList, "*", "Groups whose offsets are carried, in the same words; none when empty."),
    key(
      "state", .choice(["running", "paused", "switchover", "failover", "failback"]), "running",
      "switchover and failover make the topics writable here, the first only once it has every record of the source; "
        + "failback makes topics that the source has taken over copies of it."),
    key(
      "gap.policy", .choice(["halt", "accept"]), "halt",
      "What to do about records that the source removed before they were copied."),
    key(
      "divergence.policy", .choice(["halt", "set-aside"]), "halt",
      "What to do about copied records that the source does not have any more, after an unclean election there: they are "
        + "written to a file and replaced, or the partition halts."),
    key(
      "set.aside.bytes.max", .long(0...Int64.max), "1073741824",
      "How much of a partition may be set aside at once; where it is more, the partition halts."),
    key(
      "source.fencing.enable", .boolean, "true",
      "After a failover: whether the source's topics are closed to writers as soon as it answers again."),
    key(
      throttledRate, .long(1...Int64.max), String(Int64.max),
      "Bytes a second that each broker takes from the source, in answers to Fetch. The last records of a switchover are "
        + "copied without a limit, since producers wait for them."),
    key(
      fetchBuffer, .long(1...Int64.max), "33554432",
      "Bytes that each broker may have fetched for this mirror and not written yet; the broker's own key of that name bounds "
        + "all mirrors together."),
    key(
      fetchers, .int(1...16), "1",
      "Fetches that each broker has under way at each broker of the source, each for a part of the partitions."),
    key("source.cluster.id", .string, nil, "The cluster that was found, and the only one that is copied from."),
    key(
      sourceKind, .choice([ofOurKind, "other"]), nil,
      "Whether the source is Swiftwater. Any other Kafka can be copied from, but not be closed to its writers."),
    key(
      "producer.ids.from", .long(0...Int64.max), nil,
      "Since the mirror began, no producer of this cluster gets an id below it: those may be the source's."),
    key("attempt", .int(0...Int64(Int32.max)), "0", "How many switchovers were asked for."),
    key("generation", .int(1...Int64(Int32.max)), nil, "Rises with every change of who owns the topics."),
    key("promoted", .string, nil, "When the failover was done, in milliseconds since 1970."),
    key("source.fenced", .int(1...Int64(Int32.max)), nil, "The last generation for which the source was closed."),
  ]
  public static let byName: [String: ConfigDefinition] = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  /// The key of a mirror's limit. The largest number is none.
  public static let throttledRate = "mirror.throttled.rate"
  public static let fetchBuffer = "mirror.fetch.buffer.bytes"
  public static let fetchers = "num.mirror.fetchers"
  /// The key of a mirror that says what its source is. There is none until the source has described a topic.
  public static let sourceKind = "source.kind"
  /// What it says where the source knows how to close a topic.
  public static let ofOurKind = "swiftwater"
  /// The key of a topic that a switchover of another cluster sets, over the network as any tool could.
  public static let fence = "mirror.fence"
  /// The same for what groups commit for the topic. It closes that only together with `fence`, which who opens a topic by
  /// hand takes away.
  public static let commitFence = "mirror.fence.commits"
  /// The key of a topic that was mirrored: of each partition the first leader epoch in which clients write.
  public static let opened = "mirror.opened"
  /// Begins the keys of what was known of the source of a partition, such as `known.orders-0`.
  public static let known = "known."
  /// Begins the keys of what was set aside of a partition.
  public static let aside = "aside."
  /// Begins the keys of where the log of a partition parts from that of who has taken over, while a fail-back lasts.
  public static let shared = "shared."
  private static let own: Set<String> = [
    "source.cluster.id", sourceKind, "producer.ids.from", "attempt", "generation", "promoted", "source.fenced",
  ]

  /// Whether a key belongs to the machinery: people read it and cannot change it.
  public static func isOwn(_ key: String, of resource: ConfigResource) -> Bool {
    switch resource {
    case .topic: key.hasPrefix("mirror.") && key != fence && key != commitFence
    case .mirror: own.contains(key) || isOfPartition(key)
    case .broker, .allBrokers: false
    }
  }

  private static func isOfPartition(_ key: String) -> Bool {
    key.hasPrefix(known) || key.hasPrefix(aside) || key.hasPrefix(shared)
  }

  /// Every key, as it comes to where `own` was set, and what is kept about partitions.
  public static func resolve(_ own: [String: String]) -> [ResolvedConfig] {
    let kept = own.keys.filter(isOfPartition).sorted().map { key in
      resolved(
        self.key(key, .string, nil, "What was found out about a partition."), own[key], .dynamicTopic, isReadOnly: true)
    }
    return resolveFixed(own) + kept
  }

  private static func resolveFixed(_ own: [String: String]) -> [ResolvedConfig] {
    all.map { known in
      resolved(
        known, own[known.name] ?? known.defaultValue, own[known.name] == nil ? .defaultValue : .dynamicTopic,
        isReadOnly: self.own.contains(known.name))
    }
  }

  /// What a running mirror says about itself, as one more key, which nobody can set.
  public static func status(_ key: String, _ value: String) -> ResolvedConfig {
    resolved(
      self.key(key, .string, nil, "What this broker knows of the mirror."), value, .defaultValue, isReadOnly: true)
  }

  private static func resolved(
    _ definition: ConfigDefinition, _ value: String?, _ source: ConfigSource, isReadOnly: Bool
  ) -> ResolvedConfig {
    let effective = ConfigValue(key: definition.name, value: value, source: source)
    return ResolvedConfig(
      definition: definition, effective: effective, synonyms: [effective], isReadOnly: isReadOnly)
  }

  private static func key(
    _ name: String, _ kind: ConfigKind, _ value: String?, _ documentation: String
  ) -> ConfigDefinition {
    ConfigDefinition(name: name, kind: kind, defaultValue: value, documentation: documentation)
  }
}
