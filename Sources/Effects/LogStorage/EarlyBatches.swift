import KafkaProtocol
import Synchronization
import Vocabulary

/// Batches that came before those of the same producer that belong before them (KIP-98).
///
/// A producer has up to five requests on their way. While leaders change, or while too few replicas are in sync, the
/// first may be refused and the next one come when it would be taken; and librdkafka sends to a new leader what is
/// newest while it still puts back what the old one has refused. Told that such a batch is out of order, librdkafka
/// takes the broker's knowledge for lost, and begins a new epoch for all partitions: what another one has stored and
/// could not acknowledge is stored there again. So the batch is refused as while leaders change, upon which clients
/// send from the first one that is missing; and only who goes on like that is told.
///
/// It is the lowest batch that comes again and again: those above it wait for it, and are no sign of anything.
struct EarlyBatches: Sendable {
  /// How often the lowest is refused before its producer is told.
  static let timesMax = 10
  /// How often that of a producer of which nothing is known. It may have been forgotten, with its records or without,
  /// and is taken then: as in Kafka, it begins anywhere.
  static let timesMaxOfUnknown = 2
  /// Of the lowest and those above it, for who never sends the lowest again.
  static let allMax = 50
  /// At the limit that with the lowest id is forgotten, and counted anew.
  static let producersMax = 1024

  private struct Gap {
    let lowest: ProducerStamp
    var times = 1
    var all: Int
  }
  private var gaps: [ProducerID: Gap] = [:]
  private var epoch = LeaderEpoch.none
  /// As if there were no such rule: what a simulation has to find.
  var isTakenAway = false

  /// Whether an early batch is to come again; false where its producer is to be told, or taken as it is. Each leader
  /// begins to count anew.
  mutating func mayCloseGap(before stamp: ProducerStamp, in epoch: LeaderEpoch, isUnknown: Bool) -> Bool {
    if isTakenAway { return false }
    if epoch != self.epoch {
      self.epoch = epoch
      gaps = [:]
    }
    let known = gaps[stamp.id].flatMap { $0.lowest.epoch == stamp.epoch ? $0 : nil }
    guard var gap = known, !gap.lowest.comesBehind(stamp) else {
      // One at a time, and always the same ones: the others get on, and leave room.
      if gaps.count >= Self.producersMax, gaps[stamp.id] == nil, let lowest = gaps.keys.min() { gaps[lowest] = nil }
      gaps[stamp.id] = Gap(lowest: stamp, all: (known?.all ?? 0) + 1)
      return true
    }
    gap.all += 1
    if stamp == gap.lowest { gap.times += 1 }
    guard gap.times <= (isUnknown ? Self.timesMaxOfUnknown : Self.timesMax), gap.all <= Self.allMax else {
      gaps[stamp.id] = nil
      return false
    }
    gaps[stamp.id] = gap
    return true
  }

  /// A batch of the producer was appended.
  mutating func came(_ producer: ProducerID) {
    if !gaps.isEmpty { gaps[producer] = nil }
  }
}

extension PartitionLog {
  /// Plants a mistake: no early batch is asked to come again.
  package func callEarlyBatchesOutOfOrder() { state.withLock { $0.early.isTakenAway = true } }
}

extension ProducerStamp {
  /// Whether a batch is a later one of the same producer and epoch. Sequences begin at 0 again after the largest one.
  fileprivate func comesBehind(_ other: ProducerStamp) -> Bool {
    id == other.id && epoch == other.epoch && baseSequence != other.baseSequence
      && (baseSequence &- other.baseSequence) & .max < .max / 2
  }
}
