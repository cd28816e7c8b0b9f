import EventLoop
import KafkaProtocol
import Replication
import Synchronization
import Vocabulary

/// Carries what leaders propose about their in-sync sets to the controller: one AlterPartition request at a time, with
/// everything that was proposed since the one before (KIP-497).
///
/// A request that is not answered is dropped: a leader proposes again by itself.
final class InSyncProposals: Sendable {
  private static let span = TimeSpan.seconds(5)

  private struct One: Sendable {
    let partition: Partition
    let proposal: Proposal
  }
  private struct State {
    var isUnderWay = false
    /// The last of each partition.
    var waiting: [ObjectIdentifier: One] = [:]
  }

  private let channel: ControllerChannel
  private let broker: NodeID
  private let epoch: @Sendable () -> Int64
  private let planted: BrokerMistake?
  private let state = Mutex(State())

  init(
    _ channel: ControllerChannel, broker: NodeID, planted: BrokerMistake? = nil,
    epoch: @escaping @Sendable () -> Int64
  ) {
    self.channel = channel
    self.planted = planted
    self.broker = broker
    self.epoch = epoch
  }

  func close() { channel.close() }
  func leaderChanged(to leader: NodeID) { channel.leaderChanged(to: leader) }

  func propose(_ proposal: Proposal, for partition: Partition) {
    let isFirst = state.withLock { state in
      state.waiting[ObjectIdentifier(partition)] = One(partition: partition, proposal: proposal)
      defer { state.isUnderWay = true }
      return !state.isUnderWay
    }
    if isFirst { send() }
  }

  private func send() {
    let batch: [One] = state.withLock { state in
      defer { state.waiting = [:] }
      if state.waiting.isEmpty { state.isUnderWay = false }
      return state.waiting.values.sorted { $0.partition.name < $1.partition.name }
    }
    guard !batch.isEmpty else { return }
    channel.ask(request(batch), within: Self.span, here: Broker.alterPartition) { result in
      if case .failure = result, self.planted == .proposesOnce { return }
      if case .success(let response) = result { self.answered(batch, response) }
      self.send()
    }
  }

  private func request(_ batch: [One]) -> AlterPartitionRequest {
    let epoch = epoch()
    var request = AlterPartitionRequest()
    request.brokerID = broker.value
    request.brokerEpoch = epoch
    for one in batch {
      if request.topics.last?.topicID != one.partition.topicID {
        var topic = AlterPartitionRequest.Topic()
        topic.topicID = one.partition.topicID
        request.topics.append(topic)
      }
      request.topics[request.topics.count - 1].partitions.append(entry(one, epoch))
    }
    return request
  }

  private func entry(_ one: One, _ epoch: Int64) -> AlterPartitionRequest.Partition {
    let proposal = one.proposal
    var entry = AlterPartitionRequest.Partition()
    entry.partitionIndex = one.partition.name.partition.value
    entry.leaderEpoch = proposal.leaderEpoch.value
    entry.partitionEpoch = proposal.partitionEpoch.value
    entry.newIsr = proposal.inSync.nodes.map(\.value)
    entry.newIsrWithEpochs = proposal.inSync.nodes.map { node in
      var member = AlterPartitionRequest.BrokerState()
      member.brokerID = node.value
      // Of those who were in sync before, the controller knows the life better than the leader.
      member.brokerEpoch = node == broker ? epoch : proposal.joining[node]?.value ?? -1
      return member
    }
    return entry
  }

  private func answered(_ batch: [One], _ response: AlterPartitionResponse) {
    guard response.errorCode == .none else { return }
    var answers: [UniqueID: [Int32: AlterPartitionResponse.Partition]] = [:]
    for topic in response.topics {
      for partition in topic.partitions { answers[topic.topicID, default: [:]][partition.partitionIndex] = partition }
    }
    for one in batch {
      guard let entry = answers[one.partition.topicID]?[one.partition.name.partition.value] else { continue }
      one.partition.proposalAnswered(
        one.proposal.id,
        entry.errorCode == .none
          ? .confirmed(
            leaderEpoch: LeaderEpoch(entry.leaderEpoch), partitionEpoch: PartitionEpoch(entry.partitionEpoch),
            inSync: NodeSet(entry.isr.map { NodeID($0) }))
          : .refused(entry.errorCode))
    }
  }
}
