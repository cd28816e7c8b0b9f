public import KafkaProtocol
public import Vocabulary

/// A transaction that is open in a partition, as the leader sees it (KIP-664).
public struct OpenProducer: Sendable, Hashable {
  public let producer: ProducerID
  public let epoch: ProducerEpoch
  /// Of the coordinator that wrote the producer's last marker; -1 before the first.
  public let coordinatorEpoch: Int32
  public let start: Offset
  public let lastTimestamp: Timestamp
}

extension ClusterClient {
  /// The transactional ids of all coordinators, in the order of their texts.
  /// - Parameter states: by Kafka's names; empty for all.
  public func transactions(
    in states: [String] = []
  ) async throws(ClientError) -> [ListTransactionsResponse.TransactionState] {
    try await refreshMetadata([])
    var found: [ListTransactionsResponse.TransactionState] = []
    for node in view.brokers.keys.sorted() {
      let reply = try await call(ListTransactionsRequest { $0.stateFilters = states }, to: .broker(node)) {
        PartialRefusal("the transactions of broker \(node.value)", $0.errorCode)
      }
      found += reply.response.transactionStates
    }
    return found.sorted { $0.transactionalID < $1.transactionalID }
  }

  /// Throws `refused` with TRANSACTIONAL_ID_NOT_FOUND for one that no coordinator knows.
  public func transaction(
    _ id: String
  ) async throws(ClientError) -> (coordinator: BrokerAddress, state: DescribeTransactionsResponse.TransactionState) {
    let reply = try await call(
      DescribeTransactionsRequest { $0.transactionalIDs = [id] }, to: .transactionCoordinator(id)
    ) { response in
      PartialRefusal(
        "transactional id \(id)", response.transactionStates.first?.errorCode ?? .transactionalIdNotFound)
    }
    return (reply.broker, reply.response.transactionStates.first ?? .init())
  }

  /// The transactions that are open in a partition, in the order in which they began.
  public func openTransactions(in partition: TopicPartition) async throws(ClientError) -> [OpenProducer] {
    let request = DescribeProducersRequest { request in
      request.topics = [
        .init {
          $0.name = partition.topic.text
          $0.partitionIndexes = [partition.partition.value]
        }
      ]
    }
    let reply = try await call(request, to: .leader(partition)) { response in
      let one = response.topics.first?.partitions.first
      return PartialRefusal("\(partition)", one?.errorCode ?? .unknownServerError, one?.errorMessage)
    }
    let producers = reply.response.topics.first?.partitions.first?.activeProducers ?? []
    return producers.filter { $0.currentTxnStartOffset >= 0 }.map { one in
      OpenProducer(
        producer: ProducerID(one.producerID), epoch: ProducerEpoch(Int16(clamping: one.producerEpoch)),
        coordinatorEpoch: one.coordinatorEpoch, start: Offset(one.currentTxnStartOffset),
        lastTimestamp: Timestamp(milliseconds: one.lastTimestamp))
    }.sorted { $0.start < $1.start }
  }

  /// Writes the marker that aborts a transaction in one partition, past its coordinator: for one that it does not know.
  public func abort(_ open: OpenProducer, in partition: TopicPartition) async throws(ClientError) {
    let request = WriteTxnMarkersRequest { request in
      request.markers = [
        .init { marker in
          marker.producerID = open.producer.value
          marker.producerEpoch = open.epoch.value
          marker.coordinatorEpoch = open.coordinatorEpoch
          marker.transactionResult = false
          marker.topics = [
            .init {
              $0.name = partition.topic.text
              $0.partitionIndexes = [partition.partition.value]
            }
          ]
        }
      ]
    }
    _ = try await call(request, to: .leader(partition)) { response in
      PartialRefusal(
        "\(partition)", response.markers.first?.topics.first?.partitions.first?.errorCode ?? .unknownServerError)
    }
  }
}
