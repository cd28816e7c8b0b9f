import ClusterMetadata
import Coordination
import KafkaProtocol
import Vocabulary

extension Broker {
  /// AddPartitionsToTxn, v0–5: partitions become part of a transaction before it writes to them (KIP-98). From v4 on
  /// brokers ask, for several transactions at once, and may want no more than to know (KIP-890).
  ///
  /// All partitions of a transaction are added, or none: where one is unknown, the others get OPERATION_NOT_ATTEMPTED.
  /// What a mirror writes, or is being moved to another cluster, gets UNKNOWN_TOPIC_OR_PARTITION, which producers try
  /// again: nothing could be written there. A producer whose id may be another's in the log of a topic that was taken over
  /// gets INVALID_PRODUCER_ID_MAPPING: it takes its transaction back, and goes on under another id.
  func addPartitionsToTxn(_ call: Call<AddPartitionsToTxnRequest>) {
    let version = call.context.version
    let asked = version >= 4 ? call.request.transactions : [AddPartitionsToTxnRequest.Transaction(call.request)]
    let gathering = Gathering<[ErrorCode]>(count: asked.count) { codes in
      let results = zip(asked, codes).map { AddPartitionsToTxnResponse.Transaction($0, $1) }
      var response = AddPartitionsToTxnResponse()
      if version >= 4 {
        response.resultsByTransaction = results
      } else {
        response.resultsByTopicV3AndBelow = results.first?.topicResults ?? []
      }
      call.answer(response)
    }
    for (index, transaction) in asked.enumerated() {
      let places = transaction.places
      let unknown = places.map { transaction.verifyOnly || isOpenToTransactions($0.topic, $0.partition) }
      guard !unknown.contains(false) else {
        gathering.put(unknown.map { $0 ? .operationNotAttempted : .unknownTopicOrPartition }, at: index)
        continue
      }
      let foreign = places.map { !transaction.verifyOnly && isForeign(transaction.producerID, in: $0.topic) }
      guard !foreign.contains(true) else {
        gathering.put(foreign.map { $0 ? .invalidProducerIdMapping : .operationNotAttempted }, at: index)
        continue
      }
      add(transaction) { codes in
        gathering.put(codes.map { $0.told(to: call, knowsFencedSince: 2) }, at: index)
      }
    }
  }

  /// `then` gets a code for each partition, in the order of the request.
  private func add(
    _ transaction: AddPartitionsToTxnRequest.Transaction, then: @escaping @Sendable ([ErrorCode]) -> Void
  ) {
    let places = transaction.places
    // A name that no topic can have is part of no transaction.
    let named = places.compactMap { place in
      TopicName(place.topic).map { TopicPartition($0, PartitionIndex(place.partition)) }
    }
    guard named.count == places.count else {
      return then(places.map { TopicName($0.topic) == nil ? .invalidTxnState : .operationNotAttempted })
    }
    let request = TransactionPartitionsRequest(
      id: TransactionalID(transaction.transactionalID),
      producer: ProducerIdentity(ProducerID(transaction.producerID), ProducerEpoch(transaction.producerEpoch)),
      partitions: named)
    let isCheck = transaction.verifyOnly
    transactions.ask(transaction.transactionalID) { coordinator, token, now, effects in
      if isCheck {
        coordinator.verify(request, token, into: &effects)
      } else {
        coordinator.addPartitions(request, token, at: now, into: &effects)
      }
    } answer: { answer in
      switch answer {
      case .addPartitions(let code): then(places.map { _ in code })
      case .verify(let results): then(results.map(\.error))
      default: unexpected(answer)
      }
    } refused: { code in
      then(places.map { _ in code })
    }
  }

  /// Whether a transaction may write there: the topic exists, and clients write it.
  private func isOpenToTransactions(_ topic: String, _ index: Int32) -> Bool {
    let image = self.image
    guard let name = TopicName(topic), let known = image.topic(named: name),
      known.partitions.indices.contains(Int(index))
    else { return false }
    let configs = image.configs(of: .topic(name.text))
    return configs["mirror.link"] == nil && (configs[MirrorConfigs.fence] ?? "").isEmpty
  }

  /// Whether the log of a topic that was copied may have records of another producer with that id.
  private func isForeign(_ producer: Int64, in topic: String) -> Bool {
    let image = self.image
    return producer < image.leastProducerID.value && image.configs(of: .topic(topic))[MirrorConfigs.opened] != nil
  }
}

extension AddPartitionsToTxnRequest.Transaction {
  /// What clients send: one transaction.
  fileprivate init(_ request: AddPartitionsToTxnRequest) {
    self.init()
    transactionalID = request.v3AndBelowTransactionalID
    producerID = request.v3AndBelowProducerID
    producerEpoch = request.v3AndBelowProducerEpoch
    topics = request.v3AndBelowTopics
  }

  fileprivate var places: [(topic: String, partition: Int32)] {
    topics.flatMap { topic in topic.partitions.map { (topic.name, $0) } }
  }
}

extension AddPartitionsToTxnResponse.Transaction {
  fileprivate init(_ asked: AddPartitionsToTxnRequest.Transaction, _ codes: [ErrorCode]) {
    self.init()
    transactionalID = asked.transactionalID
    var rest = codes[...]
    topicResults = asked.topics.map { topic in
      var entry = AddPartitionsToTxnResponse.Topic()
      entry.name = topic.name
      entry.resultsByPartition = topic.partitions.map { index in
        var partition = AddPartitionsToTxnResponse.Partition()
        partition.partitionIndex = index
        partition.partitionErrorCode = rest.popFirst() ?? .unknownServerError
        return partition
      }
      return entry
    }
  }
}
