import EventLoop
import KafkaClient
import KafkaProtocol
import MirrorPlanning
import Vocabulary

extension StandaloneMirror {
  /// Translates what groups have committed, writes it down as MirrorMaker does, and commits it for groups that nobody
  /// uses at the target. A group there is never set back.
  func carryGroups() async throws {
    for group in try await clusters.source.groups() where plan.groups.contains(group.groupID) {
      do throws(ClientError) {
        try await carry(group.groupID)
      } catch {
        guard case .refused = error else { throw error }
        // It may be on its way to another coordinator, or gone; the next time will tell.
      }
    }
    try await producer.flush()
  }

  private func carry(_ group: String) async throws(ClientError) {
    var translated: [TopicPartition: Offset] = [:]
    for committed in try await clusters.source.committedOffsets(of: group) {
      guard let copy = copies[committed.partition], let offset = copy.ledger.runs.translate(committed.offset) else {
        continue
      }
      translated[copy.remote] = offset
      try await write(
        CheckpointRecord(
          group: group, topic: copy.remote.topic.text, partition: copy.remote.partition.value,
          upstreamOffset: committed.offset.value, downstreamOffset: offset.value, metadata: committed.metadata))
    }
    guard !translated.isEmpty, try await isUnused(group) else { return }
    for present in try await clusters.target.committedOffsets(of: group) {
      if let offset = translated[present.partition], offset <= present.offset { translated[present.partition] = nil }
    }
    if !translated.isEmpty { try await clusters.target.commit(translated, for: group) }
  }

  /// Those that say something new.
  private func write(_ checkpoint: CheckpointRecord) async throws(ClientError) {
    var place = checkpoint
    (place.upstreamOffset, place.downstreamOffset, place.metadata) = (-1, -1, "")
    let offset = Offset(checkpoint.upstreamOffset)
    guard checkpoints.updateValue(offset, forKey: place) != offset else { return }
    try await producer.append(
      OwnedRecord(timestamp: wallClockNow(), key: checkpoint.key, value: checkpoint.value), to: plan.checkpointsTopic,
      partition: PartitionIndex(0))
  }

  /// Whether the group has no members at the target, where it may not even be known.
  private func isUnused(_ group: String) async throws(ClientError) -> Bool {
    do throws(ClientError) {
      return try await clusters.target.group(group).members.isEmpty
    } catch {
      guard error.code == .groupIdNotFound else { throw error }
      return true
    }
  }
}
