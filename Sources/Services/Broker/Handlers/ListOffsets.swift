import EventLoop
import KafkaProtocol
import LogStorage
import Vocabulary

extension Broker {
  /// ListOffsets, v1–11: the first offset at or after a time, or one of the ends of the log.
  ///
  /// -1 is the high watermark, -2 the log's start, -3 the record with the largest time (v7), -4 the local start (v8),
  /// -5 and -6 are about tiered storage, which there is none of. No record that late gives offset -1 and no error. Who
  /// reads committed transactions only is told the last stable offset for -1, and of no record at or above it (v2).
  func listOffsets(_ call: Call<ListOffsetsRequest>) {
    let searches = call.request.topics.contains { topic in
      topic.partitions.contains { $0.timestamp >= 0 || $0.timestamp == -3 }
    }
    // Looking for a time reads from disk, which may block.
    if searches { pool.run { call.answer(self.offsets(call)) } } else { call.answer(offsets(call)) }
  }

  private func offsets(_ call: Call<ListOffsetsRequest>) -> ListOffsetsResponse {
    var response = ListOffsetsResponse()
    response.topics = call.request.topics.map { topic in
      var answer = ListOffsetsResponse.Topic()
      answer.name = topic.name
      let held = heldTopic(topic.name)
      answer.partitions = topic.partitions.map { offset($0, held, committedOnly: call.request.isolationLevel == 1) }
      return answer
    }
    return response
  }

  private func offset(
    _ ask: ListOffsetsRequest.Partition, _ held: PartitionTable.HeldTopic?, committedOnly: Bool
  ) -> ListOffsetsResponse.Partition {
    var answer = ListOffsetsResponse.Partition()
    answer.partitionIndex = ask.partitionIndex
    guard let partition = held?.partition(ask.partitionIndex) else {
      answer.errorCode = held?.absence(of: ask.partitionIndex) ?? .unknownTopicOrPartition
      return answer
    }
    if let code = partition.refusalAsLeader(forEpoch: ask.currentLeaderEpoch) {
      answer.errorCode = code
      return answer
    }
    do throws(StorageError) {
      switch ask.timestamp {
      case -1:
        switch partition.committedEnd(forEpoch: ask.currentLeaderEpoch, stable: committedOnly) {
        case .success(let end): fill(&answer, end, partition)
        case .failure(let refusal): answer.errorCode = refusal.code
        }
      case -2, -4: fill(&answer, partition.log.startOffset, partition)
      case -3: fill(&answer, try partition.log.offsetOfMaxTimestamp(), partition, committedOnly)
      case -5, -6: break
      default:
        guard ask.timestamp >= 0 else {
          answer.errorCode = .unsupportedForMessageFormat
          return answer
        }
        let found = try partition.log.offset(forTimestamp: Timestamp(milliseconds: ask.timestamp))
        fill(&answer, found, partition, committedOnly)
      }
    } catch {
      answer.errorCode = .kafkaStorageError
    }
    return answer
  }

  private func fill(_ answer: inout ListOffsetsResponse.Partition, _ offset: Offset, _ partition: Partition) {
    answer.offset = offset.value
    answer.leaderEpoch = partition.leaderEpoch.value
  }

  /// Records above the high watermark, or the last stable offset, do not exist yet for a client.
  private func fill(
    _ answer: inout ListOffsetsResponse.Partition, _ found: TimedOffset?, _ partition: Partition,
    _ committedOnly: Bool
  ) {
    let end = committedOnly ? partition.lastStableOffset : partition.highWatermark
    guard let found, found.offset < end else { return }
    answer.offset = found.offset.value
    answer.leaderEpoch = found.leaderEpoch.value
    answer.timestamp = found.timestamp.milliseconds
  }
}
