import ClusterMetadata
import KafkaClient
import KafkaProtocol
import MirrorPlanning
import Synchronization
import Vocabulary

/// Finds out how far the copies of a mirror may be read, for the groups that this broker coordinates: each leader of this
/// cluster is asked for its high watermark (ListOffsets), as a consumer would ask it.
final class MirrorMarks: Sendable {
  /// Who is not answered in that time asks again in the next pass.
  private static let span = TimeSpan.seconds(2)
  typealias Asker = @Sendable (_ isWhole: Bool) -> Void
  private unowned let broker: Broker
  private let peers: BrokerPeers
  private let state = Mutex(State())

  private struct State {
    var marks = GroupMarks()
    var questions: [NodeID: MarkQuestions<Asker>] = [:]
  }

  init(_ name: String, _ broker: Broker) {
    self.broker = broker
    let publisher = broker.publisher
    peers = BrokerPeers(
      clientID: "mirror-\(name)", listener: broker.settings.interBrokerListener, loop: broker.loops[0],
      pool: broker.pool
    ) { publisher.image }
  }

  func stop() { peers.close() }

  /// What is mirrored now, and by whom it is led. False where there is nothing.
  func follow(_ topics: [TopicState]) -> Bool {
    var leaders: [TopicPartition: CopyLeader] = [:]
    for topic in topics {
      for (index, partition) in topic.partitions.enumerated() {
        leaders[TopicPartition(topic.name, PartitionIndex(Int32(index)))] = CopyLeader(
          partition.leader == .none ? nil : partition.leader, .init(of: topic.id, partition.leaderEpoch))
      }
    }
    let known = leaders
    state.withLock { $0.marks.follow(known) }
    return !leaders.isEmpty
  }

  /// `then` gets what is known, and whether it is all that there is to know: an offset may be held at a mark that is too
  /// low as long as a leader is silent.
  func gather(
    for offsets: [TopicPartition: GroupOffset], then: @escaping @Sendable (GroupMarks, _ isWhole: Bool) -> Void
  ) {
    let questions = state.withLock { $0.marks.questions(for: offsets) }
    let gathering = Gathering<Bool>(count: questions.count) { parts in
      then(self.state.withLock { $0.marks }, parts.allSatisfy { $0 })
    }
    for (index, question) in questions.enumerated() {
      guard let leader = question.leader else {
        gathering.put(false, at: index)
        continue
      }
      if leader == broker.settings.nodeID {
        gathering.put(noteOwn(question.about), at: index)
        continue
      }
      state.withLock { $0.questions[leader, default: .init()].add(question.about) { gathering.put($0, at: index) } }
      ask(leader)
    }
  }

  /// What this broker leads itself.
  private func noteOwn(_ partitions: [TopicPartition]) -> Bool {
    var isWhole = true
    for name in partitions {
      guard let era = state.withLock({ $0.marks.era(of: name) }),
        let partition = broker.partitions.topic(era.topic)?.partition(name.partition.value),
        case .success(let mark) = partition.committedEnd(forEpoch: era.epoch.value)
      else {
        isWhole = false
        continue
      }
      note(mark, name, era)
    }
    return isWhole
  }

  private func note(_ mark: Offset, _ partition: TopicPartition, _ era: CopyLeader.Era) {
    let said = broker.plantedInMirroring == .carriesGroupsAhead ? Offset(.max) : mark
    state.withLock { $0.marks.note(said, of: partition, in: era) }
  }

  private func ask(_ leader: NodeID) {
    let asked = state.withLock { state in
      (state.questions[leader]?.next() ?? []).map { partition in
        // What is not mirrored any more is asked about in no epoch, and refused below.
        (partition, state.marks.era(of: partition) ?? .init(of: .zero, .none))
      }
    }
    guard !asked.isEmpty else { return }
    guard let peer = peers.peer(leader) else { return failed(leader) }
    // Before v4 a request does not say in which epoch the leader is asked.
    peer.ask(Self.request(asked), lowest: 4, within: Self.span) { result in
      guard case .success(let answer) = result else { return self.failed(leader) }
      self.take(answer.response, asked, from: leader)
      self.ask(leader)
    }
  }

  private static func request(_ asked: [(TopicPartition, CopyLeader.Era)]) -> ListOffsetsRequest {
    var request = ListOffsetsRequest()
    request.replicaID = -1
    for (partition, era) in asked {
      var ask = ListOffsetsRequest.Partition()
      ask.partitionIndex = partition.partition.value
      ask.currentLeaderEpoch = era.epoch.value
      ask.timestamp = -1
      if request.topics.last?.name != partition.topic.text {
        var topic = ListOffsetsRequest.Topic()
        topic.name = partition.topic.text
        request.topics.append(topic)
      }
      request.topics[request.topics.count - 1].partitions.append(ask)
    }
    return request
  }

  private func take(
    _ response: ListOffsetsResponse, _ asked: [(TopicPartition, CopyLeader.Era)], from leader: NodeID
  ) {
    let eras = Dictionary(asked) { first, _ in first }
    var refused = Set(eras.keys)
    for topic in response.topics {
      guard let name = TopicName(topic.name) else { continue }
      for one in topic.partitions where one.errorCode == .none && one.offset >= 0 && one.partitionIndex >= 0 {
        let partition = TopicPartition(name, PartitionIndex(one.partitionIndex))
        guard let era = eras[partition], era.epoch != .none else { continue }
        note(Offset(one.offset), partition, era)
        refused.remove(partition)
      }
    }
    let left = refused
    tell(state.withLock { $0.questions[leader]?.answered(refused: left) ?? [] })
  }

  private func failed(_ leader: NodeID) {
    let told = state.withLock { state -> [MarkQuestions<Asker>.Told] in
      var questions = state.questions.removeValue(forKey: leader)
      return questions?.failed() ?? []
    }
    tell(told)
  }

  private func tell(_ told: [MarkQuestions<Asker>.Told]) {
    for one in told { one.asker(one.isWhole) }
  }
}
