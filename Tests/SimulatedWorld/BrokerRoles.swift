import KafkaClient
import KafkaProtocol
import Vocabulary

/// What clients do: one thing at a time each, for as long as the history goes on.
extension BrokerSimulation {
  private static let patience = TimeSpan.seconds(3)

  var anyNode: Int32 { brokers[stage.draw(brokers.count)].id }

  /// The client does the next thing after a pause.
  func again(_ number: Int, after pause: Int64? = nil) {
    later(pause ?? Int64(1 + stage.draw(60)) * BrokerStage.Spans.millisecond) { self.act(number, &$0) }
  }

  private func act(_ number: Int, _ model: inout Model) {
    progress(&model)
    // What a client knows grows old even if nobody contradicts it.
    if stage.happens(oneIn: 12) || mustAsk(number, model) { return refresh(number) }
    switch model.clients[number].role {
    case .producer: produce(number, &model)
    case .consumer: consume(number, &model)
    case .committer: commit(number, &model)
    case .administrator: administer(number, &model)
    }
  }

  /// Whoever knows of no topic has nothing to do, unless it makes topics or is about to find that there are none.
  private func mustAsk(_ number: Int, _ model: Model) -> Bool {
    guard model.clients[number].leaders.isEmpty, model.clients[number].role != .administrator else { return false }
    if case .checking = model.phase { return false }
    return true
  }

  func refresh(_ number: Int) {
    let node = anyNode
    let request = MetadataRequest {
      $0.topics = nil
      $0.allowAutoTopicCreation = false
    }
    clients[number].ask(request, of: node, within: Self.patience) { result in
      self.post { model in
        defer { self.again(number) }
        guard case .success(let answer) = result, answer.response.errorCode == .none else { return }
        model.clients[number].learn(answer.response)
        self.stage.note("client-\(number) hears from node-\(node): \(Self.words(answer.response))")
        model.alive[node] = Set(answer.response.brokers.map(\.nodeID))
        if case .troubled = model.phase { return }
        model.present = Set(answer.response.topics.map(\.topicID))
      }
    }
  }

  private static func words(_ response: MetadataResponse) -> String {
    response.topics.flatMap { topic in
      topic.partitions.map {
        "\(topic.name ?? "")-\($0.partitionIndex) \($0.leaderID)@\($0.leaderEpoch) \($0.isrNodes)/\($0.replicaNodes)"
      }
    }.joined(separator: ", ")
  }

  /// What was unexpected must at least be an answer that a client can live with.
  private func check(_ code: ErrorCode, _ allowed: Set<ErrorCode>, _ what: String) {
    guard !allowed.contains(code) else { return }
    stage.fail("\(what) was answered with \(code)")
  }

  // MARK: Producers

  private static let passing: Set<ErrorCode> = [
    .notLeaderOrFollower, .unknownTopicOrPartition, .unknownTopicId, .inconsistentTopicId, .leaderNotAvailable,
    .notEnoughReplicas, .notEnoughReplicasAfterAppend, .requestTimedOut, .kafkaStorageError, .fencedLeaderEpoch,
    .unknownLeaderEpoch, .offsetNotAvailable, .coordinatorLoadInProgress, .coordinatorNotAvailable, .notCoordinator,
    .notController, .replicaNotAvailable, .networkException, .staleBrokerEpoch,
  ]

  private func produce(_ number: Int, _ model: inout Model) {
    if case .checking = model.phase { return again(number) }
    guard let producer = model.clients[number].producer else { return identify(number) }
    if model.clients[number].attempt == nil { begin(number, &model) }
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
    var batch = RecordBatchBuilder(
      producer: ProducerStamp(id: producer.id, epoch: producer.epoch, baseSequence: attempt.sequence))
    for value in attempt.values {
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
          $0.name = attempt.key.name
          $0.topicID = attempt.key.topic
          $0.partitionData = [
            .init {
              $0.index = attempt.key.partition
              $0.records = .bytes(bytes)
            }
          ]
        }
      ]
    }
    clients[number].ask(request, of: leader.node, within: Self.patience) { result in
      self.post { model in self.produced(number, attempt, result, &model) }
    }
  }

  private func begin(_ number: Int, _ model: inout Model) {
    var keys = model.clients[number].led
    if case .healing = model.phase, case let rest = keys.filter({ !model.served.contains($0) }), !rest.isEmpty {
      keys = rest
    }
    guard !keys.isEmpty else { return }
    let key = aim(keys, model)
    let values = (0..<(1 + stage.draw(3))).map { _ in
      model.lastValue += 1
      return model.lastValue
    }
    model.clients[number].attempt = .init(
      key: key, sequence: model.clients[number].sequences[key, default: 0], values: values)
  }

  private func produced(
    _ number: Int, _ attempt: BrokerClientState.Attempt, _ result: Result<PeerAnswer<ProduceResponse>, ClientError>,
    _ model: inout Model
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
      stage.note("client-\(number): \(attempt.key) has \(attempt.values) at \(base)")
      if let broken = model.promises.acknowledge(attempt.key, at: base, attempt.values) { stage.fail(broken) }
      checkCopies(of: attempt, model)
      model.seen.acknowledged += attempt.values.count
      model.clients[number].sequences[attempt.key] = attempt.sequence + Int32(attempt.values.count)
      model.clients[number].attempt = nil
      if case .healing = model.phase { model.served.insert(attempt.key) }
      again(number)
    case let code:
      stage.note("client-\(number): \(attempt.key) refuses \(attempt.values) with \(code)")
      check(code, Self.passing, "a batch of \(attempt.key) whose predecessors were acknowledged")
      model.seen.retries += 1
      refresh(number)
    }
  }

  private func identify(_ number: Int) {
    let request = InitProducerIDRequest {
      $0.transactionalID = nil
      $0.transactionTimeoutMs = .max
    }
    clients[number].ask(request, of: anyNode, within: Self.patience) { result in
      self.post { model in
        if case .success(let answer) = result, answer.response.errorCode == .none {
          model.clients[number].producer = (
            ProducerID(answer.response.producerID), ProducerEpoch(answer.response.producerEpoch)
          )
        }
        self.again(number)
      }
    }
  }

  /// What is written to next.
  private func aim(_ keys: [BrokerKey], _ model: Model) -> BrokerKey {
    if let target = model.target, keys.contains(target) { return target }
    return keys[stage.draw(keys.count)]
  }

  /// What is acknowledged lies on as many disks, in as many Regions, as was promised.
  private func checkCopies(of attempt: BrokerClientState.Attempt, _ model: Model) {
    // The files of a topic that somebody wants to be gone may be gone.
    guard let value = attempt.values.last, model.created[attempt.key.topic] != nil else { return }
    let promised = options.layout.copies(of: attempt.key.name)
    let holders = machines.filter { $0.holds(value, of: "\(attempt.key.name)-\(attempt.key.partition)") }
    let regions = Set(holders.map(\.region))
    guard holders.count < promised.nodes || regions.count < promised.regions else { return }
    stage.fail(
      "\(attempt.key): \(value) was acknowledged, and only the nodes \(holders.map(\.id)) have it, where "
        + "\(promised.nodes) in \(promised.regions) Regions were promised")
  }
}
