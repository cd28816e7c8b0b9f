import Synchronization
import Vocabulary

/// What goes wrong.
extension BrokerSimulation {
  private static let faults = 12

  func trouble(_ model: inout Model) {
    guard case .troubled = model.phase, !model.isPlotted else { return }
    let machine = machines[stage.draw(machines.count)]
    let away = Int64(50 + stage.draw(stage.happens(oneIn: 3) ? 4000 : 600)) * BrokerStage.Spans.millisecond
    switch stage.draw(Self.faults) {
    case 0, 1: kill(machine, away)
    case 2: die(machine, away)
    case 3: stop(machine, away)
    case 4: cut(away, &model)
    case 5: isolate(machine, away, &model)
    case 6: machine.freeze(for: away)
    case 7: machine.setClock(ahead: Int64(stage.draw(7_200_000)) - 3_600_000)
    case 8: for machine in machines where stage.happens(oneIn: 2) { kill(machine, away) }
    case 9: loseARegion(away, &model)
    default: network.setLoss(oneIn: [20, 100, 400][stage.draw(3)])
    }
    later(Int64(1 + stage.draw(2 * troublePause)) * BrokerStage.Spans.millisecond) { self.trouble(&$0) }
  }

  /// Where writes are synced, the power may fail too.
  private var death: BrokerDeath { syncs && stage.happens(oneIn: 2) ? .powerLost : .killed }

  private func kill(_ machine: BrokerMachine, _ away: Int64) {
    let death = death
    stage.schedule(after: 0) { machine.die(death) }
    stage.schedule(after: away) { machine.start() }
  }

  /// In the middle of what it does.
  private func die(_ machine: BrokerMachine, _ away: Int64) {
    machine.die(death, afterEffects: stage.draw(80))
    stage.schedule(after: away + Int64(stage.draw(2000)) * BrokerStage.Spans.millisecond) { machine.start() }
  }

  private func stop(_ machine: BrokerMachine, _ away: Int64) {
    // One at a time: the stage goes on below a node that waits for its end.
    let isFirst = isStopping.withLock { isStopping in
      defer { isStopping = true }
      return !isStopping
    }
    guard isFirst else { return }
    stage.schedule(after: 0) {
      machine.stop()
      self.isStopping.withLock { $0 = false }
      self.stage.schedule(after: away) { machine.start() }
    }
  }

  /// Clients go on reaching the node, and it reaches no other. It may die before it hears of them again.
  private func isolate(_ machine: BrokerMachine, _ away: Int64, _ model: inout Model) {
    model.seen.cuts += 1
    cutOff([machine], away)
    guard stage.happens(oneIn: 2) else { return }
    stage.schedule(after: away / 2) { self.kill(machine, away) }
  }

  /// The nodes, by their Region. Without Regions they are all in one.
  var regions: [[BrokerMachine]] {
    Dictionary(grouping: machines, by: \.region).sorted { $0.key < $1.key }.map(\.value)
  }

  /// Nothing passes between these machines and the others.
  func cutOff(_ part: [BrokerMachine], _ away: Int64) {
    for machine in part {
      for other in machines where !part.contains(where: { $0 === other }) {
        cut(machine.host, other.host, away)
        cut(other.host, machine.host, away)
      }
    }
  }

  private func loseARegion(_ away: Int64, _ model: inout Model) {
    guard regions.count > 1 else { return }
    let lost = regions[stage.draw(regions.count)]
    model.seen.regionLosses += 1
    if stage.happens(oneIn: 2) {
      cutOff(lost, away)
    } else {
      for machine in lost { kill(machine, away) }
    }
  }

  private func cut(_ away: Int64, _ model: inout Model) {
    let hosts = machines.map(\.host) + clientHosts
    let one = machines[stage.draw(machines.count)].host
    let other = hosts[stage.draw(hosts.count)]
    guard one !== other else { return }
    model.seen.cuts += 1
    let ways = stage.draw(3)
    if ways != 1 { cut(one, other, away) }
    if ways != 2 { cut(other, one, away) }
  }

  func cut(_ from: BrokerHost, _ to: BrokerHost, _ away: Int64) {
    stage.note("nothing passes from \(from.name) to \(to.name) for \(away / 1000) ms")
    network.cut(from: from.number, to: to.number)
    stage.schedule(after: away) { self.network.mend(from: from.number, to: to.number) }
  }
}
