import ClusterMetadata
import Coordination
import KafkaProtocol
import Vocabulary

extension Broker {
  /// AddOffsetsToTxn, v0–4: the partition of `__consumer_offsets` that has a group's offsets becomes part of a
  /// transaction, so that they are committed with it (KIP-98).
  func addOffsetsToTxn(_ call: Call<AddOffsetsToTxnRequest>) {
    let request = call.request
    @Sendable func answer(_ code: ErrorCode) {
      var response = AddOffsetsToTxnResponse()
      response.errorCode = code.told(to: call, knowsFencedSince: 2)
      call.answer(response)
    }
    guard !request.groupID.isEmpty else { return answer(.invalidGroupId) }
    // Without the topic nobody has asked for the group's coordinator yet, which makes it.
    guard let partition = offsetsPartition(of: request.groupID) else { return answer(.coordinatorNotAvailable) }
    let add = TransactionPartitionsRequest(
      id: TransactionalID(request.transactionalID),
      producer: ProducerIdentity(ProducerID(request.producerID), ProducerEpoch(request.producerEpoch)),
      partitions: [partition])
    transactions.ask(request.transactionalID) { coordinator, token, now, effects in
      coordinator.addPartitions(add, token, at: now, into: &effects)
    } answer: { reply in
      guard case .addPartitions(let code) = reply else { unexpected(reply) }
      answer(code)
    } refused: {
      answer($0)
    }
  }

  /// Where a group's offsets are; nil while there is no topic for them.
  func offsetsPartition(of group: String) -> TopicPartition? {
    guard let topic = image.topic(named: .consumerOffsets), !topic.partitions.isEmpty else { return nil }
    let index = Groups.partition(of: group, among: topic.partitions.count)
    return TopicPartition(.consumerOffsets, PartitionIndex(Int32(index)))
  }
}
