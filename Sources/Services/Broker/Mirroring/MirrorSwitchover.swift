import ClusterMetadata
import EventLoop
import KafkaClient
import KafkaProtocol
import MirrorPlanning
import Synchronization
import Telemetry
import Vocabulary

/// One look at a switchover, by the active controller: asks what is there and takes the next step.
struct MirrorSwitchover: Sendable {
  enum Outcome: Sendable {
    case waits(String)
    case promoted
  }
  /// What one broker of the source has said.
  private struct Said: Sendable {
    /// The fences of each topic, as this broker has read them.
    var fences: [TopicName: String] = [:]
    var mirrored: [TopicName] = []
    var ends: [TopicPartition: Offset] = [:]
  }

  private let broker: Broker
  private let order: MirrorOrder
  private let link: MirrorLink
  private let view: SourceCluster.View

  init(_ broker: Broker, _ order: MirrorOrder, _ link: MirrorLink, _ view: SourceCluster.View) {
    self.broker = broker
    self.order = order
    self.link = link
    self.view = view
  }

  private var word: String { SourceFence.word(of: broker.clusterID, order.attempt) }

  func proceed(_ moments: SwitchoverMoments, then: @escaping @Sendable (Outcome) -> Void) {
    var topics: [TopicName: Int] = [:]
    var led: [NodeID: [TopicPartition]] = [:]
    for topic in broker.image.topics(mirroredBy: order.name) {
      let (name, count) = (topic.name, topic.partitions.count)
      topics[name] = count
      guard let there = view.topics[name], there.id == topic.id, there.partitions.count == count else {
        return then(.waits("the source has another topic \(name) than there is here, or other partitions of it"))
      }
      for (index, place) in there.partitions.enumerated() {
        guard let leader = place.leader else { return then(.waits("\(name)-\(index) has no leader at the source")) }
        led[leader, default: []].append(TopicPartition(name, PartitionIndex(Int32(index))))
      }
    }
    guard !topics.isEmpty else { return then(.waits("there is no topic to take over")) }
    let nodes = led.keys.sorted()
    let (known, leaders) = (topics, led)
    let gathering = Gathering<Said>(count: nodes.count) { said in
      let asked = monotonicNow()
      MirrorFindings(broker, order.name).survey { survey in
        broker.pool.run {
          take(
            known, leaders, Dictionary(zip(nodes, said)) { first, _ in first }, survey,
            { moments.note($0, $1, at: asked, in: order.attempt) }, then)
        }
      }
    }
    for (index, node) in nodes.enumerated() { ask(node, led[node] ?? []) { gathering.put($0, at: index) } }
  }

  private func take(
    _ topics: [TopicName: Int], _ led: [NodeID: [TopicPartition]], _ said: [NodeID: Said],
    _ survey: MirrorSurvey, _ note: @Sendable (SwitchoverMoments.Stage, Bool) -> TimeSpan?,
    _ then: @escaping @Sendable (Outcome) -> Void
  ) {
    if let name = said.values.flatMap(\.mirrored).min() {
      return then(
        .waits("\(name) is written by a mirror at the source as well: take it over from where that one copies"))
    }
    var fenced = Set(topics.keys)
    var source: [TopicPartition: SourceStanding] = [:]
    for (node, partitions) in led {
      for partition in partitions {
        let fence = commaSeparated(said[node]?.fences[partition.topic] ?? "")
        let isFenced = fence.contains(word)
        if !isFenced { fenced.remove(partition.topic) }
        let isEarly = broker.plantedInMirroring == .takesOverEarly
        let end = isEarly ? survey.statuses[partition]?.mark : said[node]?.ends[partition]
        source[partition] = SourceStanding(isFenced: isFenced, end: end)
      }
    }
    let isClosed = source.values.allSatisfy { $0.isFenced && $0.end != nil }
    let step = planSwitchover(
      generation: order.generationBefore(broker.plantedInMirroring), topics: topics, fenced: fenced, source: source,
      copies: survey.findings(isFinal: false), closedFor: note(.closed, isClosed))
    if case .promote = step {} else { _ = note(.copied, false) }
    switch step {
    case .fence(let names):
      SourceFence(link, view).alter(names.map { ($0, .append(word)) }) { refusal in
        then(.waits(refusal ?? "the source is being closed"))
      }
    case .waitForSource(let places): then(.waits("the source has not said yet where \(places.count) partitions end"))
    case .waitForCopies(let places): then(.waits("\(places.count) partitions are not copied yet"))
    case .promote(let generation, let reports):
      let copiedFor = note(.copied, true)
      let late = planGroupsPass(survey.groups, copiedFor: copiedFor)
      guard late.isEmpty else { return then(.waits("the offsets of groups are carried a last time")) }
      if let copiedFor, copiedFor >= groupsPatience {
        broker.log.warning("a mirror takes over without the last offsets of groups", ["mirror": order.name])
      }
      promote(generation, reports, then)
    }
  }

  private func promote(
    _ generation: Int32, _ reports: [TopicName: String], _ then: @escaping @Sendable (Outcome) -> Void
  ) {
    let (order, time) = (order, wallClockNow())
    broker.change { draft in
      draft.add(
        draft.image.promote(
          order.name, generation: generation, attempt: order.attempt, reports: reports, at: time))
    } then: { result in
      switch result.flatMap({ $0 }) {
      case .success:
        broker.log.info(
          "a mirror took over", ["mirror": order.name, "generation": "\(generation)", "topics": "\(reports.count)"])
        then(.promoted)
      case .failure(let refusal): then(.waits(refusal.message))
      }
    }
  }

  // MARK: Asking the source

  /// The fences first, and then the ends: what a leader lets in after it has said that it is closed does not exist.
  private func ask(_ node: NodeID, _ partitions: [TopicPartition], then: @escaping @Sendable (Said) -> Void) {
    guard let peer = link.source.peer(of: node, for: .questions) else { return then(Said()) }
    let names = Set(partitions.map(\.topic)).sorted()
    var request = DescribeConfigsRequest()
    request.resources = names.map { name in
      var resource = DescribeConfigsRequest.Resource()
      resource.resourceType = ConfigResourceType.topic.rawValue
      resource.resourceName = name.text
      resource.configurationKeys = [MirrorConfigs.fence, "mirror.link"]
      return resource
    }
    peer.ask(request, within: SourceCluster.span) { result in
      guard case .success(let answer) = result else { return then(Said()) }
      var said = Said()
      for entry in answer.response.results where entry.errorCode == .none {
        guard let name = TopicName(entry.resourceName) else { continue }
        for config in entry.configs {
          guard let value = config.value, !value.isEmpty else { continue }
          if config.name == MirrorConfigs.fence { said.fences[name] = value } else { said.mirrored.append(name) }
        }
      }
      askEnds(peer, partitions, said, then)
    }
  }

  private func askEnds(
    _ peer: Peer, _ partitions: [TopicPartition], _ said: Said, _ then: @escaping @Sendable (Said) -> Void
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
      guard case .success(let answer) = result else { return then(said) }
      var said = said
      for topic in answer.response.topics {
        guard let name = TopicName(topic.topic) else { continue }
        for one in topic.partitions where one.errorCode == .none && one.endOffset >= 0 {
          said.ends[TopicPartition(name, PartitionIndex(one.partition))] = Offset(one.endOffset)
        }
      }
      then(said)
    }
  }

  /// Opens again what an attempt of ours has closed that was given up. A word is taken away by itself, so that an attempt
  /// that came later keeps its own.
  func release(_ configs: [TopicName: [String: String]]) {
    var changes: [(TopicName, SourceFence.Change)] = []
    for (name, values) in configs.sorted(by: { $0.key < $1.key }) {
      for fence in commaSeparated(values[MirrorConfigs.fence] ?? "") {
        guard fence.hasPrefix("\(broker.clusterID):"),
          let attempt = Int32(fence.dropFirst(broker.clusterID.utf8.count + 1)),
          attempt <= order.attempt
        else { continue }
        let isOther = broker.plantedInMirroring == .opensWithAnotherNumber
        changes.append((name, .subtract(isOther ? SourceFence.word(of: broker.clusterID, attempt + 1) : fence)))
      }
    }
    if !changes.isEmpty { SourceFence(link, view).alter(changes) { _ in } }
  }
}

/// Since when the steps of a switchover are known to be done, in the memory of one controller.
final class SwitchoverMoments: Sendable {
  enum Stage: Hashable, Sendable {
    /// The source is closed, and all of its ends are known.
    case closed
    /// Every record is here.
    case copied
  }
  private struct State {
    var attempt: Int32?
    var since: [Stage: Instant] = [:]
  }
  private let state = Mutex(State())

  /// For how long it was so at `moment`; nil where it is not.
  func note(_ stage: Stage, _ isSo: Bool, at moment: Instant, in attempt: Int32) -> TimeSpan? {
    let now = monotonicNow()
    return state.withLock { state in
      if state.attempt != attempt { state = State(attempt: attempt) }
      guard isSo else {
        state.since[stage] = nil
        return nil
      }
      let since = state.since[stage] ?? now
      state.since[stage] = since
      return moment - since
    }
  }
}
