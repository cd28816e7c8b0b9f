import Synchronization
public import Vocabulary

/// A transaction that was taken back, as the `.txnindex` file keeps it (KIP-98).
public struct AbortedTransaction: Hashable, Sendable {
  public let producer: ProducerID
  /// Its first record.
  public let firstOffset: Offset
  /// Its marker.
  public let lastOffset: Offset
  /// Where the earliest transaction began that was open after it, or the offset after the marker: no transaction that
  /// is taken back later begins before.
  public let lastStableOffset: Offset

  public init(producer: ProducerID, firstOffset: Offset, lastOffset: Offset, lastStableOffset: Offset) {
    self.producer = producer
    self.firstOffset = firstOffset
    self.lastOffset = lastOffset
    self.lastStableOffset = lastStableOffset
  }
}

extension PartitionLog {
  /// Where the earliest open transaction began; nil without one.
  public var firstOpenTransaction: Offset? {
    guard isUnstable.load(ordering: .acquiring) else { return nil }
    return state.withLock { state in state.producers.transactions.firstOpen.map { Offset($0) } }
  }

  /// Up to where the outcome of every transaction is known and its marker is committed, exclusive: at most the high
  /// watermark, which must not go back from one call to the next.
  ///
  /// What a snapshot of the producers covers counts as committed when a log is opened, as in Apache Kafka: a marker is
  /// only written when the outcome is decided for good.
  public func lastStableOffset(below highWatermark: Offset) -> Offset {
    guard isUnstable.load(ordering: .acquiring) else { return highWatermark }
    return state.withLock { state in
      state.producers.transactions.settle(below: highWatermark.value)
      noteStability(state)
      guard let first = state.producers.transactions.first else { return highWatermark }
      return min(highWatermark, max(Offset(first), state.startOffset))
    }
  }

  /// Says what is committed, so that the log forgets transactions that are over.
  public func settleTransactions(below highWatermark: Offset) {
    guard isUnstable.load(ordering: .acquiring) else { return }
    _ = lastStableOffset(below: highWatermark)
  }

  /// Whether a producer's transactional batch may be appended at once.
  ///
  /// - Parameters:
  ///   - sequence: of the batch. A later batch that is verified first waits for it, since it could never be appended
  ///     after that one.
  ///   - leaderEpoch: a ticket is valid only in the epoch in which it was issued.
  public func standing(
    of producer: ProducerID, _ epoch: ProducerEpoch, from sequence: Int32 = .max, inEpoch leaderEpoch: LeaderEpoch
  ) -> TransactionStanding {
    state.withLock { state in
      if let entry = state.producers.entries[producer.value], entry.transactionStart >= 0, entry.epoch == epoch.value {
        return .ongoing
      }
      return .unverified(state.tickets.issue(producer.value, epoch.value, from: sequence, in: leaderEpoch))
    }
  }

  /// Readers ask every time whether there is any transaction to think of, and should not need the lock for it.
  func noteStability(_ state: borrowing LogState) {
    let isUnstable = !state.producers.transactions.isEmpty
    if self.isUnstable.load(ordering: .relaxed) != isUnstable {
      self.isUnstable.store(isUnstable, ordering: .releasing)
    }
  }
}
