import Broker
import Coordination
import Vocabulary

// What goes wrong besides messages that are late or lost.

extension TransactionSimulation {
  func trouble() {
    guard isTroubled else { return }
    switch draw(16) {
    case 0...3: replaceLeader()
    case 4...6: block(partitions[draw(partitions.count)])
    case 7: if happens(oneIn: 3) { vanish(partitions[draw(partitions.count)]) }
    case 8...10: freeze()
    case 11...12: kill()
    case 13...14:
      // Somebody else begins while the one before may still be there.
      beginClient(Self.ids[draw(Self.ids.count)], after: 1)
    default:
      // Two coordinators do not live long.
      replaceLeader()
      after(span(1...60)) { if self.isTroubled { self.replaceLeader() } }
    }
    after(span(40...400)) { self.trouble() }
  }

  private func block(_ partition: LedgerPartition) {
    note("nobody leads \(partition.name)")
    partition.blockedUntil = now + span(10...600)
  }

  private func vanish(_ partition: LedgerPartition) {
    guard !partition.isGone, partitions.count(where: { !$0.isGone }) > 2 else { return }
    note("\(partition.name) is deleted")
    seen.vanished += 1
    partition.isGone = true
  }

  private var living: [LedgerClient] { clients.filter { !$0.isDead } }

  private func freeze() {
    let all = living
    guard !all.isEmpty else { return }
    let client = all[draw(all.count)]
    client.frozenUntil = now + span(50...2500)
    note("client \(client.number) stands still")
  }

  private func kill() {
    let all = living
    guard !all.isEmpty else { return }
    let client = all[draw(all.count)]
    note("client \(client.number) dies")
    client.isDead = true
    beginClient(client.id, after: span(1...800))
  }

  /// The ids are old: their producers have few epochs left.
  func prepareLateEpochs() {
    let records = Self.ids.enumerated().map { index, id in
      let producer = ProducerIdentity(ProducerID(Int64(index) + 1), ProducerEpoch(.max - 2 - Int16(draw(5))))
      return TransactionRecord(
        id,
        TransactionValue(
          producer: producer, timeout: .seconds(1), stage: .empty,
          updatedAt: Timestamp(milliseconds: 1_700_000_000_000)))
    }
    log.batches = [TransactionRecordFormat.batch(records, at: Timestamp(milliseconds: 1_700_000_000_000))]
    log.kept = 1
  }
}
