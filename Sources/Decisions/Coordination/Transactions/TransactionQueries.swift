import Vocabulary

// What transactions there are, and how far they are.

extension TransactionCoordinator {
  /// DescribeTransactions. Refusals, one per id: INVALID_REQUEST, TRANSACTIONAL_ID_NOT_FOUND.
  public func describe(_ ids: [TransactionalID], _ token: Token, into effects: inout [TransactionEffect]) {
    let all = ids.map { id in
      if id.text.isEmpty { return TransactionDescription(id: id, error: .invalidRequest) }
      guard let producer = producers[id] else {
        return TransactionDescription(id: id, error: .transactionalIdNotFound)
      }
      return TransactionDescription(
        id: id, state: producer.value.stage.state, producer: producer.value.producer, timeout: producer.value.timeout,
        startedAt: producer.value.stage.startedAt, partitions: producer.partitions)
    }
    effects.append(.answer(token, .describe(all)))
  }

  /// ListTransactions.
  public func list(
    _ filter: TransactionFilter, _ token: Token, at now: Moment, into effects: inout [TransactionEffect]
  ) {
    let ids = producers.keys.filter { id in
      guard let producer = producers[id] else { return false }
      let state = producer.value.stage.state
      if !filter.states.isEmpty, !filter.states.contains(state) { return false }
      if !filter.producers.isEmpty, !filter.producers.contains(producer.value.producer.id) { return false }
      guard let duration = filter.duration else { return true }
      // What has no beginning does not last.
      let startedAt = producer.value.stage.startedAt
      return startedAt != .none && startedAt.plus(duration) < now.time
    }
    let all = ids.sorted().compactMap { id in
      producers[id].map {
        ListedTransaction(id: id, producer: $0.value.producer.id, state: $0.value.stage.state)
      }
    }
    effects.append(.answer(token, .list(all)))
  }
}
