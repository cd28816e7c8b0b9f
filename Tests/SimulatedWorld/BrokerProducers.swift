import KafkaClient
import KafkaProtocol
import Vocabulary

/// Producers: what all of them do, and those that have one batch on its way, which they send until they know what became
/// of it.
extension BrokerSimulation {
  private static let patience = TimeSpan.seconds(3)
  private static let passing: Set<ErrorCode> = [
    .notLeaderOrFollower, .unknownTopicOrPartition, .unknownTopicId, .inconsistentTopicId, .leaderNotAvailable,
    .notEnoughReplicas, .notEnoughReplicasAfterAppend, .requestTimedOut, .kafkaStorageError, .fencedLeaderEpoch,
    .unknownLeaderEpoch, .offsetNotAvailable, .coordinatorLoadInProgress, .coordinatorNotAvailable, .notCoordinator,
    .notController, .replicaNotAvailable, .networkException, .staleBrokerEpoch,
  ]
  typealias Produced = Result<PeerAnswer<ProduceResponse>, ClientError>

  // MARK: All of them

  /// Sends one batch.
  func send(
    _ values: [UInt64], to key: BrokerKey, as stamp: ProducerStamp, at node: Int32, by number: Int,
    then: @escaping @Sendable (Produced, inout Model) -> Void
  ) {
    var batch = RecordBatchBuilder(producer: stamp)
    for value in values {
      batch.append(
        timestamp: Timestamp(milliseconds: 1_700_000_000_000 + stage.now / 1000), key: nil,
        value: Array("\(value)".utf8))
    }
    let bytes = batch.build()
    let request = ProduceRequest { request in
      request.acks = -1
      request.timeoutMs = 2000
      request.topicData = [
        .init {
          $0.name = key.name
          $0.topicID = key.topic
          $0.partitionData = [
            .init {
              $0.index = key.partition
              $0.records = .bytes(bytes)
            }
          ]
        }
      ]
    }
    clients[number].ask(request, of: node, within: Self.patience) { result in
      self.post { model in then(result, &model) }
    }
  }

  /// Records that nobody has written before, as many as one batch has.
  func newValues(by producer: ProducerID, _ model: inout Model) -> [UInt64] {
    (0..<(1 + stage.draw(3))).map { _ in
      model.lastValue += 1
      model.promises.wrote(model.lastValue, by: producer)
      return model.lastValue
    }
  }

  /// What is written to next; nil where nothing can be.
  func aim(_ number: Int, _ model: Model) -> BrokerKey? {
    var keys = model.clients[number].led
    if case .healing = model.phase, case let rest = keys.filter({ !model.served.contains($0) }), !rest.isEmpty {
      keys = rest
    }
    if let target = model.target, keys.contains(target) { return target }
    return keys.isEmpty ? nil : keys[stage.draw(keys.count)]
  }

  /// A batch is acknowledged: what that promises holds at once.
  func acknowledged(_ values: [UInt64], of key: BrokerKey, at base: Int64, by number: Int, _ model: inout Model) {
    stage.note("client-\(number): \(key) has \(values) at \(base)")
    if let broken = model.promises.acknowledge(key, at: base, values) { stage.fail(broken) }
    checkCopies(of: values, in: key, model)
    model.seen.acknowledged += values.count
    if case .healing = model.phase { model.served.insert(key) }
  }

  /// A batch is refused, in words that a client can live with.
  func refused(_ values: [UInt64], of key: BrokerKey, with code: ErrorCode, by number: Int, _ model: inout Model) {
    stage.note("client-\(number): \(key) refuses \(values) with \(code)")
    if !Self.passing.contains(code) {
      stage.fail("a batch of \(key) whose predecessors were acknowledged was answered with \(code)")
    }
    model.seen.retries += 1
  }

  func identify(_ number: Int, then: @escaping @Sendable (ProducerID, ProducerEpoch, inout Model) -> Void) {
    let request = InitProducerIDRequest {
      $0.transactionalID = nil
      $0.transactionTimeoutMs = .max
    }
    clients[number].ask(request, of: anyNode, within: Self.patience) { result in
      self.post { model in
        if case .success(let answer) = result, answer.response.errorCode == .none {
          then(ProducerID(answer.response.producerID), ProducerEpoch(answer.response.producerEpoch), &model)
        }
        self.again(number)
      }
    }
  }

  /// What is acknowledged lies on as many disks, in as many Regions, as was promised.
  private func checkCopies(of values: [UInt64], in key: BrokerKey, _ model: Model) {
    // The files of a topic that somebody wants to be gone may be gone.
    guard let value = values.last, model.created[key.topic] != nil else { return }
    let promised = options.layout.copies(of: key.name)
    let holders = machines.filter { $0.holds(value, of: "\(key.name)-\(key.partition)") }
    let regions = Set(holders.map(\.region))
    guard holders.count < promised.nodes || regions.count < promised.regions else { return }
    stage.fail(
      "\(key): \(value) was acknowledged, and only the nodes \(holders.map(\.id)) have it, where "
        + "\(promised.nodes) in \(promised.regions) Regions were promised")
  }

  // MARK: One at a time

  func produce(_ number: Int, _ model: inout Model) {
    if case .checking = model.phase { return again(number) }
    guard let producer = model.clients[number].producer else {
      return identify(number) { $2.clients[number].producer = ($0, $1) }
    }
    if model.clients[number].attempt == nil {
      if model.isResting { return again(number) }
      begin(number, producer.id, &model)
    }
    guard let attempt = model.clients[number].attempt else { return refresh(number) }
    guard let leader = model.clients[number].leaders[attempt.key] else {
      // Its topic is gone, as far as somebody knows, and what became of the batch with it. Another producer begins, as
      // clients do that give up a batch.
      model.clients[number].attempt = nil
      model.clients[number].producer = nil
      model.clients[number].sequences = [:]
      return again(number)
    }
    guard leader.node >= 0 else { return refresh(number) }
    let stamp = ProducerStamp(id: producer.id, epoch: producer.epoch, baseSequence: attempt.sequence)
    send(attempt.values, to: attempt.key, as: stamp, at: leader.node, by: number) { result, model in
      self.produced(number, attempt, result, &model)
    }
  }

  private func begin(_ number: Int, _ producer: ProducerID, _ model: inout Model) {
    guard let key = aim(number, model) else { return }
    model.clients[number].attempt = .init(
      key: key, sequence: model.clients[number].sequences[key, default: 0], values: newValues(by: producer, &model))
  }

  private func produced(
    _ number: Int, _ attempt: BrokerClientState.Attempt, _ result: Produced, _ model: inout Model
  ) {
    guard case .success(let answer) = result,
      let partition = answer.response.responses.first?.partitionResponses.first
    else {
      model.seen.retries += 1
      return refresh(number)
    }
    switch partition.errorCode {
    case .none, .duplicateSequenceNumber:
      let base = partition.errorCode == .none ? partition.baseOffset : -1
      acknowledged(attempt.values, of: attempt.key, at: base, by: number, &model)
      model.clients[number].sequences[attempt.key] = attempt.sequence + Int32(attempt.values.count)
      model.clients[number].attempt = nil
      again(number)
    case let code:
      refused(attempt.values, of: attempt.key, with: code, by: number, &model)
      refresh(number)
    }
  }
}
