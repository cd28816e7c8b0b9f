import Broker
import KafkaProtocol
import MirrorPlanning
import Vocabulary

/// What clients and people have done to topics, beside writing them.
struct MirrorTopics: Sendable {
  /// A topic on one side: another one may have its name afterwards.
  struct Life: Hashable, Sendable {
    let side: MirrorSide
    let topic: UniqueID
  }
  /// How many partitions each topic shall have.
  var partitions: [String: Int32] = [:]
  /// Somebody asked for them to be deleted there: what they had is gone, or may go at any time.
  var deleted: Set<Life> = []
  /// Before, a topic that was deleted is not made again.
  var madeAgainFrom: [String: Int64] = [:]
  /// Whose records go by themselves.
  var expiring: Set<String> = []
  /// The furthest that logs were seen to begin.
  var starts: [MirrorLedger.Spot: Int64] = [:]
  /// Since when a copy is that of another topic than the owner has, or has fewer partitions.
  var differSince: [String: Int64] = [:]
  /// Only one node at a time waits for its end.
  var isStopping = false

  var places: [TopicPartition] {
    partitions.sorted { $0.key < $1.key }.flatMap { name, count in
      (0..<count).compactMap { index in TopicName(name).map { TopicPartition($0, PartitionIndex(index)) } }
    }
  }

  mutating func sawStart(_ start: Int64, _ spot: MirrorLedger.Spot) { starts[spot] = max(start, starts[spot] ?? 0) }
}

/// What is done about topics that were deleted and made again, and about partitions that were added. It is people who do
/// so: a mirror says that a topic is gone, and touches nothing.
extension MirrorSimulation {
  /// Whose records have keys, and are compacted.
  static let compacted = "plums"
  /// How many keys there are.
  static let keys: UInt64 = 12
  /// Those that may be at any time.
  static let allPlaces = [("apples", 0), ("apples", 1), ("apples", 2), ("pears", 0), ("plums", 0)].compactMap {
    name, index in TopicName(name).map { TopicPartition($0, PartitionIndex(Int32(index))) }
  }
  /// Within what time a mirror has to say that a topic is another one.
  private static let saysSoWithin = 20 * BrokerStage.Spans.second

  static func isCompacted(_ place: TopicPartition) -> Bool { place.topic.text == compacted }
  static func count(of topic: String) -> Int32 { topic == "apples" ? 2 : 1 }

  /// Up to where records of a topic may have been removed.
  func removed(_ spot: MirrorLedger.Spot, _ model: Model) -> Int64 {
    let now = cluster(spot.side).leader(of: spot.place)?.standing
    let start = now?.topic == spot.topic ? now?.start.value : nil
    return max(model.deleted[spot] ?? 0, model.topics.starts[spot] ?? 0, start ?? 0)
  }

  /// Whether both sides have the same topics, so that they can be taken over. Partitions that a copy lacks are made then.
  func isTheSame(_ model: Model) -> Bool { topicsAgree(model) { $0 >= $1 } }

  /// - Parameter areAsMany: whether the partitions at the source go with those here.
  func topicsAgree(_ model: Model, _ areAsMany: (Int, Int) -> Bool = { $0 == $1 }) -> Bool {
    guard let there = cluster(model.owner).witness, let here = cluster(model.owner.other).witness else { return false }
    return topics.allSatisfy { name in
      guard let source = there.agreedShape(ofTopic: name), let copy = here.agreedShape(ofTopic: name) else {
        return false
      }
      return source.id == copy.id && areAsMany(source.partitions, copy.partitions)
    }
  }

  /// Brings topics in line where only people can. True when it has asked for something.
  func tidy(_ model: inout Model, _ again: @escaping @Sendable () -> Void) -> Bool {
    guard changesTopics, let there = decider(model.owner), let here = decider(model.owner.other) else { return false }
    for name in topics {
      guard let source = there.agreedShape(ofTopic: name) else {
        guard stage.now >= model.topics.madeAgainFrom[name] ?? 0 else { continue }
        model.topics.partitions[name] = Self.count(of: name)
        create(name, model.owner, again)
        return true
      }
      let copy = here.agreedShape(ofTopic: name)
      model.topics.partitions[name] = Int32(
        max(
          source.partitions, Int(model.topics.partitions[name] ?? 0), copy?.id == source.id ? copy?.partitions ?? 0 : 0)
      )
      let wanted = model.topics.partitions[name] ?? 1
      guard let copy, copy.id != source.id || copy.partitions < source.partitions else {
        model.topics.differSince[name] = nil
        if source.partitions < wanted, !isInTheMiddle(&model, givingUp: false) {
          grow(name, to: wanted, model.owner, again)
          return true
        }
        continue
      }
      let since = model.topics.differSince[name] ?? stage.now
      model.topics.differSince[name] = since
      // Whether it is followed or taken over: it gets what it lacks by itself.
      if copy.id == source.id { continue }
      if isInTheMiddle(&model, givingUp: true) { continue }
      if deleteCopy(of: name, copy.id, there: source.id, since, model) {
        delete(name, copy.id, model.owner.other, &model, again)
        return true
      }
    }
    return false
  }

  /// Who decides, and knows everything that was decided.
  private func decider(_ side: MirrorSide) -> Broker? {
    cluster(side).machines.first { $0.isActiveController }?.broker
  }

  /// Whether topics are being taken over at this moment. A switchover can be given up.
  private func isInTheMiddle(_ model: inout Model, givingUp: Bool) -> Bool {
    guard let move = model.moves.first else { return false }
    switch (move, model.stage) {
    case (.failback, _), (_, .waiting): return false
    case (.switchover, .asked):
      if givingUp { model.stage = .givingUp }
      return true
    case (.failover, _), (.switchover, .givingUp): return true
    }
  }

  /// Whether people delete what was copied of a topic that is another one at its source. They are told before.
  private func deleteCopy(of name: String, _ id: UniqueID, there: UniqueID, _ since: Int64, _ model: Model) -> Bool {
    let side = model.owner.other
    guard cluster(side).witness?.agreedConfigs(ofTopic: name)["mirror.link"] == side.mirror else {
      // An old owner of which nothing is to be had back, as soon as it is to be a copy.
      if case .failback? = model.moves.first { return true }
      return model.moves.isEmpty
    }
    let places = Self.allPlaces.filter { $0.topic.text == name }
    let silent = places.filter { place in
      guard let leader = cluster(side).leader(of: place), leader.standing.topic == id else { return false }
      let status = leader.machine.broker?.mirrorStatus(of: side.mirror).first { $0.key == "status.partition.\(place)" }
      return status.map { !$0.value.contains("made again, with the id \(there)") } ?? true
    }
    if silent.isEmpty { return true }
    if case .healing = model.phase, stage.now - max(since, model.mendedAt) > Self.saysSoWithin {
      stage.fail("\(side): \(name) was made again at its source, and of \(silent) nobody says so")
    }
    return false
  }

  // MARK: Asking

  /// By its id, so that nothing else goes than what was meant.
  func delete(
    _ name: String, _ id: UniqueID, _ side: MirrorSide, _ model: inout Model, _ then: @escaping @Sendable () -> Void
  ) {
    look(&model)
    stage.note("\(side): \(name) (\(id)) is to be deleted")
    model.topics.deleted.insert(.init(side: side, topic: id))
    model.seen.deletions += 1
    let request = DeleteTopicsRequest { request in
      request.timeoutMs = 2000
      request.topics = [
        .init { topic in
          topic.name = nil
          topic.topicID = id
        }
      ]
    }
    ask(request, of: anyNode(side), side) { response, _ in
      self.stage.note("\(side): of \(name) is said \(response?.responses.first.map { "\($0.errorCode)" } ?? "nothing")")
      then()
    }
  }

  func grow(_ name: String, to count: Int32, _ side: MirrorSide, _ then: @escaping @Sendable () -> Void) {
    stage.note("\(side): \(name) is to have \(count) partitions")
    let request = CreatePartitionsRequest { request in
      request.timeoutMs = 2000
      request.topics = [
        .init {
          $0.name = name
          $0.count = count
          $0.assignments = nil
        }
      ]
    }
    ask(request, of: anyNode(side), side) { response, _ in
      self.stage.note("\(side): of \(name) is said \(response?.results.first.map { "\($0.errorCode)" } ?? "nothing")")
      then()
    }
  }
}
