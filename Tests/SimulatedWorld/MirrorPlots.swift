import Broker
import Vocabulary

/// Faults in an order that chance alone seldom finds, each aimed at one joint of mirroring.
package enum MirrorPlot: String, Sendable, CaseIterable {
  /// A source that sends what is not committed, and loses it.
  case uncommitted
  /// The source removes what was not copied yet, and the mirror may accept that.
  case overrun
  /// The same where the mirror may not, while groups go on.
  case standsStill
  /// The source loses the end of its logs and goes on beyond it before anybody looks.
  case lostEnd
  /// And the power fails where it is copied as soon as something was cut off.
  case cutInTheDark
  /// An election at the source that loses what was copied.
  case uncleanElection
  /// A switchover over a slow link, with much to copy.
  case lagging
  /// A switchover that is given up after it has closed the source.
  case givenUp
  /// A switchover in which somebody dies: the seed says at which step, and who.
  case interrupted
  /// Both sides write: the link is cut, and the copies take over.
  case parted
  /// The same, and the way home, with somebody who dies at each change of sides.
  case roundTrip
  /// Topics are deleted at the source and made again.
  case remade
  /// A topic gets another partition, just before or while topics move.
  case grown
  /// What has keys is compacted before it is copied.
  case compacted
  /// Records are too old before they are copied.
  case expired
  /// All nodes are stopped in order, one after the other, while topics move.
  case stopped
  /// Topics move while transactions are open.
  case transacted

  var layouts: [BrokerLayout]? {
    switch self {
    case .uncommitted, .uncleanElection: [.three, .alone]
    case .overrun, .standsStill, .lostEnd, .cutInTheDark, .lagging, .givenUp: [.alone, .alone]
    case .compacted, .expired: [.alone, .alone]
    case .interrupted, .parted, .roundTrip, .remade, .grown, .stopped, .transacted: nil
    }
  }
  /// Whether topics are not what they were in the beginning.
  var changesTopics: Bool {
    switch self {
    case .remade, .grown, .compacted, .expired, .stopped: true
    default: false
    }
  }
  var transacts: Bool { self == .transacted }
  /// What both clusters are set to besides.
  var settings: [String: String] {
    // One batch of each partition at a time.
    self == .lagging ? ["replica.fetch.max.bytes": "1", "replica.fetch.response.max.bytes": "1"] : [:]
  }
  var needsSync: Bool? { self == .cutInTheDark ? true : nil }

  /// How long it takes until everything may be mended, in milliseconds.
  var span: Int64 {
    switch self {
    case .uncommitted: 5000
    case .overrun, .standsStill: 4000
    case .lostEnd: 4000
    case .cutInTheDark: 7000
    case .uncleanElection: 10_000
    case .lagging: 25_000
    case .givenUp: 5000
    case .interrupted: 5000
    case .parted: 4000
    case .roundTrip, .remade, .grown, .compacted, .expired, .stopped, .transacted: 6000
    }
  }
}

extension MirrorSimulation {
  private static let second = BrokerStage.Spans.second
  private static let millisecond = BrokerStage.Spans.millisecond

  func begin(_ plot: MirrorPlot, _ model: inout Model) {
    stage.note("plot: \(plot.rawValue)")
    model.movesFrom = stage.now
    switch plot {
    case .uncommitted: sendUncommitted(&model)
    case .overrun: overrun(&model)
    case .standsStill:
      alter(.south, ["gap.policy": "halt"]) {}
      overrun(&model)
    case .lostEnd: loseEnds(&model)
    case .cutInTheDark:
      loseEnds(&model)
      whenSomethingIsCut { model in
        for machine in self.cluster(.south).machines {
          self.kill(machine, 800 * Self.millisecond, &model, by: .powerLost)
        }
      }
    case .uncleanElection: electUncleanly(0, &model)
    case .lagging: lag(&model)
    case .givenUp: giveUp(&model)
    case .interrupted:
      model.moves = [.switchover(.south), .failback(.north)]
      interrupt(.south, seed: options.seed, &model)
    case .parted:
      cutLink(3 * Self.second, &model, ways: 0)
      model.movesFrom = stage.now + Self.second / 2
      model.moves = [.failover(.south), .failback(.north)]
    case .roundTrip:
      model.moves = [.failover(.south), .failback(.north), .switchover(.north), .failback(.south)]
      cutLink(Self.second, &model)
      interrupt(.south, seed: options.seed, &model)
      interrupt(.north, seed: options.seed / 5, &model)
    case .remade: remakeTopics(&model)
    case .grown: growTopics(&model)
    case .compacted: compactTopics(&model)
    case .expired: expireTopics(&model)
    case .stopped: stopEverybody(&model)
    case .transacted: moveTransactions(&model)
    }
  }

  private func at(_ span: Int64, _ job: @escaping @Sendable (inout Model) -> Void) {
    later(span * Self.millisecond, job)
  }

  /// In any journey; in half of them the link is away now and then, and somebody dies at a change of sides.
  private func moveTransactions(_ model: inout Model) {
    let seed = options.seed
    model.moves = MirrorMove.journeys[1 + Int(seed % 4)]
    model.movesFrom = stage.now + Int64(300 + stage.draw(1500)) * Self.millisecond
    guard seed / 4 % 2 == 1 else { return }
    at(200) { self.cutLink(1200 * Self.millisecond, &$0) }
    interrupt(.south, seed: seed / 8, &model)
    interrupt(.north, seed: seed / 40, &model)
  }

  // MARK: What the source loses

  /// A leader reaches those who copy from it, and none of its followers.
  private func sendUncommitted(_ model: inout Model) {
    let owner = cluster(.north)
    guard let leader = owner.leader(of: Self.places[0])?.machine else { return }
    let careless = owner.leader(of: Self.careless)?.standing.topic ?? .zero
    for other in owner.machines where other !== leader {
      cut(leader.host, other.host, 3500 * Self.millisecond)
      cut(other.host, leader.host, 3500 * Self.millisecond)
    }
    // The careless topic counts what its leader alone has.
    model.unclean.insert(.init(side: .north, place: Self.careless, topic: careless))
    at(1000) { self.kill(leader, 4 * Self.second, &$0, by: .killed) }
  }

  private func overrun(_ model: inout Model) {
    at(200) { self.cutLink(2500 * Self.millisecond, &$0, ways: 0) }
    at(1800) { self.remove(&$0, all: true) }
  }

  private func loseEnds(_ model: inout Model) {
    cutLink(3500 * Self.millisecond, &model, ways: 0)
    for place in Self.places { loseTheEnd(of: place, dropping: 2, 100 * Self.millisecond, &model) }
  }

  /// Calls it once, when the log of a copy ends before where it ended.
  private func whenSomethingIsCut(_ job: @escaping @Sendable (inout Model) -> Void) {
    let ends = Self.places.map { cluster(.south).leader(of: $0)?.standing.end ?? .zero }
    watch(
      until: { model in
        zip(Self.places, ends).contains { place, end in
          self.cluster(.south).leader(of: place).map { $0.standing.end < end } ?? false
        }
      }, job)
  }

  private func watch(
    until isSo: @escaping @Sendable (Model) -> Bool, _ job: @escaping @Sendable (inout Model) -> Void
  ) {
    later(10 * Self.millisecond) { model in
      if isSo(model) { job(&model) } else if case .done = model.phase { return } else { self.watch(until: isSo, job) }
    }
  }

  // MARK: Changes of sides

  private func lag(_ model: inout Model) {
    slowLink(by: 300 * Self.millisecond)
    model.movesFrom = stage.now + 1300 * Self.millisecond
    model.moves = [.switchover(.south), .failback(.north)]
  }

  /// The source is closed, and who closed it is away while somebody thinks better of it.
  private func giveUp(_ model: inout Model) {
    model.moves = [.switchover(.south)]
    cut(cluster(.north).machines[0].host, cluster(.south).machines[0].host, 0)
    watch(until: { _ in self.isFenced }) { model in
      self.kill(.south, 500 * Self.millisecond, &model)
      model.stage = .givingUp
      // It is not asked for again.
      self.watch(until: { _ in self.cluster(.south).witness?.agreedConfigs(ofMirror: "from-north")["state"] == "running"
      }) {
        $0.seen.givenUp += 1
        $0.moves = []
        $0.stage = .waiting
      }
    }
  }

  private var isFenced: Bool { !(fence(.north) ?? "").isEmpty }
  private func fence(_ side: MirrorSide) -> String? {
    cluster(side).witness?.agreedConfigs(ofTopic: topics[0])["mirror.fence"]
  }

  /// Somebody dies at one of the steps of a change to `side`.
  private func interrupt(_ side: MirrorSide, seed: UInt64, _ model: inout Model) {
    let (step, victim) = (seed % 5, seed / 5 % 4)
    let isSo: @Sendable (Model) -> Bool = { _ in
      let now = self.cluster(side).witness?.agreedConfigs(ofMirror: side.mirror) ?? [:]
      switch step {
      case 0: return now["state"] == "switchover" || now["state"] == "failover"
      case 1, 2, 3: return !(self.fence(side.other) ?? "").isEmpty || now["state"] == "failover"
      default: return now["promoted"] != nil
      }
    }
    let strike: @Sendable (inout Model) -> Void = { model in
      let away = 800 * Self.millisecond
      switch victim {
      case 0: self.kill(side, away, &model)
      case 1: self.kill(side.other, away, &model)
      case 2:
        for machine in self.cluster(side).machines where machine.isActiveController { self.kill(machine, away, &model) }
      default:
        if let leader = self.cluster(side.other).leader(of: Self.places[0])?.machine { self.kill(leader, away, &model) }
      }
    }
    watch(until: isSo) { model in
      let pause: Int64 = step == 2 ? 60 : step == 3 ? 250 : 0
      self.stage.note("somebody is to die at step \(step): \(victim)")
      if pause == 0 { strike(&model) } else { self.at(pause, strike) }
    }
  }
}
