import Coordination
import Vocabulary

// What is promised of transactions, and when it is looked at.

/// One transaction, as its producer means it.
struct LedgerTransaction {
  let number: Int
  let identity: ProducerIdentity
  /// Values that a partition has said it has, by the partition's index.
  var acknowledged: [(partition: Int, value: Int)] = []
  /// What its producer has asked for.
  var asked: Set<TransactionOutcome> = []
  /// What its producer was told.
  var told: TransactionOutcome?
  /// What the markers say.
  var outcome: TransactionOutcome?
}

extension TransactionSimulation {
  /// A marker ends it in one partition.
  func end(_ number: Int, _ outcome: TransactionOutcome, in partition: LedgerPartition) {
    let transaction = transactions[number]
    if let other = transaction.outcome, other != outcome {
      return fail("transaction \(number) is \(outcome) in \(partition.name), and \(other) elsewhere")
    }
    if outcome == .committed, !transaction.asked.contains(.committed) {
      return fail("transaction \(number) is committed, and nobody has asked for that")
    }
    if let told = transaction.told, told != outcome {
      return fail("transaction \(number) is \(outcome) in \(partition.name), and \(told) was said")
    }
    if transaction.outcome == nil, outcome == .aborted, !transaction.asked.contains(.aborted) { seen.timedOut += 1 }
    transactions[number].outcome = outcome
  }

  /// A producer hears how its transaction ends.
  func told(_ number: Int, _ outcome: TransactionOutcome) {
    if let other = transactions[number].outcome, other != outcome {
      fail("transaction \(number) is \(other), and \(outcome) was said")
    }
    transactions[number].told = outcome
  }

  /// Nothing is open for ever.
  func checkSettled() {
    for partition in partitions where !partition.isGone {
      if partition.lastStable < partition.entries.count {
        fail("a transaction is open in \(partition.name) for ever, from \(partition.lastStable)")
      }
    }
    var last: [TransactionalID: TransactionRecord] = [:]
    for record in log.records { last[record.id] = record }
    for id in Self.ids {
      switch last[id]?.value?.stage {
      case .ongoing: fail("\(id) is ongoing for ever")
      case .prepared: fail("\(id) never completes")
      case .empty, .complete, nil: break
      }
    }
  }

  func checkEverything() {
    for client in clients where client.isLast && !client.hasCommitted {
      fail("client \(client.number) cannot commit although nothing is broken")
    }
    checkMarkers()
    checkReaders()
  }

  /// Every partition of every transaction whose outcome was decided has its marker.
  private func checkMarkers() {
    for record in log.records {
      guard let value = record.value, case .prepared(let outcome, let open) = value.stage else { continue }
      for partition in partitions where open.partitions.contains(partition.name) && !partition.isGone {
        let isThere = partition.entries.contains { entry in
          if case .marker(outcome, value.producer) = entry { true } else { false }
        }
        if !isThere { fail("\(partition.name) never got the marker \(outcome) of \(value.producer)") }
      }
    }
  }

  /// Who reads what is committed sees a transaction whole, once, or not at all.
  private func checkReaders() {
    var readOf: [Int: Set<Int>] = [:]
    for partition in partitions where !partition.isGone {
      for (value, transaction) in partition.read {
        if !readOf[transaction, default: []].insert(value).inserted { fail("value \(value) is read twice") }
      }
    }
    for transaction in transactions {
      let read = readOf[transaction.number] ?? []
      var written: Set<Int> = []
      for partition in partitions where !partition.isGone {
        for case .value(let value, transaction.number, _) in partition.entries { written.insert(value) }
      }
      let acknowledged = transaction.acknowledged.filter { !partitions[$0.partition].isGone }.map(\.value)
      if let lost = acknowledged.first(where: { !written.contains($0) }) { fail("value \(lost) is nowhere") }
      if !read.isEmpty, read != written {
        fail("of transaction \(transaction.number) is read \(read.sorted()), and written was \(written.sorted())")
      }
      if transaction.told == .committed, read != written { fail("transaction \(transaction.number) is not read") }
      if transaction.told == .aborted, !read.isEmpty { fail("aborted transaction \(transaction.number) is read") }
    }
  }
}
