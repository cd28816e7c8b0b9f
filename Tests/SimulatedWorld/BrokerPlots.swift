import Vocabulary

/// Faults in an order that chance alone seldom finds. Each is aimed at one joint of the program, and a history ends with
/// one of them; what it has left is looked at then.
package enum BrokerPlot: String, Sendable, CaseIterable {
  /// A leader dies that has what no other has, and comes back when another one has written on.
  case overtaken
  /// A topic is deleted, and another one has its name, while a node is away that has copies of it.
  case remade
  /// A coordinator reaches its clients and nobody else, and then dies.
  case coordinatorLost
  /// All others are gone for so long that who is left has to put them out of the in-sync sets, with nobody to ask.
  case leftAlone
  /// The controller reaches those who ask it for changes, and no other controller.
  case controllerCutOff
  /// A follower comes back and does not reach its leader at first, while both reach everybody else.
  case followerCutOff
  /// A whole Region is gone, or reaches no other.
  case regionLost
  /// The leaders of all partitions change again and again while producers write, and nodes reach each other slowly.
  case leadersChange

  /// Where it can be asked for alone.
  var layout: BrokerLayout { self == .regionLost ? .regions : .three }

  /// How long it takes until everything may be mended, in milliseconds.
  var span: Int64 {
    switch self {
    case .overtaken: 5200
    case .remade: 4000
    case .coordinatorLost: 1400
    case .leftAlone: 6500
    case .controllerCutOff: 2000
    case .followerCutOff: 5000
    case .regionLost: 5000
    case .leadersChange: 5000
    }
  }
}

extension BrokerSimulation {
  /// A topic that only a plot makes.
  private static let plottedTopic = "plums"
  private static let turnsOfLeaders = 16

  /// Whether everything works, so that what is aimed at one thing alone hits it.
  func isCalm(_ model: Model) -> Bool {
    let all = Set(brokers.map(\.id))
    let reader = model.clients[Self.consumer]
    return brokers.allSatisfy { model.alive[$0.id] == all } && !reader.led.isEmpty
      && reader.leaders.values.allSatisfy { $0.node >= 0 && $0.isWhole } && !model.promises.kept.isEmpty
      && model.clients[Self.committer].coordinator != nil && model.seen.acknowledged > 10
  }

  func begin(_ plot: BrokerPlot, _ model: inout Model) {
    stage.note("plot: \(plot.rawValue)")
    model.isPlotted = true
    guard machines.count > 1 else { return }
    switch plot {
    case .overtaken: overtake(&model)
    case .remade: remake(&model)
    case .coordinatorLost: loseCoordinator(model)
    case .leftAlone: leaveAlone(&model)
    case .controllerCutOff: cutControllerOff()
    case .followerCutOff: cutFollowerOff(&model)
    case .regionLost: loseARegion(&model)
    case .leadersChange: changeLeaders()
    }
  }

  private func after(_ span: Int64, _ job: @escaping @Sendable () -> Void) {
    stage.schedule(after: span * BrokerStage.Spans.millisecond, job)
  }

  private func machine(_ id: Int32?) -> BrokerMachine? { machines.first { $0.id == id } }

  /// Has producers write to one partition alone, and names its leader.
  private func aimAtOne(_ model: inout Model) -> (key: BrokerKey, leader: BrokerMachine)? {
    let reader = model.clients[Self.consumer]
    let keys = reader.led
    guard !keys.isEmpty else { return nil }
    let key = keys[stage.draw(keys.count)]
    guard let leader = machine(reader.leaders[key]?.node) else { return nil }
    model.target = key
    return (key, leader)
  }

  // MARK: Plots

  private func overtake(_ model: inout Model) {
    guard let (_, leader) = aimAtOne(&model) else { return }
    let written = Int64(300 + stage.draw(500))
    after(200) { self.cutOff([leader], (written + 3500) * BrokerStage.Spans.millisecond) }
    after(200 + written) { leader.die(.killed) }
    after(200 + written + 3500) { leader.start() }
  }

  private func remake(_ model: inout Model) {
    guard let (key, leader) = aimAtOne(&model) else { return }
    let others = brokers.filter { $0 !== leader }
    let away = others[stage.draw(others.count)]
    let partitions = model.clients[Self.consumer].leaders.keys.filter { $0.topic == key.topic }.count
    after(600) { away.die(.killed) }
    later(800 * BrokerStage.Spans.millisecond) { model in
      model.target = nil
      self.delete(key, at: leader.id, &model) {
        self.create(key.name, partitions: Int32(partitions), at: leader.id) {}
      }
    }
    after(3000) { away.start() }
  }

  private func loseCoordinator(_ model: Model) {
    guard let machine = machine(model.clients[Self.committer].coordinator) else { return }
    cutOff([machine], BrokerPlot.coordinatorLost.span * BrokerStage.Spans.millisecond)
    after(Int64(600 + stage.draw(400))) { machine.die(.killed) }
  }

  private func leaveAlone(_ model: inout Model) {
    guard let (_, leader) = aimAtOne(&model) else { return }
    after(300) { for other in self.machines where other !== leader { other.die(.killed) } }
  }

  private func cutControllerOff() {
    guard let controller = machines.first(where: \.isActiveController) else { return }
    cutOff([controller], BrokerPlot.controllerCutOff.span * BrokerStage.Spans.millisecond)
    let asked = controller.isBroker ? controller.id : anyNode
    after(Int64(1 + stage.draw(100))) { self.create(Self.plottedTopic, partitions: 1, at: asked) {} }
  }

  /// For longer than an attempt to connect lasts.
  private func cutFollowerOff(_ model: inout Model) {
    let reader = model.clients[Self.consumer]
    for key in reader.led {
      guard let leader = machine(reader.leaders[key]?.node), !leader.isActiveController,
        let follower = brokers.first(where: { $0 !== leader && !$0.isActiveController })
      else { continue }
      model.target = key
      after(300) {
        follower.die(.killed)
        self.cut(follower.host, leader.host, 4500 * BrokerStage.Spans.millisecond)
      }
      return after(800) { follower.start() }
    }
  }

  private func changeLeaders() {
    create(Self.plottedTopic, partitions: 3, at: anyNode) {}
    for one in machines {
      for other in machines where other !== one {
        network.slow(from: one.host.number, to: other.host.number, by: Int64(5000 + stage.draw(25_000)))
      }
    }
    for turn in 1...Self.turnsOfLeaders {
      later(Int64(500 + turn * 250) * BrokerStage.Spans.millisecond) { self.rotateLeaders($0) }
    }
  }

  private func loseARegion(_ model: inout Model) {
    guard let (_, leader) = aimAtOne(&model) else { return }
    // What is written to goes on being led where it is.
    let others = regions.filter { !$0.contains { $0 === leader } }
    guard !others.isEmpty else { return }
    let lost = others[stage.draw(others.count)]
    let span = BrokerPlot.regionLost.span
    if stage.happens(oneIn: 2) {
      after(200) { self.cutOff(lost, span * BrokerStage.Spans.millisecond) }
    } else {
      after(200) { for machine in lost { machine.die(.killed) } }
    }
  }
}
