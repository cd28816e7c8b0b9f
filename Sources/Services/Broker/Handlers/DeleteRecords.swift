import EventLoop
import KafkaProtocol
import LogStorage
import Vocabulary

extension Broker {
  /// DeleteRecords, v0–2: moves the start of logs forward; -1 means up to the high watermark (KIP-107).
  func deleteRecords(_ call: Call<DeleteRecordsRequest>) {
    pool.run {
      var response = DeleteRecordsResponse()
      response.topics = call.request.topics.map { topic in
        var entry = DeleteRecordsResponse.Topic()
        entry.name = topic.name
        let held = self.heldTopic(topic.name)
        entry.partitions = topic.partitions.map { self.deleteRecords($0, held) }
        return entry
      }
      call.answer(response)
    }
  }

  private func deleteRecords(
    _ ask: DeleteRecordsRequest.Partition, _ held: PartitionTable.HeldTopic?
  ) -> DeleteRecordsResponse.Partition {
    var entry = DeleteRecordsResponse.Partition()
    entry.partitionIndex = ask.partitionIndex
    entry.lowWatermark = -1
    guard let partition = held?.partition(ask.partitionIndex) else {
      entry.errorCode = held?.absence(of: ask.partitionIndex) ?? .unknownTopicOrPartition
      return entry
    }
    guard partition.leads else {
      entry.errorCode = partition.log.failure == nil ? .notLeaderOrFollower : .kafkaStorageError
      return entry
    }
    guard partition.log.settings.cleanup.contains(.delete), !partition.name.topic.isInternal,
      partition.clientRefusal == nil
    else {
      entry.errorCode = .policyViolation
      return entry
    }
    let end = partition.highWatermark
    let target = ask.offset == -1 ? end : Offset(ask.offset)
    guard target >= .zero, target <= end else {
      entry.errorCode = .offsetOutOfRange
      return entry
    }
    do throws(StorageError) {
      guard let start = try partition.log.deleteRecords(before: target) else {
        entry.errorCode = .offsetOutOfRange
        return entry
      }
      partition.logStartMoved()
      entry.lowWatermark = start.value
    } catch {
      storageFailed(error)
      entry.errorCode = .kafkaStorageError
    }
    return entry
  }
}
