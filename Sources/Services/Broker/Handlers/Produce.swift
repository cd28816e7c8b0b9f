import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import Replication
import Synchronization
import Telemetry
import Vocabulary

extension Broker {
  /// Produce, v3–13: appends one batch to each of some partitions, in place in the request's own bytes.
  ///
  /// v13 names topics by id. With acks=0 there is no answer, and an error closes the connection, as Kafka does.
  /// The first batch of a transaction waits until its coordinator has said that the partition is part of it (KIP-890).
  /// Differs from Apache Kafka: quotas are not applied.
  func produce(_ call: Call<ProduceRequest>, _ body: UnsafeMutableRawBufferPointer) {
    let request = call.request
    metrics.produceRequests.add(1)
    let answer = ProduceAnswer(call, of: self)
    let now = wallClockNow()
    let acks: Acks = request.acks == -1 && planted != .acknowledgesAtOnce ? .allInSync : .leader
    let timeout = TimeSpan.milliseconds(Int64(max(0, request.timeoutMs)))
    for (i, topic) in request.topicData.enumerated() {
      let held = call.context.version >= 13 ? partitions.topic(topic.topicID) : heldTopic(topic.name)
      for (j, part) in topic.partitionData.enumerated() {
        let slot = ProduceAnswer.Slot(topic: i, partition: j)
        guard let partition = held?.partition(part.index) else {
          answer.refuse(slot, missing(topic, part.index, held, in: call))
          continue
        }
        if let code = refusal(of: request, to: partition) {
          answer.refuse(slot, code)
          continue
        }
        guard case .inFrame(let range) = part.records, !range.isEmpty else {
          answer.refuse(slot, .corruptMessage, "The partition \(partition.name) was sent no batch.")
          continue
        }
        let records = UnsafeMutableRawBufferPointer(rebasing: body[range])
        if let id = request.transactionalID, let stamp = TransactionStamp(records),
          waits(call, id, stamp, records, for: partition, acks, timeout, answer, slot)
        {
          continue
        }
        partition.append(records, origin: .client, acks: acks, timeout: timeout, now: now) { outcome in
          answer.complete(slot, outcome, bytes: range.count)
        }
      }
    }
    answer.finishSending()
  }

  /// Whether a transaction's batch must wait for its coordinator's word. The frame is gone by then: the batch is copied,
  /// which happens once for each partition of a transaction.
  private func waits(
    _ call: Call<ProduceRequest>, _ id: String, _ stamp: TransactionStamp, _ records: UnsafeMutableRawBufferPointer,
    for partition: Partition, _ acks: Acks, _ timeout: TimeSpan, _ answer: ProduceAnswer, _ slot: ProduceAnswer.Slot
  ) -> Bool {
    let subject = TransactionChecks.Subject(
      transactionalID: id, producer: stamp.producer, epoch: stamp.epoch, partition: partition.name)
    let admission = checks.admit(subject, to: partition, from: stamp.sequence) {
      let copy = Array(records)
      return { verdict in
        switch verdict {
        case .refused(let code):
          answer.refuse(slot, code.toldToProducer(knowsAbortable: call.context.version >= 11))
        case .admitted(let ticket):
          var batch = copy
          batch.withUnsafeMutableBytes { raw in
            partition.append(
              raw, origin: .client, acks: acks, timeout: timeout, verified: ticket, now: wallClockNow()
            ) { answer.complete(slot, $0, bytes: copy.count) }
          }
        }
      }
    }
    switch admission {
    case .now: return false
    case .later: return true
    }
  }

  private func missing(
    _ topic: ProduceRequest.Topic, _ index: Int32, _ held: PartitionTable.HeldTopic?, in call: Call<ProduceRequest>
  ) -> ErrorCode {
    if let held { return held.absence(of: index) }
    if call.context.version >= 13 { return .unknownTopicId }
    return TopicName(topic.name) == nil ? .invalidTopicException : .unknownTopicOrPartition
  }

  private func refusal(of request: ProduceRequest, to partition: Partition) -> ErrorCode? {
    guard !partition.name.topic.isInternal else { return .invalidTopicException }
    switch request.acks {
    case -1, 0, 1: return nil
    default: return .invalidRequiredAcks
    }
  }
}

/// The producer of a transactional batch.
private struct TransactionStamp {
  let producer: ProducerID
  let epoch: ProducerEpoch
  let sequence: Int32

  /// Nil for a batch that is no part of a transaction, and for bytes that are no batch: the log says what is wrong.
  init?(_ records: UnsafeMutableRawBufferPointer) {
    guard let header = try? RecordBatchHeader(UnsafeRawBufferPointer(records)), header.attributes.isTransactional else {
      return nil
    }
    producer = header.producerID
    epoch = header.producerEpoch
    sequence = header.baseSequence
  }
}

/// Collects what became of each batch, and answers when the last is decided.
private final class ProduceAnswer: Sendable {
  struct Slot: Sendable {
    let topic: Int
    let partition: Int
  }

  private let call: Call<ProduceRequest>
  private let broker: Broker
  private let began = monotonicNow()
  private let state: Mutex<State>

  private struct State {
    var response = ProduceResponse()
    /// One more than the batches that are undecided, until all have been started.
    var undecided: Int
    var firstError: ErrorCode?
  }

  init(_ call: Call<ProduceRequest>, of broker: Broker) {
    self.broker = broker
    self.call = call
    var response = ProduceResponse()
    var count = 1
    response.responses = call.request.topicData.map { topic in
      var answered = ProduceResponse.Topic()
      answered.name = topic.name
      answered.topicID = topic.topicID
      answered.partitionResponses = topic.partitionData.map { part in
        var partition = ProduceResponse.Partition()
        partition.index = part.index
        return partition
      }
      count += topic.partitionData.count
      return answered
    }
    state = Mutex(State(response: response, undecided: count))
  }

  func refuse(_ slot: Slot, _ code: ErrorCode, _ message: String? = nil) {
    decide(slot) { partition in
      partition.errorCode = code
      partition.errorMessage = message
      partition.baseOffset = -1
    }
  }

  func complete(_ slot: Slot, _ outcome: AppendOutcome, bytes: Int) {
    switch outcome {
    case .kept(let appended):
      broker.metrics.bytesIn.add(bytes)
      broker.metrics.recordsIn.add(Int(appended.lastOffset - appended.baseOffset) + 1)
      decide(slot) { partition in
        partition.baseOffset = appended.baseOffset.value
        partition.logAppendTimeMs = appended.logAppendTime.milliseconds
        partition.logStartOffset = appended.logStartOffset.value
      }
    case .refused(let refusal):
      broker.metrics.failedProduces.add(1)
      decide(slot) { partition in
        partition.errorCode = refusal.code
        partition.errorMessage = refusal.message
        partition.baseOffset = -1
        partition.recordErrors = refusal.recordErrors.map { fault in
          var error = ProduceResponse.BatchIndexAndErrorMessage()
          error.batchIndex = Int32(clamping: fault.index)
          error.batchIndexErrorMessage = fault.message
          return error
        }
      }
    case .failed(let error):
      broker.storageFailed(error)
      refuse(slot, .kafkaStorageError, "\(error)")
    }
  }

  func finishSending() { decide(nil) { _ in } }

  private func decide(_ slot: Slot?, _ fill: (inout ProduceResponse.Partition) -> Void) {
    let finished: (ProduceResponse, ErrorCode?)? = state.withLock { state in
      if let slot {
        fill(&state.response.responses[slot.topic].partitionResponses[slot.partition])
        let code = state.response.responses[slot.topic].partitionResponses[slot.partition].errorCode
        if code != .none, state.firstError == nil { state.firstError = code }
      }
      state.undecided -= 1
      return state.undecided == 0 ? (state.response, state.firstError) : nil
    }
    guard let (response, error) = finished else { return }
    broker.metrics.produceTime.observe(Int((monotonicNow() - began).nanoseconds / 1000))
    if call.request.acks != 0 {
      call.answer(error == nil ? response : hinted(response))
    } else if let error {
      call.close(because: "a produce with acks=0 failed with \(error)")
    } else {
      call.answerNothing()
    }
  }

  /// Who came to the wrong broker is told where the right one is (KIP-951).
  private func hinted(_ response: ProduceResponse) -> ProduceResponse {
    guard call.context.version >= 10 else { return response }
    var response = response
    let broker = broker
    var hints = LeaderHints(on: broker.settings.nodeID, image: { broker.image }, listener: call.context.listener)
    for topic in response.responses.indices {
      let named: LeaderHints.Topic =
        call.context.version >= 13
        ? .id(response.responses[topic].topicID) : .name(response.responses[topic].name)
      for place in response.responses[topic].partitionResponses.indices {
        let partition = response.responses[topic].partitionResponses[place]
        guard let leader = hints.leader(of: partition.index, of: named, refusedWith: partition.errorCode) else {
          continue
        }
        response.responses[topic].partitionResponses[place].currentLeader.leaderID = leader.id.value
        response.responses[topic].partitionResponses[place].currentLeader.leaderEpoch = leader.epoch.value
      }
    }
    response.nodeEndpoints = hints.nodes.map { node in
      var endpoint = ProduceResponse.NodeEndpoint()
      endpoint.nodeID = node.id.value
      endpoint.host = node.host
      endpoint.port = node.port
      endpoint.rack = node.rack
      return endpoint
    }
    return response
  }
}
