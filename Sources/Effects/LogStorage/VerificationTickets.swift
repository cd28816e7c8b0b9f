import Vocabulary

/// What a producer's transactional batch needs before it may be appended (KIP-890).
public enum TransactionStanding: Hashable, Sendable {
  /// A transaction of this producer and epoch is open here: append.
  case ongoing
  /// The coordinator has to say first that the partition is part of an open transaction. Then append with the ticket.
  case unverified(VerificationTicket)
}

/// Stands for the time between the question to the coordinator and the append: whatever ends the transaction meanwhile
/// makes it void, so that a late answer cannot open a transaction that nobody would ever end (KIP-890).
public struct VerificationTicket: Hashable, Sendable {
  let number: UInt64
  /// Opens nothing.
  static let void = VerificationTicket(number: 0)
}

/// The tickets of a log that are valid, one for each producer that waits for its coordinator's answer.
struct VerificationTickets: Sendable {
  /// At the limit the older half is void: their producers have to ask again.
  static let countMax = 4_096

  private struct Entry: Sendable {
    let ticket: VerificationTicket
    let epoch: Int16
    let leaderEpoch: LeaderEpoch
    /// The smallest sequence that was asked for: a later batch must not overtake it.
    var lowestSequence: Int32
    let round: Int
  }

  private var entries: [Int64: Entry] = [:]
  private var last: UInt64 = 0
  private var round = 0

  var count: Int { entries.count }

  /// The ticket of a producer; the same one for all batches that wait at once. One of an older epoch gets none.
  mutating func issue(
    _ producer: Int64, _ epoch: Int16, from sequence: Int32, in leaderEpoch: LeaderEpoch
  ) -> VerificationTicket {
    if let entry = entries[producer], entry.leaderEpoch == leaderEpoch {
      if epoch < entry.epoch { return .void }
      if epoch == entry.epoch {
        if sequence < entry.lowestSequence { entries[producer]?.lowestSequence = sequence }
        return entry.ticket
      }
    }
    makeRoom()
    last += 1
    let ticket = VerificationTicket(number: last)
    entries[producer] = Entry(
      ticket: ticket, epoch: epoch, leaderEpoch: leaderEpoch, lowestSequence: sequence, round: round)
    return ticket
  }

  /// The smallest sequence that may open a transaction with this ticket; nil where it is void.
  func lowestSequence(
    _ ticket: VerificationTicket, of producer: Int64, _ epoch: Int16, in leaderEpoch: LeaderEpoch
  ) -> Int32? {
    guard let entry = entries[producer], entry.ticket == ticket, entry.epoch == epoch,
      entry.leaderEpoch == leaderEpoch
    else { return nil }
    return entry.lowestSequence
  }

  mutating func void(_ producer: Int64) {
    if !entries.isEmpty { entries[producer] = nil }
  }

  mutating func voidAll() { entries.removeAll() }

  /// Called now and then: what was there at the last call but one is void.
  mutating func expire() {
    guard !entries.isEmpty else { return }
    entries = entries.filter { $0.value.round >= round }
    round += 1
  }

  private mutating func makeRoom() {
    guard entries.count >= Self.countMax else { return }
    let newest = entries.sorted { $0.value.ticket.number > $1.value.ticket.number }.prefix(Self.countMax / 2)
    entries = Dictionary(uniqueKeysWithValues: newest.map { ($0.key, $0.value) })
  }
}
