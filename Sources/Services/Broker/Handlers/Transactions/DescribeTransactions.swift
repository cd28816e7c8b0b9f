import Coordination
import KafkaProtocol
import Vocabulary

extension Broker {
  /// DescribeTransactions, v0: transactions that are coordinated here (KIP-664).
  func describeTransactions(_ call: Call<DescribeTransactionsRequest>) {
    let ids = call.request.transactionalIDs
    let gathering = Gathering<TransactionDescription>(count: ids.count) { all in
      var response = DescribeTransactionsResponse()
      response.transactionStates = all.map { DescribeTransactionsResponse.TransactionState($0) }
      call.answer(response)
    }
    for (index, text) in ids.enumerated() {
      let id = TransactionalID(text)
      transactions.ask(text) { coordinator, token, _, effects in
        coordinator.describe([id], token, into: &effects)
      } answer: { answer in
        guard case .describe(let all) = answer else { unexpected(answer) }
        gathering.put(all.first ?? TransactionDescription(id: id, error: .transactionalIdNotFound), at: index)
      } refused: {
        gathering.put(TransactionDescription(id: id, error: $0), at: index)
      }
    }
  }

  /// ListTransactions, v0–1: the transactions of every partition of `__transaction_state` that is led here (KIP-664,
  /// KIP-994). COORDINATOR_LOAD_IN_PROGRESS while one of them is being read.
  func listTransactions(_ call: Call<ListTransactionsRequest>) {
    let request = call.request
    var response = ListTransactionsResponse()
    response.unknownStateFilters = request.stateFilters.filter { TransactionState(name: $0) == nil }
    // Who asks for states of which none is known gets nothing, and not everything.
    let states = Set(request.stateFilters.compactMap { TransactionState(name: $0) })
    guard states.isEmpty == request.stateFilters.isEmpty else { return call.answer(response) }
    let filter = TransactionFilter(
      states: states, producers: Set(request.producerIDFilters.map { ProducerID($0) }),
      duration: request.durationFilter >= 0 ? .milliseconds(request.durationFilter) : nil)
    let begun = response
    let shards = transactions.all
    let gathering = Gathering<Result<[ListedTransaction], Refused>>(count: shards.count) { parts in
      var response = begun
      for part in parts {
        switch part {
        case .success(let listed):
          response.transactionStates += listed.map { ListTransactionsResponse.TransactionState($0) }
        case .failure(let refused): response.errorCode = refused.code
        }
      }
      if response.errorCode != .none { response.transactionStates = [] }
      call.answer(response)
    }
    for (index, shard) in shards.enumerated() {
      shard.ask { coordinator, token, now, effects in
        coordinator.list(filter, token, at: now, into: &effects)
      } answer: { answer in
        guard case .list(let listed) = answer else { unexpected(answer) }
        gathering.put(.success(listed), at: index)
      } refused: {
        gathering.put(.failure(Refused(code: $0)), at: index)
      }
    }
  }
}

private struct Refused: Error {
  let code: ErrorCode
}

extension DescribeTransactionsResponse.TransactionState {
  fileprivate init(_ description: TransactionDescription) {
    self.init()
    transactionalID = description.id.text
    errorCode = description.error
    guard description.error == .none else { return }
    transactionState = description.state.name
    transactionTimeoutMs = Int32(clamping: description.timeout.milliseconds)
    transactionStartTimeMs = description.startedAt.milliseconds
    producerID = description.producer.id.value
    producerEpoch = description.producer.epoch.value
    for partition in description.partitions {
      if topics.last?.topic != partition.topic.text {
        var topic = DescribeTransactionsResponse.Topic()
        topic.topic = partition.topic.text
        topics.append(topic)
      }
      topics[topics.count - 1].partitions.append(partition.partition.value)
    }
  }
}

extension ListTransactionsResponse.TransactionState {
  fileprivate init(_ listed: ListedTransaction) {
    self.init()
    transactionalID = listed.id.text
    producerID = listed.producer.value
    transactionState = listed.state.name
  }
}
