import KafkaProtocol
import Vocabulary

/// Who an idempotent producer is, and the number of its next record in each partition (KIP-98).
///
/// A batch keeps its stamp however often it is sent, which is how the broker knows a repetition. The next batch of a
/// partition is stamped only after the one before it was acknowledged.
struct ProducerIdentity: Sendable, Hashable {
  let id: ProducerID
  let epoch: ProducerEpoch
  private var next: [TopicPartition: Int32] = [:]

  init(id: ProducerID, epoch: ProducerEpoch) {
    self.id = id
    self.epoch = epoch
  }

  func stamp(for partition: TopicPartition) -> ProducerStamp {
    ProducerStamp(id: id, epoch: epoch, baseSequence: next[partition] ?? 0)
  }

  /// The batch with the stamp was appended. Sequences wrap from 2³¹−1 to 0.
  mutating func acknowledge(_ records: Int, in partition: TopicPartition) {
    let sum = Int64(next[partition] ?? 0) + Int64(records)
    next[partition] = Int32(sum & 0x7fff_ffff)
  }
}
