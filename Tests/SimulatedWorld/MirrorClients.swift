import Broker
import KafkaClient
import KafkaProtocol
import Vocabulary

/// What clients of both clusters do: a producer on each side tries all the time, whoever owns the topics.
extension MirrorSimulation {
  private static let patience = TimeSpan.seconds(3)
  private static let passing: Set<ErrorCode> = [
    .notLeaderOrFollower, .unknownTopicOrPartition, .unknownTopicId, .inconsistentTopicId, .leaderNotAvailable,
    .notEnoughReplicas, .notEnoughReplicasAfterAppend, .requestTimedOut, .kafkaStorageError, .fencedLeaderEpoch,
    .unknownLeaderEpoch, .replicaNotAvailable, .networkException, .policyViolation,
  ]

  func ask<Request: RequestBody>(
    _ request: Request, of node: Int32, _ side: MirrorSide, by client: Int = 1,
    then: @escaping @Sendable (Request.Response?, inout Model) -> Void
  ) {
    clients[client].ask(request, of: cluster(side).number(of: node), within: Self.patience) { result in
      self.post { model in
        if case .success(let answer) = result { then(answer.response, &model) } else { then(nil, &model) }
      }
    }
  }

  func anyNode(_ side: MirrorSide) -> Int32 {
    let machines = cluster(side).machines
    return machines[stage.draw(machines.count)].id
  }

  private var pause: Int64 { Int64(10 + stage.draw(90)) * BrokerStage.Spans.millisecond }

  // MARK: Producers

  func produce(_ side: MirrorSide, _ model: inout Model) {
    let again = { @Sendable in self.later(self.pause) { self.produce(side, &$0) } }
    switch model.phase {
    case .checking, .done: return again()
    case .preparing where side == .south: return again()
    case .preparing, .troubled, .healing: break
    }
    guard let client = model.producers[side] else { return }
    guard let producer = client.producer else { return identify(side, again) }
    if let attempt = client.attempt, client.leaders[attempt.key] == nil,
      model.topics.deleted.contains(.init(side: side, topic: attempt.key.topic))
    {
      startOver(side, &model)
      return again()
    }
    if client.attempt == nil { aim(side, &model) }
    guard let attempt = model.producers[side]?.attempt, let leader = client.leaders[attempt.key], leader.node >= 0,
      !stage.happens(oneIn: 20)
    else { return learn(side, again) }
    var batch = RecordBatchBuilder(
      producer: ProducerStamp(id: producer.id, epoch: producer.epoch, baseSequence: attempt.sequence))
    for value in attempt.values {
      let key = attempt.key.name == Self.compacted ? Array("\(MirrorRecords.key(of: value))".utf8) : nil
      batch.append(
        timestamp: Timestamp(milliseconds: 1_700_000_000_000 + stage.now / 1000), key: key,
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
    ask(request, of: leader.node, side, by: 0) { response, model in
      let answer = response?.responses.first?.partitionResponses.first
      self.produced(side, attempt, answer?.errorCode, at: answer?.baseOffset ?? -1, &model, again)
    }
  }

  /// What was meant for a topic that somebody has deleted. Should that one come back, nothing of it is known there.
  private func startOver(_ side: MirrorSide, _ model: inout Model) {
    model.producers[side]?.attempt = nil
    model.producers[side]?.producer = nil
    model.producers[side]?.sequences = [:]
  }

  private func aim(_ side: MirrorSide, _ model: inout Model) {
    guard var client = model.producers[side] else { return }
    let keys = client.led.filter { key in topics.contains(key.name) }
    guard !keys.isEmpty else { return }
    let key = keys[stage.draw(keys.count)]
    let values = (0..<(1 + stage.draw(3))).map { _ in
      model.lastValue += 1
      return model.lastValue
    }
    client.attempt = .init(key: key, sequence: client.sequences[key, default: 0], values: values)
    model.producers[side] = client
  }

  private func produced(
    _ side: MirrorSide, _ attempt: BrokerClientState.Attempt, _ code: ErrorCode?, at base: Int64,
    _ model: inout Model, _ again: @escaping @Sendable () -> Void
  ) {
    guard let place = Self.place(attempt.key) else { return again() }
    let spot = MirrorLedger.Spot(side: side, place: place, topic: attempt.key.topic)
    switch code {
    case nil:
      model.producers[side]?.attempt?.isUnclear = true
      learn(side, again)
    case .some(.none), .some(.duplicateSequenceNumber):
      stage.note("\(side): \(place) has \(attempt.values) at \(base)")
      for (index, value) in attempt.values.enumerated() where base >= 0 {
        model.acknowledged[spot, default: []].append((base + Int64(index), value, stage.now))
      }
      model.seen.acknowledged += attempt.values.count
      model.producers[side]?.sequences[attempt.key] = attempt.sequence + Int32(attempt.values.count)
      model.producers[side]?.attempt = nil
      if case .healing = model.phase, side == model.owner { model.served.insert(place) }
      again()
    case .some(.outOfOrderSequenceNumber), .some(.unknownProducerId):
      // What it wrote before may be gone where a cluster gave up what it had.
      let mayForget = model.unclean.contains(spot) || model.seen.failovers > 0 || model.seen.failbacks > 0
      if !mayForget { stage.fail("\(side): a batch of \(place) is refused, since its predecessors are not known") }
      model.producers[side]?.attempt = nil
      model.producers[side]?.producer = nil
      model.producers[side]?.sequences = [:]
      learn(side, again)
    case let code?:
      if !Self.passing.contains(code) { stage.fail("\(side): a batch of \(place) was answered with \(code)") }
      if code == .requestTimedOut || code == .notEnoughReplicasAfterAppend {
        model.producers[side]?.attempt?.isUnclear = true
      }
      // Who is refused for good gives the batch up. If it may have been written, its number is used up.
      if code == .policyViolation {
        if attempt.isUnclear { startOver(side, &model) } else { model.producers[side]?.attempt = nil }
      }
      learn(side, again)
    }
  }

  static func place(_ key: BrokerKey) -> TopicPartition? {
    allPlaces.first { $0.topic.text == key.name && $0.partition.value == key.partition }
  }

  private func identify(_ side: MirrorSide, _ again: @escaping @Sendable () -> Void) {
    let request = InitProducerIDRequest {
      $0.transactionalID = nil
      $0.transactionTimeoutMs = .max
    }
    ask(request, of: anyNode(side), side) { response, model in
      if let response, response.errorCode == .none {
        model.producers[side]?.producer = (ProducerID(response.producerID), ProducerEpoch(response.producerEpoch))
      }
      again()
    }
  }

  func learn(_ side: MirrorSide, _ again: @escaping @Sendable () -> Void) {
    let request = MetadataRequest {
      $0.topics = nil
      $0.allowAutoTopicCreation = false
    }
    ask(request, of: anyNode(side), side) { response, model in
      if let response, response.errorCode == .none { model.producers[side]?.learn(response) }
      again()
    }
  }

  // MARK: Groups

  private static let group = "group"

  /// Somebody who commits at whoever owns the topics.
  func commit(_ model: inout Model) {
    let again = { @Sendable in self.later(2 * self.pause) { self.commit(&$0) } }
    let side = model.owner
    switch model.phase {
    case .preparing, .checking, .done: return again()
    case .troubled, .healing: break
    }
    guard let coordinator = model.coordinators[side] else { return findCoordinator(side, again) }
    let places = model.places
    let place = places[stage.draw(places.count)]
    let topic =
      model.producers[side]?.leaders.keys.filter { $0.name == place.topic.text }.min()?.topic ?? .zero
    let known = topic == .zero ? cluster(side).leader(of: place)?.standing.topic ?? .zero : topic
    let spot = MirrorLedger.Spot(side: side, place: place, topic: known)
    let end = model.ledger.marks[spot]?.last?.mark ?? 0
    guard end > 0, !model.commits.isDue(spot) else { return again() }
    let offset = max(0, end - Int64(stage.draw(4)))
    let request = OffsetCommitRequest { request in
      request.groupID = Self.group
      request.topics = [
        .init {
          $0.name = place.topic.text
          $0.topicID = topic
          $0.partitions = [
            .init {
              $0.partitionIndex = place.partition.value
              $0.committedOffset = offset
              // A mirror carries it as it is: whoever reads it sees what it was committed for.
              if self.changesTopics { $0.committedMetadata = "\(topic)" }
            }
          ]
        }
      ]
    }
    model.commits.ask(offset, spot)
    ask(request, of: coordinator, side) { response, model in
      let code = response?.topics.first?.partitions.first?.errorCode
      model.commits.answered(code, spot)
      if code == ErrorCode.none {
        self.stage.note("\(side): offset \(offset) of \(place) is committed")
        model.seen.committed += 1
      } else {
        model.coordinators[side] = nil
      }
      again()
    }
  }

  private func findCoordinator(_ side: MirrorSide, _ again: @escaping @Sendable () -> Void) {
    let request = FindCoordinatorRequest {
      $0.key = Self.group
      $0.coordinatorKeys = [Self.group]
    }
    ask(request, of: anyNode(side), side) { response, model in
      if let found = response?.coordinators.first, found.errorCode == .none, found.nodeID >= 0 {
        model.coordinators[side] = found.nodeID
      }
      again()
    }
  }

  /// Nothing that a group has committed is beyond what was ever there.
  func readGroup(_ side: MirrorSide, _ model: inout Model) {
    let again = { @Sendable in self.later(2 * self.pause) { self.readGroup(side, &$0) } }
    if case .preparing = model.phase { return again() }
    guard let coordinator = model.coordinators[side] else { return findCoordinator(side, again) }
    let request = OffsetFetchRequest { request in
      request.groups = [
        .init {
          $0.groupID = Self.group
          $0.topics = nil
        }
      ]
    }
    let asked = stage.now
    ask(request, of: coordinator, side) { response, model in
      guard let group = response?.groups.first, group.errorCode == .none else {
        model.coordinators[side] = nil
        return again()
      }
      self.look(&model)
      self.take(group, side, &model)
      self.checkCommits(side, by: coordinator, asked: asked, &model)
      again()
    }
  }

  /// Every commit that was acknowledged is there after a switchover.
  private func checkCommits(_ side: MirrorSide, by coordinator: Int32, asked: Int64, _ model: inout Model) {
    // Whoever coordinated the group before, and does not know yet that it does not, knows nothing.
    guard side == model.owner, let takeover = model.takenOver.last,
      cluster(side).leader(of: Self.offsets)?.machine.id == coordinator
    else { return }
    for place in model.places {
      guard let spot = takeover.spot(side, place) else { continue }
      let missing = model.commits.found(model.groups[side]?[place], spot, asked: asked)
      let isUnclean = MirrorSide.allCases.contains { model.unclean.contains($0 == side ? spot : spot.opposite) }
      if let missing, !isUnclean { stage.fail(missing) }
    }
  }

  /// Where the offsets of the group are.
  private static let offsets = TopicPartition(.consumerOffsets, PartitionIndex(1))

  private func take(_ group: OffsetFetchResponse.Group, _ side: MirrorSide, _ model: inout Model) {
    var found: [TopicPartition: Int64] = [:]
    var words: [TopicPartition: String] = [:]
    for topic in group.topics {
      for one in topic.partitions where one.committedOffset >= 0 {
        let name =
          model.producers[side]?.leaders.keys.first { $0.topic == topic.topicID }?.name
          ?? topics.first { cluster(side).witness?.agreedShape(ofTopic: $0)?.id == topic.topicID } ?? topic.name
        let place = Self.allPlaces.first { $0.topic.text == name && $0.partition.value == one.partitionIndex }
        guard let place else { continue }
        found[place] = one.committedOffset
        words[place] = one.metadata ?? ""
        model.seen.groupsRead += 1
        checkGroup(
          at: one.committedOffset, words[place] ?? "", .init(side: side, place: place, topic: topic.topicID), model)
      }
    }
    model.groups[side] = found
    model.groupWords[side] = words
  }

  /// Nothing that a group has committed is beyond what was ever there, and a mirror carries nothing that was committed
  /// for another topic.
  private func checkGroup(at offset: Int64, _ word: String, _ spot: MirrorLedger.Spot, _ model: Model) {
    // The coordinator itself may not know yet that a topic is another one.
    let isKnown = !changesTopics || cluster(spot.side).leader(of: spot.place)?.standing.topic == spot.topic
    guard isKnown else { return }
    if changesTopics, word != "\(spot.topic)" {
      // A coordinator that was away when a topic was deleted keeps what was committed for it, and goes by its name. What
      // is committed for the owner's topic of now has no place at a copy of the one before.
      let owned = cluster(model.owner).witness?.agreedShape(ofTopic: spot.place.topic.text)?.id
      guard spot.side != model.owner, owned.map({ "\($0)" }) == word else { return }
      return stage.fail(
        "\(spot.side): the group is at \(offset) of \(spot.place), which was committed for another topic of that name")
    }
    let end = model.ledger.highest(spot)
    if offset > end { stage.fail("\(spot.side): the group is at \(offset) of \(spot.place), which ends at \(end)") }
  }
}
