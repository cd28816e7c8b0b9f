import Broker
import ClusterMetadata
import KafkaProtocol
import MirrorPlanning
import Vocabulary

/// Something that is asked of a mirror, and that whole clusters then do.
enum MirrorMove: Sendable, Hashable {
  /// To this side.
  case switchover(MirrorSide)
  case failover(MirrorSide)
  /// At this side, which owned the topics before.
  case failback(MirrorSide)

  var side: MirrorSide {
    switch self {
    case .switchover(let side), .failover(let side), .failback(let side): side
    }
  }
  var state: String {
    switch self {
    case .switchover: "switchover"
    case .failover: "failover"
    case .failback: "failback"
    }
  }

  /// Every one ends with a mirror that copies, so that both sides can be compared.
  static let journeys: [[MirrorMove]] = [
    [],
    [.switchover(.south), .failback(.north)],
    [.failover(.south), .failback(.north)],
    [.switchover(.south), .failback(.north), .switchover(.north), .failback(.south)],
    [.failover(.south), .failback(.north), .switchover(.north), .failback(.south)],
  ]

  enum Stage: Sendable, Hashable {
    case waiting
    /// It was asked for; whoever asked may think better of it at that time.
    case asked(mayGiveUpAt: Int64?)
    /// It is to be given up; nobody has said yet that it is.
    case givingUp
  }
}

/// That a cluster was found to have taken over.
struct MirrorTakeover: Sendable {
  let side: MirrorSide
  let isPlanned: Bool
  let at: Int64
  let reports: [String: String]
  /// Of the first epoch in which clients write after it, by partition.
  let eras: [TopicPartition: Int32]
  /// The topics as they were then: which, and how many partitions they had.
  let shapes: [String: (id: UniqueID, partitions: Int)]

  func spot(_ side: MirrorSide, _ place: TopicPartition) -> MirrorLedger.Spot? {
    shapes[place.topic.text].map { .init(side: side, place: place, topic: $0.id) }
  }
}

extension MirrorSimulation {
  private var pause: Int64 { Int64(100 + stage.draw(200)) * BrokerStage.Spans.millisecond }

  func administer(_ model: inout Model) {
    let again = { @Sendable in self.later(self.pause) { self.administer(&$0) } }
    switch model.phase {
    case .preparing: prepare(&model, again)
    case .troubled:
      if !tidy(&model, again) { move(&model, again) }
    case .healing:
      if !loosen(model, again), !tidy(&model, again) { move(&model, again) }
      progress(&model)
    case .checking:
      progress(&model)
      // Who had just started may have known of no mirror that had to be let go on.
      if !loosen(model, again) { again() }
    case .done: break
    }
  }

  // MARK: The beginning

  private func prepare(_ model: inout Model, _ again: @escaping @Sendable () -> Void) {
    let (north, south) = (cluster(.north), cluster(.south))
    guard let there = north.witness, let here = south.witness else { return again() }
    if let missing = model.places.first(where: { north.leader(of: $0) == nil }), stage.now < 60_000_000 {
      if there.agreedTopic(missing.topic) { return again() }
      return create(missing.topic.text, .north, again)
    }
    let isMade = here.agreedConfigs(ofMirror: MirrorSide.south.mirror)["bootstrap.servers"] != nil
    guard isMade else {
      return alter(
        .south,
        [
          // Several Fetches at a time, in a third of the histories.
          "num.mirror.fetchers": options.plot == nil && options.seed % 3 == 1 ? "3" : "1",
          "bootstrap.servers": north.bootstrap, "state": "running",
          "gap.policy": options.plot != nil || stage.happens(oneIn: 2) ? "accept" : "halt",
          "divergence.policy": options.plot != nil || !stage.happens(oneIn: 4) ? "set-aside" : "halt",
        ], again)
    }
    let isCopied = model.places.allSatisfy { place in
      guard let leader = south.leader(of: place) else { return false }
      return leader.standing.highWatermark.value > 0 && leader.standing.highWatermark == leader.standing.end
    }
    let producers = model.producers[.north]?.led ?? []
    if isCopied, producers.count >= model.places.count { begin(&model) }
    again()
  }

  func create(_ name: String, _ side: MirrorSide, _ again: @escaping @Sendable () -> Void) {
    let isCareless = name == Self.careless.topic.text
    let brokers = cluster(side).machines.count
    let configs = Self.configs(of: name)
    let request = CreateTopicsRequest { request in
      request.timeoutMs = 2000
      request.topics = [
        .init {
          $0.name = name
          $0.numPartitions = Self.count(of: name)
          $0.replicationFactor = Int16(isCareless ? min(2, brokers) : brokers)
          $0.configs = configs.map { key, value in
            .init {
              $0.name = key
              $0.value = value
            }
          }
        }
      ]
    }
    ask(request, of: anyNode(side), side) { _, _ in again() }
  }

  private static func configs(of topic: String) -> [(String, String)] {
    switch topic {
    case careless.topic.text: [("min.insync.replicas", "1")]
    case compacted: [("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.01"), ("segment.bytes", "1024")]
    default: []
    }
  }

  func alter(_ side: MirrorSide, _ values: [String: String], _ then: @escaping @Sendable () -> Void) {
    stage.note("\(side): of \(side.mirror) is asked \(values.sorted { $0.key < $1.key })")
    let request = IncrementalAlterConfigsRequest { request in
      request.resources = [
        .init {
          $0.resourceType = 100
          $0.resourceName = side.mirror
          $0.configs = values.sorted { $0.key < $1.key }.map { key, value in
            .init {
              $0.name = key
              $0.configOperation = 0
              $0.value = value
            }
          }
        }
      ]
    }
    ask(request, of: anyNode(side), side) { response, _ in
      if let said = response?.responses.first {
        self.stage.note("\(side): the answer is \(said.errorCode) \(said.errorMessage ?? "")")
      }
      then()
    }
  }

  /// Lets every mirror go on that stands still until somebody decides. True when it has asked for something.
  private func loosen(_ model: Model, _ again: @escaping @Sendable () -> Void) -> Bool {
    guard let side = MirrorSide.allCases.first(where: { !isLoose($0) }) else { return false }
    alter(side, Self.loose, again)
    return true
  }

  private static let loose = ["gap.policy": "accept", "divergence.policy": "set-aside"]

  func isLoose(_ side: MirrorSide) -> Bool {
    guard let now = cluster(side).witness?.agreedConfigs(ofMirror: side.mirror) else { return false }
    return now["bootstrap.servers"] == nil || Self.loose.allSatisfy { now[$0.key] == $0.value }
  }

  // MARK: Moving

  private func move(_ model: inout Model, _ again: @escaping @Sendable () -> Void) {
    guard let move = model.moves.first, stage.now >= model.movesFrom || isHealing(model),
      let now = cluster(move.side).witness?.agreedConfigs(ofMirror: move.side.mirror)
    else { return again() }
    if isDone(move, now, model) {
      finish(move, now, &model)
      return again()
    }
    switch model.stage {
    case .waiting:
      guard mayAsk(for: move, model) else { return again() }
      ask(for: move, &model, again)
    case .asked(let giveUpAt):
      if now["state"] != move.state { return ask(for: move, &model, again) }
      if let giveUpAt, stage.now >= giveUpAt, !isHealing(model) { model.stage = .givingUp }
      again()
    case .givingUp:
      if now["state"] == "running" {
        stage.note("\(move) was given up")
        model.seen.givenUp += 1
        model.stage = .waiting
        model.movesFrom = stage.now + Int64(stage.draw(3000)) * BrokerStage.Spans.millisecond
        return again()
      }
      alter(move.side, ["state": "running"], again)
    }
  }

  /// Nobody takes over what is not there: a topic that was made again has to be a copy first.
  private func mayAsk(for move: MirrorMove, _ model: Model) -> Bool {
    guard changesTopics, move.side != model.owner else { return true }
    if case .failback = move { return true }
    guard let here = cluster(move.side).witness else { return false }
    if case .switchover = move { return isTheSame(model) }
    return topics.allSatisfy {
      here.agreedShape(ofTopic: $0) != nil && here.agreedConfigs(ofTopic: $0)["mirror.link"] == move.side.mirror
    }
  }

  private func isHealing(_ model: Model) -> Bool { if case .healing = model.phase { true } else { false } }

  private func ask(for move: MirrorMove, _ model: inout Model, _ again: @escaping @Sendable () -> Void) {
    var mayGiveUpAt: Int64?
    var values = ["state": move.state]
    switch move {
    case .switchover:
      if stage.happens(oneIn: 3) { mayGiveUpAt = stage.now + Int64(stage.draw(2_000_000)) }
    case .failover: break
    case .failback:
      values["bootstrap.servers"] = cluster(move.side.other).bootstrap
      values["gap.policy"] = "accept"
    }
    model.stage = .asked(mayGiveUpAt: mayGiveUpAt)
    alter(move.side, values, again)
  }

  private func isDone(_ move: MirrorMove, _ now: [String: String], _ model: Model) -> Bool {
    switch move {
    case .switchover, .failover: return now["promoted"] != nil
    case .failback:
      guard case .asked = model.stage, now["promoted"] == nil, now["state"] == "running" else { return false }
      return topics.allSatisfy {
        cluster(move.side).witness?.agreedConfigs(ofTopic: $0)["mirror.link"] == move.side.mirror
      }
    }
  }

  private func finish(_ move: MirrorMove, _ now: [String: String], _ model: inout Model) {
    stage.note("\(move) is done, generation \(now["generation"] ?? "?")")
    model.moves.removeFirst()
    model.stage = .waiting
    model.movesFrom = stage.now + Int64(stage.draw(2000)) * BrokerStage.Spans.millisecond
    model.served = []
    switch move {
    case .switchover: model.seen.switchovers += 1
    case .failover: model.seen.failovers += 1
    case .failback: model.seen.failbacks += 1
    }
    if case .failback = move { return }
    model.owner = move.side
    let cluster = cluster(move.side)
    var reports: [String: String] = [:]
    var shapes: [String: (id: UniqueID, partitions: Int)] = [:]
    for topic in topics {
      reports[topic] = cluster.witness?.agreedConfigs(ofTopic: topic)["mirror.report"]
      shapes[topic] = cluster.witness?.agreedShape(ofTopic: topic)
    }
    model.seen.leftOpen += reports.values.reduce(0) { sum, report in
      sum + PartitionFinding.parse(report).reduce(0) { $0 + ($1.finding?.open ?? 0) }
    }
    var eras: [TopicPartition: Int32] = [:]
    for place in model.places { eras[place] = cluster.leader(of: place).map { $0.standing.epoch.value >> 16 } }
    let isPlanned = if case .switchover = move { true } else { false }
    let spots = model.places.compactMap { place in
      shapes[place.topic.text].map { MirrorLedger.Spot(side: move.side, place: place, topic: $0.id) }
    }
    model.commits.took(over: move.side, spots, isPlanned: isPlanned, at: stage.now)
    model.takenOver.append(
      MirrorTakeover(side: move.side, isPlanned: isPlanned, at: stage.now, reports: reports, eras: eras, shapes: shapes)
    )
  }
}
