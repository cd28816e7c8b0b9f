package import Coordination
package import KafkaProtocol
package import Vocabulary
package import Wire

/// Between the coordinator's records and Kafka's bytes in `__transaction_state`.
package enum TransactionRecordFormat {
  /// The last version of the value that every release of Kafka reads.
  private static let valueVersion: Int16 = 0

  /// One batch of these records.
  package static func batch(_ records: [TransactionRecord], at now: Timestamp) -> [UInt8] {
    var builder = RecordBatchBuilder()
    for record in records {
      var key = TransactionLogKey()
      key.transactionalID = record.id.text
      builder.append(
        timestamp: now, key: key.encode(), value: record.value.map { encode($0).encode(version: valueVersion) })
    }
    return builder.build()
  }

  private static func encode(_ value: TransactionValue) -> TransactionLogValue {
    var fields = TransactionLogValue()
    fields.producerID = value.producer.id.value
    fields.producerEpoch = value.producer.epoch.value
    fields.transactionTimeoutMs = Int32(clamping: value.timeout.milliseconds)
    fields.transactionStatus = value.stage.state.rawValue
    fields.transactionLastUpdateTimestampMs = value.updatedAt.milliseconds
    fields.transactionStartTimestampMs = value.stage.startedAt.milliseconds
    switch value.stage {
    // Kafka has none here, and an empty list there.
    case .empty: fields.transactionPartitions = nil
    case .complete: fields.transactionPartitions = []
    case .ongoing(let open), .prepared(_, let open): fields.transactionPartitions = topics(of: open.partitions)
    }
    return fields
  }

  private static func topics(of partitions: Set<TopicPartition>) -> [TransactionLogValue.TopicPartitions] {
    var topics: [TransactionLogValue.TopicPartitions] = []
    for partition in partitions.sorted() {
      if topics.last?.topic != partition.topic.text {
        var topic = TransactionLogValue.TopicPartitions()
        topic.topic = partition.topic.text
        topics.append(topic)
      }
      topics[topics.count - 1].partitionIDs.append(partition.partition.value)
    }
    return topics
  }

  /// Nil for a record of a kind that this release does not know.
  package static func decode(_ record: Record) throws(WireError) -> TransactionRecord? {
    guard let keyBytes = record.key else { return nil }
    var reader = ByteReader(keyBytes)
    guard TransactionLogKey.versions.contains(try reader.int16()) else { return nil }
    let id = TransactionalID(try TransactionLogKey.decode(keyBytes).transactionalID)
    guard let bytes = record.value else { return TransactionRecord(id, nil) }
    return TransactionRecord(id, try value(try TransactionLogValue.decode(bytes)))
  }

  /// Nil for an id that was being removed.
  private static func value(_ fields: TransactionLogValue) throws(WireError) -> TransactionValue? {
    guard let state = TransactionState(rawValue: fields.transactionStatus) else {
      throw .invalidValue("transaction status")
    }
    let startedAt = Timestamp(milliseconds: fields.transactionStartTimestampMs)
    var partitions: Set<TopicPartition> = []
    for topic in fields.transactionPartitions ?? [] {
      // There is no marker to be written to what cannot be a partition.
      guard let name = TopicName(topic.topic) else { continue }
      for index in topic.partitionIDs where index >= 0 {
        partitions.insert(TopicPartition(name, PartitionIndex(index)))
      }
    }
    let open = OpenTransaction(startedAt: startedAt, partitions: partitions)
    let stage: TransactionStage
    switch state {
    case .empty: stage = .empty
    case .ongoing: stage = .ongoing(open)
    case .prepareCommit: stage = .prepared(.committed, open)
    // Nobody writes the second; whoever is fenced has its transaction aborted.
    case .prepareAbort, .prepareEpochFence: stage = .prepared(.aborted, open)
    case .completeCommit: stage = .complete(.committed, startedAt: startedAt)
    case .completeAbort: stage = .complete(.aborted, startedAt: startedAt)
    case .dead: return nil
    }
    return TransactionValue(
      producer: ProducerIdentity(ProducerID(fields.producerID), ProducerEpoch(fields.producerEpoch)),
      timeout: .milliseconds(Int64(fields.transactionTimeoutMs)), stage: stage,
      updatedAt: Timestamp(milliseconds: fields.transactionLastUpdateTimestampMs))
  }
}
