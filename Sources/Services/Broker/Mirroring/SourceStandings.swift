import ClusterMetadata
import KafkaClient
import KafkaProtocol
import MirrorPlanning
import Vocabulary

/// What one broker of the source has said while it was asked to stop.
struct SourceSaid: Sendable {
  /// The fences of each topic, as this broker has read them.
  var fences: [TopicName: String] = [:]
  /// Those that hold for what groups commit.
  var commitFences: [TopicName: String] = [:]
  var mirrored: [TopicName] = []
  var ends: [TopicPartition: Offset] = [:]
  /// Which topic has a name, and how many partitions.
  var counts: [TopicName: (id: UniqueID, partitions: Int)] = [:]

  func isFenced(_ name: TopicName, by word: String) -> Bool { commaSeparated(fences[name] ?? "").contains(word) }

  /// No group commits for the topic here since it has said so.
  func takesNoCommits(_ name: TopicName, for word: String) -> Bool {
    isFenced(name, by: word) && commaSeparated(commitFences[name] ?? "").contains(word)
  }

  mutating func add(_ other: Self) {
    fences.merge(other.fences) { first, _ in first }
    commitFences.merge(other.commitFences) { first, _ in first }
    mirrored += other.mirrored
    ends.merge(other.ends) { first, _ in first }
    counts.merge(other.counts) { first, _ in first }
  }
}

/// Asks one broker of the source how far it is with closing topics, of which it may lead partitions.
struct SourceStandings: Sendable {
  private let link: MirrorLink
  private let view: SourceCluster.View
  private let node: NodeID

  init(_ link: MirrorLink, _ view: SourceCluster.View, _ node: NodeID) {
    self.link = link
    self.view = view
    self.node = node
  }

  /// The fences first, and then everything else: what a leader lets in after it has said that it is closed does not exist.
  /// Whoever has read of a fence has read of every partition that was made before it.
  func ask(
    about names: [TopicName], _ partitions: [TopicPartition], then: @escaping @Sendable (SourceSaid) -> Void
  ) {
    guard let peer = link.source.peer(of: node, for: .questions) else { return then(SourceSaid()) }
    var request = DescribeConfigsRequest()
    request.resources = names.map { name in
      var resource = DescribeConfigsRequest.Resource()
      resource.resourceType = ConfigResourceType.topic.rawValue
      resource.resourceName = name.text
      resource.configurationKeys = [MirrorConfigs.fence, MirrorConfigs.commitFence, "mirror.link"]
      return resource
    }
    peer.ask(request, within: SourceCluster.span) { result in
      guard case .success(let answer) = result else { return then(SourceSaid()) }
      var said = SourceSaid()
      for entry in answer.response.results where entry.errorCode == .none {
        guard let name = TopicName(entry.resourceName) else { continue }
        for config in entry.configs {
          guard let value = config.value, !value.isEmpty else { continue }
          switch config.name {
          case MirrorConfigs.fence: said.fences[name] = value
          case MirrorConfigs.commitFence: said.commitFences[name] = value
          default: said.mirrored.append(name)
          }
        }
      }
      let first = said
      let gathering = Gathering<SourceSaid>(count: 2) { parts in then(parts.reduce(into: first) { $0.add($1) }) }
      askEnds(peer, partitions) { gathering.put($0, at: 0) }
      askCounts(peer, names) { gathering.put($0, at: 1) }
    }
  }

  private func askEnds(
    _ peer: Peer, _ partitions: [TopicPartition], _ then: @escaping @Sendable (SourceSaid) -> Void
  ) {
    var request = OffsetForLeaderEpochRequest()
    request.replicaID = -1
    request.topics = Dictionary(grouping: partitions, by: \.topic).sorted { $0.key < $1.key }.map { name, places in
      var topic = OffsetForLeaderEpochRequest.Topic()
      topic.topic = name.text
      topic.partitions = places.sorted().compactMap { place in
        guard let epoch = view.topics[name]?.partitions[Int(place.partition.value)].epoch else { return nil }
        var ask = OffsetForLeaderEpochRequest.Partition()
        ask.partition = place.partition.value
        ask.currentLeaderEpoch = epoch.value
        ask.leaderEpoch = epoch.value
        return ask
      }
      return topic
    }
    peer.ask(request, within: SourceCluster.span) { result in
      var said = SourceSaid()
      guard case .success(let answer) = result else { return then(said) }
      for topic in answer.response.topics {
        guard let name = TopicName(topic.topic) else { continue }
        for one in topic.partitions where one.errorCode == .none && one.endOffset >= 0 {
          said.ends[TopicPartition(name, PartitionIndex(one.partition))] = Offset(one.endOffset)
        }
      }
      then(said)
    }
  }

  private func askCounts(_ peer: Peer, _ names: [TopicName], _ then: @escaping @Sendable (SourceSaid) -> Void) {
    var request = MetadataRequest()
    request.topics = names.map { name in
      var topic = MetadataRequest.Topic()
      topic.name = name.text
      return topic
    }
    request.allowAutoTopicCreation = false
    // v10 is the first that gives topics their ids.
    peer.ask(request, lowest: 10, within: SourceCluster.span) { result in
      var said = SourceSaid()
      guard case .success(let answer) = result else { return then(said) }
      for topic in answer.response.topics where topic.errorCode == .none {
        guard let name = topic.name.flatMap(TopicName.init) else { continue }
        said.counts[name] = (topic.topicID, topic.partitions.count)
      }
      then(said)
    }
  }
}
