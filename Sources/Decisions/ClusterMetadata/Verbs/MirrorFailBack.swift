public import Vocabulary

extension MetadataImage {
  /// Makes a topic that clients write here a copy that a mirror writes. From this change on no producer gets anything into
  /// it: every leader gets a new epoch, as far above the source's as that of a copy that begins.
  ///
  /// - Parameters:
  ///   - generation: that of the cluster that has taken over.
  ///   - epochs: the leader epochs of the partitions there.
  ///   - shared: up to where partitions are the same, by index, where that is known.
  public func giveUp(
    _ name: TopicName, to link: String, path: [String], generation: Int32, above epochs: [LeaderEpoch],
    shared: [Int: Offset] = [:]
  ) -> Decision<Result<Void, Refusal>> {
    let mirror = configs(of: .mirror(link))
    let resource = ConfigResource.topic(name.text)
    let own = configs(of: resource)
    guard mirror["state"] == "failback", let topic = topic(named: name), own["mirror.link"] == nil else {
      return Decision(
        records: [], answer: .failure(Refusal(.invalidRequest, "The mirror '\(link)' does not fail back \(name).")))
    }
    var records: [MetadataRecord] = [
      .configChanged(resource, key: "mirror.link", value: link),
      .configChanged(resource, key: "mirror.path", value: path.joined(separator: ",")),
    ]
    // What a switchover has closed is open again once the topic comes home.
    for key in [MirrorConfigs.fence, MirrorConfigs.commitFence] where own[key] != nil {
      records.append(.configChanged(resource, key: key, value: nil))
    }
    let known = mirror["generation"].flatMap { Int32($0) } ?? 1
    if generation > known {
      records.append(.configChanged(.mirror(link), key: "generation", value: String(generation)))
    }
    for (index, partition) in topic.partitions.enumerated() {
      var state = partition
      let there = epochs.indices.contains(index) ? epochs[index] : .none
      state.leaderEpoch = max(Self.next(partition.leaderEpoch), Self.above(there))
      state.partitionEpoch += 1
      records.append(.partitionCreated(topic: topic.id, PartitionIndex(Int32(index)), state))
      if let end = shared[index] {
        records.append(
          .configChanged(
            .mirror(link), key: MirrorConfigs.shared + "\(name)-\(index)",
            value: "end=\(end.value),epoch=\(partition.leaderEpoch.value)"))
      }
    }
    return Decision(records: records, answer: .success(()))
  }

  private static func next(_ epoch: LeaderEpoch) -> LeaderEpoch {
    epoch.value == .max ? epoch : LeaderEpoch(epoch.value + 1)
  }

  /// Whether another cluster has the offsets of groups for a topic, or is about to: what is committed for it here would be
  /// missing there.
  public func isClosedToCommits(_ name: TopicName) -> Bool {
    let own = configs(of: .topic(name.text))
    // Readers of a copy commit where they read.
    guard own["mirror.link"] == nil, let fences = own[MirrorConfigs.fence], let closed = own[MirrorConfigs.commitFence]
    else { return false }
    let words = Set(fences.split(separator: ","))
    return closed.split(separator: ",").contains(where: words.contains)
  }

  /// Gives a mirrored partition a new leader epoch after what diverged was cut off in `epoch`, so that readers look anew
  /// where they are.
  public func renewMirrored(_ place: TopicPartition, after epoch: LeaderEpoch, by link: String) -> [MetadataRecord] {
    guard configs(of: .topic(place.topic.text))["mirror.link"] == link, let topic = topic(named: place.topic),
      topic.partitions.indices.contains(Int(place.partition.value))
    else { return [] }
    let partition = topic.partitions[Int(place.partition.value)]
    guard partition.leaderEpoch == epoch, partition.leader != .none else { return [] }
    return [
      .partitionChanged(topic: topic.id, place.partition, PartitionChange(leader: partition.leader))
    ]
  }

  /// Writes down what was found out about partitions; nil takes a key away.
  public func note(_ values: [(key: String, value: String?)], of link: String) -> [MetadataRecord] {
    let own = configs(of: .mirror(link))
    guard own["bootstrap.servers"] != nil else { return [] }
    return values.filter { own[$0.key] != $0.value }.map {
      .configChanged(.mirror(link), key: $0.key, value: $0.value)
    }
  }

  /// The fail-back is done: what is written by it is a mirror like any other.
  public func endFailBack(_ link: String) -> [MetadataRecord] {
    let own = configs(of: .mirror(link))
    guard own["state"] == "failback" else { return [] }
    let shared = own.keys.filter { $0.hasPrefix(MirrorConfigs.shared) }.sorted()
    return [.configChanged(.mirror(link), key: "state", value: "running")]
      + shared.map { .configChanged(.mirror(link), key: $0, value: nil) }
  }
}
