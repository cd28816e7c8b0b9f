import Broker
import KafkaProtocol
import Vocabulary

/// What is done to topics and to nodes on purpose, at any time, and what that goes wrong with.
extension MirrorSimulation {
  private static let second = BrokerStage.Spans.second
  private static let millisecond = BrokerStage.Spans.millisecond
  static let changes = 6

  /// One of them, drawn.
  func change(_ kind: Int, _ machine: BrokerMachine, _ away: Int64, _ model: inout Model) {
    let name = topics[stage.draw(topics.count)]
    switch kind {
    case 0: remake(name, &model)
    case 1: grow(&model)
    case 2: expire(name, &model)
    case 3:
      cutLink(away, &model)
      remake(name, &model)
    default: stop(machine, away, &model)
    }
  }

  /// A topic is deleted by its owner, and somewhat later another one has its name.
  func remake(_ name: String, _ model: inout Model) {
    let side = model.owner
    guard let shape = cluster(side).witness?.agreedShape(ofTopic: name) else { return }
    model.topics.madeAgainFrom[name] = stage.now + Int64(stage.draw(1500)) * Self.millisecond
    model.topics.partitions[name] = Self.count(of: name)
    delete(name, shape.id, side, &model) {}
  }

  func grow(_ model: inout Model) {
    guard cluster(model.owner).witness?.agreedShape(ofTopic: "apples")?.partitions == 2 else { return }
    model.topics.partitions["apples"] = 3
    model.seen.growths += 1
    let side = model.owner
    // Somebody knows of it at once, and writes there.
    grow("apples", to: 3, side) { self.learn(side) {} }
  }

  /// From now on a topic keeps nothing but what it writes at the time.
  func expire(_ name: String, _ model: inout Model) {
    let side = model.owner
    stage.note("\(side): \(name) is to keep its last segments alone")
    model.topics.expiring.insert(name)
    model.seen.expiries += 1
    let request = IncrementalAlterConfigsRequest { request in
      request.resources = [
        .init {
          $0.resourceType = 2
          $0.resourceName = name
          $0.configs = [
            ("retention.bytes", "1"), ("cleanup.policy", name == Self.compacted ? "compact,delete" : "delete"),
          ]
          .map { key, value in
            .init {
              $0.name = key
              $0.configOperation = 0
              $0.value = value
            }
          }
        }
      ]
    }
    ask(request, of: anyNode(side), side) { _, _ in }
  }

  /// In order, as whoever runs it does it for each update.
  func stop(_ machine: BrokerMachine, _ away: Int64, _ model: inout Model) {
    // The stage goes on below a node that waits for its end.
    guard !model.topics.isStopping, machine.isUp else { return }
    model.topics.isStopping = true
    model.seen.stops += 1
    look(&model)
    stage.schedule(after: 0) {
      machine.stop()
      self.post { $0.topics.isStopping = false }
      self.stage.schedule(after: away) { machine.start() }
    }
  }

  // MARK: Plots

  /// Topics go and come while the mirror looks on, or looks away; and the topics may move as well.
  func remakeTopics(_ model: inout Model) {
    let seed = options.seed
    if seed % 2 == 0 { cutLink(1500 * Self.millisecond, &model, ways: 0) }
    later(200 * Self.millisecond) { self.remake("apples", &$0) }
    later(400 * Self.millisecond) { model in
      model.topics.madeAgainFrom["apples"] = self.stage.now
      if seed % 5 == 0 { self.remove(&model, all: true) }
    }
    later(2500 * Self.millisecond) { self.remake("pears", &$0) }
    model.movesFrom = stage.now + Int64(seed % 7) * 400 * Self.millisecond
    model.moves = MirrorMove.journeys[Int(seed / 2 % 3)]
  }

  /// Partitions are added just before the topics move.
  func growTopics(_ model: inout Model) {
    let seed = options.seed
    model.moves = MirrorMove.journeys[Int(seed % 3)]
    let growsAfter = Int64(seed / 3 % 8) * 150
    model.movesFrom = stage.now + (growsAfter + Int64(stage.draw(200))) * Self.millisecond
    if seed % 3 == 2 { later(300 * Self.millisecond) { self.cutLink(2 * Self.second, &$0, ways: 0) } }
    later(growsAfter * Self.millisecond) { self.grow(&$0) }
  }

  /// What has keys is compacted before it is copied, and may then expire as well.
  func compactTopics(_ model: inout Model) {
    later(200 * Self.millisecond) { self.cutLink(4 * Self.second, &$0, ways: 0) }
    if options.seed % 2 == 1 { later(3000 * Self.millisecond) { self.expire(Self.compacted, &$0) } }
  }

  func expireTopics(_ model: inout Model) {
    later(200 * Self.millisecond) { self.cutLink(4 * Self.second, &$0, ways: 0) }
    later(2500 * Self.millisecond) { model in
      for name in self.topics { self.expire(name, &model) }
    }
  }

  /// Everybody is stopped in order, one after the other, while the topics move.
  func stopEverybody(_ model: inout Model) {
    model.moves = MirrorMove.journeys[1 + Int(options.seed % 4)]
    model.movesFrom = stage.now + Int64(options.seed % 9) * 100 * Self.millisecond
    for (index, machine) in machines.enumerated() {
      later(Int64(index * 900 + stage.draw(600)) * Self.millisecond) { model in
        self.stop(machine, Int64(100 + self.stage.draw(700)) * Self.millisecond, &model)
      }
    }
  }
}
