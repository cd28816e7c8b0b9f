import KafkaProtocol
import Vocabulary

/// At which sequence an unknown producer may begin.
public enum Newcomers: Hashable, Sendable {
  /// It may have been forgotten, with or without its records: as in Kafka.
  case atAnySequence
  /// Its first batches may have come before there was a leader, and come again.
  case atZero
}

/// Batches that came before those of the same producer that belong before them (KIP-98).
///
/// A producer has up to five requests on their way. While leaders change, or while too few replicas are in sync, the
/// first may be refused and the next one come when it would be taken; and librdkafka sends to a new leader what is
/// newest while it still puts back what the old one has refused. Told that such a batch is out of order, librdkafka
/// takes the broker's knowledge for lost, and begins a new epoch for all partitions: what another one has stored and
/// could not acknowledge is stored there again. So the batch is refused as while leaders change, upon which clients
/// send from the first one that is missing; and only who goes on like that is told that it is out of order.
struct EarlyBatches: Sendable {
  /// Two rounds of five requests.
  static let timesMax = 10
  /// More at once are told at once.
  static let producersMax = 1024

  private var times: [ProducerID: Int] = [:]

  /// What is answered to an early batch, which is `message`.
  mutating func refusal(of producer: ProducerID, _ message: String) -> AppendRefusal {
    let before = times[producer] ?? 0
    guard before < Self.timesMax, before > 0 || times.count < Self.producersMax else {
      times[producer] = nil
      return AppendRefusal(.outOfOrderSequenceNumber, message)
    }
    times[producer] = before + 1
    return AppendRefusal(.notLeaderOrFollower, message + "; what is missing may be on its way")
  }

  /// A batch of the producer was appended.
  mutating func came(_ producer: ProducerID) {
    if !times.isEmpty { times[producer] = nil }
  }
}
