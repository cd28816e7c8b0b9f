import KafkaProtocol
import LogStorage
import Vocabulary

extension Broker {
  /// DescribeProducers, v0: the idempotent producers that a partition remembers (KIP-664).
  func describeProducers(_ call: Call<DescribeProducersRequest>) {
    var response = DescribeProducersResponse()
    response.topics = call.request.topics.withoutRepetition(of: \.name).map { topic in
      var entry = DescribeProducersResponse.Topic()
      entry.name = topic.name
      let held = heldTopic(topic.name)
      entry.partitions = topic.partitionIndexes.withoutRepetition { $0 }.map { index in
        var described = DescribeProducersResponse.Partition()
        described.partitionIndex = index
        guard let partition = held?.partition(index) else {
          described.errorCode = held?.absence(of: index) ?? .unknownTopicOrPartition
          described.errorMessage = "This server does not host the partition \(topic.name)-\(index)."
          return described
        }
        guard partition.leads else {
          described.errorCode = .notLeaderOrFollower
          return described
        }
        described.activeProducers = partition.log.activeProducers.map { producer in
          var state = DescribeProducersResponse.ProducerState()
          state.producerID = producer.id.value
          state.producerEpoch = Int32(producer.epoch.value)
          state.lastSequence = producer.lastSequence
          state.lastTimestamp = producer.lastTimestamp.milliseconds
          state.coordinatorEpoch = producer.coordinatorEpoch
          state.currentTxnStartOffset = producer.transactionStart.value
          return state
        }
        return described
      }
      return entry
    }
    call.answer(response)
  }
}
