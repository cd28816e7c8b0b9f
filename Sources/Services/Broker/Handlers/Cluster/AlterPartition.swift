import ClusterMetadata
import KafkaProtocol
import Vocabulary

extension Broker {
  /// AlterPartition, v2–3: a leader asks for another in-sync set, each partition on its own (KIP-497); v3 names the lives
  /// of the brokers in it (KIP-903).
  func alterPartition(_ call: Call<AlterPartitionRequest>) {
    let request = call.request
    change { draft -> Result<[[Result<PartitionState, Refusal>]], Refusal> in
      let leader = NodeID(request.brokerID)
      guard draft.image.brokers[leader]?.epoch == request.brokerEpoch else {
        return .failure(Refusal(.staleBrokerEpoch, "Broker \(leader) has registered anew since."))
      }
      return .success(
        request.topics.map { topic in
          topic.partitions.map { partition in
            let proposal = Self.proposal(topic.topicID, partition, call.context.version)
            return draft.add(
              draft.image.alterInSync(
                proposal, by: leader, epoch: request.brokerEpoch, inherited: self.inherited(draft.image)))
          }
        })
    } then: { result in
      var response = AlterPartitionResponse()
      switch result.flatMap({ $0 }) {
      case .failure(let refusal): response.errorCode = refusal.code
      case .success(let results):
        response.topics = zip(request.topics, results).map { topic, results in
          var entry = AlterPartitionResponse.Topic()
          entry.topicID = topic.topicID
          entry.partitions = zip(topic.partitions, results).map { Self.entry($0.partitionIndex, $1) }
          return entry
        }
      }
      call.answer(response)
    }
  }

  private static func proposal(
    _ topic: UniqueID, _ partition: AlterPartitionRequest.Partition, _ version: Int16
  ) -> InSyncProposal {
    let members =
      version >= 3
      ? partition.newIsrWithEpochs.map {
        InSyncProposal.Member(NodeID($0.brokerID), epoch: $0.brokerEpoch < 0 ? nil : $0.brokerEpoch)
      }
      : partition.newIsr.map { InSyncProposal.Member(NodeID($0), epoch: nil) }
    return InSyncProposal(
      topic: topic, partition: PartitionIndex(partition.partitionIndex),
      leaderEpoch: LeaderEpoch(partition.leaderEpoch), partitionEpoch: partition.partitionEpoch, members: members,
      recovery: LeaderRecovery(rawValue: partition.leaderRecoveryState) ?? .recovered)
  }

  private static func entry(
    _ index: Int32, _ result: Result<PartitionState, Refusal>
  ) -> AlterPartitionResponse.Partition {
    var entry = AlterPartitionResponse.Partition()
    entry.partitionIndex = index
    switch result {
    case .failure(let refusal): entry.errorCode = refusal.code
    case .success(let state):
      entry.leaderID = state.leader.value
      entry.leaderEpoch = state.leaderEpoch.value
      entry.isr = state.inSync.map(\.value)
      entry.leaderRecoveryState = state.recovery.rawValue
      entry.partitionEpoch = state.partitionEpoch
    }
    return entry
  }

  /// AllocateProducerIds, v0: a block of ids that nobody else ever gets (KIP-730).
  func allocateProducerIDs(_ call: Call<AllocateProducerIDsRequest>) {
    let broker = NodeID(call.request.brokerID)
    let epoch = call.request.brokerEpoch
    change { draft -> Result<Range<Int64>, Refusal> in
      guard draft.image.brokers[broker]?.epoch == epoch else {
        return .failure(Refusal(.staleBrokerEpoch, "Broker \(broker) has registered anew since."))
      }
      return .success(draft.add(draft.image.allocateProducerIDs(for: broker, count: ProducerIDs.blockSize)))
    } then: { result in
      var response = AllocateProducerIDsResponse()
      switch result.flatMap({ $0 }) {
      case .failure(let refusal): response.errorCode = refusal.code
      case .success(let block):
        response.producerIDStart = block.lowerBound
        response.producerIDLen = Int32(block.count)
      }
      call.answer(response)
    }
  }

  /// AssignReplicasToDirs, v0: in which of its directories a broker's replicas lie (KIP-858).
  func assignReplicasToDirs(_ call: Call<AssignReplicasToDirsRequest>) {
    let request = call.request
    change { draft in
      request.directories.map { directory in
        directory.topics.map { topic in
          topic.partitions.map { partition -> ErrorCode in
            let decision = draft.image.assign(
              directory.id, toReplicaOf: PartitionIndex(partition.partitionIndex), topic: topic.topicID,
              on: NodeID(request.brokerID), epoch: request.brokerEpoch, inherited: self.inherited(draft.image))
            if case .failure(let refusal) = draft.add(decision) { return refusal.code }
            return .none
          }
        }
      }
    } then: { result in
      var response = AssignReplicasToDirsResponse()
      switch result {
      case .failure(let refusal): response.errorCode = refusal.code
      case .success(let codes):
        response.directories = zip(request.directories, codes).map { directory, codes in
          var entry = AssignReplicasToDirsResponse.Directory()
          entry.id = directory.id
          entry.topics = zip(directory.topics, codes).map { topic, codes in
            var answered = AssignReplicasToDirsResponse.Topic()
            answered.topicID = topic.topicID
            answered.partitions = zip(topic.partitions, codes).map { partition, code in
              var one = AssignReplicasToDirsResponse.Partition()
              one.partitionIndex = partition.partitionIndex
              one.errorCode = code
              return one
            }
            return answered
          }
          return entry
        }
      }
      call.answer(response)
    }
  }
}
