import ClusterMetadata
import Coordination
import EventLoop
import KafkaClient
import KafkaProtocol
import MirrorPlanning
import Synchronization
import Vocabulary

/// Carries what groups have committed at the source, for the groups that this broker coordinates.
///
/// It commits as a consumer without a group would, which the coordinator refuses as soon as the group has members here:
/// whoever reads here decides by itself. Every broker of the source is asked for the groups that it coordinates.
final class MirrorGroups: Sendable {
  private static let interval = TimeSpan.seconds(1)
  private let name: String
  private unowned let broker: Broker
  private let state = Mutex(State())

  private struct State {
    var last = Instant(nanoseconds: 0)
    /// Questions that are under way.
    var open = 0
    /// Of the pass that is under way: whether all of it has come about so far.
    var isWhole = true
    /// Whether it is in a switchover, where nothing may be left out that nobody named.
    var isLast = false
    var listed = ListedShards()
    /// The partitions of group offsets that are led here, by their epochs, since it began.
    var shards: [Int: LeaderEpoch] = [:]
    var pending: Set<String> = []
    var failed: Set<String> = []
    /// When the last pass began that carried everything there was to carry.
    var lastWhole: Instant?
    /// What is told of the passes that have ended.
    var said = GroupsPass()
  }
  private let marks: MirrorMarks

  init(_ name: String, _ broker: Broker) {
    self.name = name
    self.broker = broker
    marks = MirrorMarks(name, broker)
  }

  func stop() { marks.stop() }

  func tick(_ order: MirrorOrder, _ link: MirrorLink, _ image: MetadataImage) {
    guard order.runs, let view = link.freshView, view.clusterID == order.sourceID else { return }
    let now = monotonicNow()
    let isLast = order.state == .switchover
    let shards = shards
    let mayWork = state.withLock { state in
      guard state.open == 0, now - state.last >= (isLast ? Mirrors.hurry : Self.interval) else { return false }
      state.last = now
      state.isWhole = true
      state.isLast = isLast
      state.listed = ListedShards()
      state.shards = shards
      state.pending = []
      state.failed = []
      return true
    }
    guard mayWork else { return }
    // What is committed there for another topic of that name means nothing for the copy.
    let topics = image.topics(mirroredBy: name).filter { topic in
      view.topics[topic.name]?.id == topic.id || broker.plantedInMirroring == .carriesGroupsByName
    }
    begin()
    defer { end() }
    guard marks.follow(topics) else { return }
    for node in view.brokers.keys.sorted() {
      guard let peer = link.source.peer(of: node, for: .questions) else {
        missed()
        continue
      }
      if isLast { listAll(node, peer, order.groups) } else { list(peer, order.groups, isLast: false) { _ in } }
    }
  }

  /// What the status says of it.
  var said: GroupsPass {
    let now = monotonicNow()
    return state.withLock { state in
      var said = state.said
      said.age = state.lastWhole.map { now - $0 }
      return said
    }
  }

  /// What this broker coordinates itself.
  private var shards: [Int: LeaderEpoch] {
    let all = broker.groups.all.map { (Int($0.partition.name.partition.value), $0.epoch) }
    return Dictionary(all) { first, _ in first }
  }

  private func begin() { state.withLock { $0.open += 1 } }
  private func missed(_ group: String? = nil, isPending: Bool = false) {
    state.withLock { state in
      state.isWhole = false
      guard let group else { return }
      if isPending { state.pending.insert(group) } else { state.failed.insert(group) }
    }
  }
  private func end() {
    let shards = shards
    state.withLock { state in
      state.open -= 1
      guard state.open == 0 else { return }
      state.said.pending = state.pending.sorted()
      state.said.failed = state.failed.sorted()
      guard state.isWhole, !state.isLast || state.listed.isWhole else { return }
      state.lastWhole = state.last
      // A group that another broker has coordinated for a moment may have been left to that one.
      state.said.shards = state.isLast ? Set(state.shards.filter { shards[$0.key] == $0.value }.keys) : []
    }
  }

  /// Lists the groups of a broker of the source, and finds out whether it has coordinated them all the while.
  private func listAll(_ node: NodeID, _ peer: Peer, _ selection: NameSelection) {
    begin()
    @Sendable func lacks() {
      missed()
      end()
    }
    askShards(peer) { before in
      guard let before else { return lacks() }
      self.list(peer, selection, isLast: true) { isListed in
        guard isListed else { return lacks() }
        askShards(peer) { after in
          guard let after else { return lacks() }
          self.state.withLock { $0.listed.note(node, before: before.leaders, after: after.leaders, of: after.count) }
          self.end()
        }
      }
    }
  }

  /// - Parameters:
  ///   - isLast: whether what is committed with a transaction that is about to end is waited for.
  ///   - then: gets whether the groups were listed. They are being carried then.
  private func list(
    _ peer: Peer, _ selection: NameSelection, isLast: Bool, then: @escaping @Sendable (Bool) -> Void
  ) {
    begin()
    peer.ask(ListGroupsRequest(), within: SourceCluster.span) { result in
      defer { self.end() }
      guard case .success(let answer) = result, answer.response.errorCode == .none else {
        self.missed()
        return then(false)
      }
      let selected = answer.response.groups.map(\.groupID).filter { !$0.isEmpty && selection.contains($0) }
      defer { then(true) }
      guard !selected.isEmpty else { return }
      guard !self.broker.groups.isEmpty else { return self.makeRoom() }
      for group in selected where self.broker.groups.shard(of: group) != nil { self.carry(group, peer, isLast: isLast) }
    }
  }

  /// There is no topic of group offsets yet: asking for a coordinator makes it.
  private func makeRoom() {
    var request = FindCoordinatorRequest()
    request.key = "mirror-\(name)"
    missed()
    begin()
    ask(request, version: 3, Broker.findCoordinator) { _ in self.end() }
  }

  private func carry(_ group: String, _ peer: Peer, isLast: Bool) {
    begin()
    // From v10 on topics are named by their ids, which copies have as well; before v8 a request is about one group.
    let highest: Int16 = broker.plantedInMirroring == .carriesGroupsByName ? 9 : 10
    let image = broker.image
    let name: @Sendable (UniqueID) -> TopicName? = { try? image.topic(.id($0)).get().name }
    let question = Self.question(group, isStable: isLast)
    // Before v7 a request does not say what is to be waited for.
    peer.ask(question, lowest: isLast ? 7 : 2, highest: highest, within: SourceCluster.span) { result in
      guard case .success(let answer) = result, let there = Self.offsets(answer.response, group, name) else {
        self.missed(group, isPending: (try? result.get()).map { Self.isPending($0.response) } ?? false)
        return self.end()
      }
      self.marks.gather(for: there) { marks, isWhole in
        if !isWhole { self.missed() }
        self.carry(group, there, marks)
      }
    }
  }

  private func carry(_ group: String, _ there: [TopicPartition: GroupOffset], _ marks: GroupMarks) {
    ask(Self.question(group), version: 9, Broker.offsetFetch) { response in
      defer { self.end() }
      guard let response, let here = Self.offsets(response, group) else { return self.missed(group) }
      self.perform(planGroup(source: there, own: here, marks: marks), group)
    }
  }

  private static func question(_ group: String, isStable: Bool = false) -> OffsetFetchRequest {
    var one = OffsetFetchRequest.Group()
    one.groupID = group
    one.topics = nil
    var request = OffsetFetchRequest()
    request.groupID = group
    request.topics = nil
    request.groups = [one]
    request.requireStable = isStable
    return request
  }

  /// Nil where something could not be said: half of an answer would be taken for deletions.
  /// - Parameter name: of the topic of an id, where an answer has no names.
  private static func offsets(
    _ response: OffsetFetchResponse, _ group: String, _ name: (UniqueID) -> TopicName? = { _ in nil }
  ) -> [TopicPartition: GroupOffset]? {
    guard response.errorCode == .none else { return nil }
    var found: [TopicPartition: GroupOffset] = [:]
    func note(_ topic: String, _ index: Int32, _ offset: Int64, _ epoch: Int32, _ metadata: String?) {
      guard let name = TopicName(topic), index >= 0, offset >= 0 else { return }
      found[TopicPartition(name, PartitionIndex(index))] = GroupOffset(
        Offset(offset), leaderEpoch: LeaderEpoch(epoch), metadata: metadata ?? "")
    }
    for topic in response.topics {
      for one in topic.partitions {
        guard one.errorCode == .none else { return nil }
        note(topic.name, one.partitionIndex, one.committedOffset, one.committedLeaderEpoch, one.metadata)
      }
    }
    for entry in response.groups where entry.groupID == group {
      guard entry.errorCode == .none else { return nil }
      for topic in entry.topics {
        // This very broker gives both; over the network there is one of them.
        let known = topic.name.isEmpty ? name(topic.topicID)?.text ?? "" : topic.name
        for one in topic.partitions {
          guard one.errorCode == .none else { return nil }
          note(known, one.partitionIndex, one.committedOffset, one.committedLeaderEpoch, one.metadata)
        }
      }
    }
    return found
  }

  /// Whether an offset waits for the outcome of its transaction (KIP-447).
  private static func isPending(_ response: OffsetFetchResponse) -> Bool {
    response.topics.contains { $0.partitions.contains { $0.errorCode == .unstableOffsetCommit } }
      || response.groups.contains { group in
        group.topics.contains { $0.partitions.contains { $0.errorCode == .unstableOffsetCommit } }
      }
  }

  private func perform(_ steps: GroupSteps, _ group: String) {
    if !steps.commit.isEmpty {
      var request = OffsetCommitRequest()
      request.groupID = group
      request.generationIDOrMemberEpoch = -1
      request.topics = Dictionary(grouping: steps.commit.keys.sorted(), by: \.topic).sorted { $0.key < $1.key }
        .map { name, partitions in
          var topic = OffsetCommitRequest.Topic()
          topic.name = name.text
          topic.partitions = partitions.compactMap { partition in
            guard let wanted = steps.commit[partition] else { return nil }
            var one = OffsetCommitRequest.Partition()
            one.partitionIndex = partition.partition.value
            one.committedOffset = wanted.offset.value
            one.committedLeaderEpoch = wanted.leaderEpoch.value
            one.committedMetadata = wanted.metadata
            return one
          }
          return topic
        }
      begin()
      ask(request, version: 9, Broker.offsetCommit) { response in
        let codes = response?.topics.flatMap(\.partitions).map(\.errorCode)
        if codes?.allSatisfy(Self.isDecided) != true { self.missed(group) }
        self.end()
      }
    }
    guard !steps.remove.isEmpty else { return }
    var request = OffsetDeleteRequest()
    request.groupID = group
    request.topics = Dictionary(grouping: steps.remove, by: \.topic).sorted { $0.key < $1.key }.map {
      name, partitions in
      var topic = OffsetDeleteRequest.Topic()
      topic.name = name.text
      topic.partitions = partitions.map { partition in
        var one = OffsetDeleteRequest.Partition()
        one.partitionIndex = partition.partition.value
        return one
      }
      return topic
    }
    begin()
    ask(request, version: 0, Broker.offsetDelete) { response in
      if !(response.map { Self.isDecided($0.errorCode) } ?? false) { self.missed(group) }
      self.end()
    }
  }

  /// Whether nothing more can come of it: it is done, or the group has members here and decides by itself.
  private static func isDecided(_ code: ErrorCode) -> Bool {
    switch code {
    case .none, .unknownMemberId, .illegalGeneration, .staleMemberEpoch, .nonEmptyGroup, .groupSubscribedToTopic,
      .groupIdNotFound:
      true
    default: false
    }
  }

  /// A request to this very broker; nil when it is not answered.
  private func ask<Request: RequestBody>(
    _ request: Request, version: Int16, _ handler: @escaping @Sendable (Broker) -> (Call<Request>) -> Void,
    then: @escaping @Sendable (Request.Response?) -> Void
  ) {
    let context = RequestContext.own(version: version, on: broker.loops[0])
    handler(broker)(Call(request: request, context: context) { then(try? $0.get()) })
  }
}
