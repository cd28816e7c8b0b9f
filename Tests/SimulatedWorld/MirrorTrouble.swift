import Broker
import KafkaProtocol
import Vocabulary

/// What goes wrong, on either side and between them.
extension MirrorSimulation {
  private static let faults = 16

  func trouble(_ model: inout Model) {
    guard case .troubled = model.phase, !model.isPlotted else { return }
    let machine = machines[stage.draw(machines.count)]
    let away = Int64(50 + stage.draw(stage.happens(oneIn: 3) ? 4000 : 600)) * BrokerStage.Spans.millisecond
    switch stage.draw(Self.faults + (changesTopics ? Self.changes : 0)) {
    case 0, 1: kill(machine, away, &model)
    case 2: die(machine, away, &model)
    case 3: machine.freeze(for: away)
    case 4: kill(MirrorSide.allCases[stage.draw(2)], away, &model)
    case 5: isolate(machine, away, &model)
    case 6, 7: cutLink(away, &model)
    case 8: remove(&model)
    case 12:
      cutLink(away, &model)
      later(away * 3 / 4) { self.remove(&$0, all: true) }
    case 9: loseTheEnd(of: model.places[stage.draw(model.places.count)], dropping: 1 + stage.draw(4), away, &model)
    case 10: electUncleanly(away, &model)
    case 11: cut(machine, machines[stage.draw(machines.count)], away, &model)
    case 13: slowLink(by: Int64(stage.draw(200)) * BrokerStage.Spans.millisecond)
    case let kind where kind >= Self.faults: change(kind - Self.faults, machine, away, &model)
    default: network.setLoss(oneIn: [5, 20, 100, 400][stage.draw(4)])
    }
    later(Int64(1 + stage.draw(2 * troublePause)) * BrokerStage.Spans.millisecond) { self.trouble(&$0) }
  }

  /// Where writes are synced, the power may fail too.
  private var death: BrokerDeath { syncs && stage.happens(oneIn: 2) ? .powerLost : .killed }

  /// What was committed is noted before: nobody but the dead may know of it.
  func kill(_ machine: BrokerMachine, _ away: Int64, _ model: inout Model, by death: BrokerDeath? = nil) {
    look(&model)
    machine.die(death ?? self.death)
    stage.schedule(after: away) { machine.start() }
  }

  func kill(_ side: MirrorSide, _ away: Int64, _ model: inout Model) {
    for machine in cluster(side).machines { kill(machine, away, &model) }
  }

  /// In the middle of what it does; only where it copies, since what an owner that dies so has committed nobody saw.
  private func die(_ machine: BrokerMachine, _ away: Int64, _ model: inout Model) {
    guard cluster(model.owner.other).machines.contains(where: { $0 === machine }), model.moves.isEmpty else {
      return kill(machine, away, &model)
    }
    machine.die(death, afterEffects: stage.draw(80))
    stage.schedule(after: away + Int64(stage.draw(2000)) * BrokerStage.Spans.millisecond) { machine.start() }
  }

  /// Between the clusters, one way or both.
  func cutLink(_ away: Int64, _ model: inout Model, ways: Int? = nil) {
    model.seen.cuts += 1
    let ways = ways ?? stage.draw(3)
    for north in cluster(.north).machines {
      for south in cluster(.south).machines {
        if ways != 1 { cut(north.host, south.host, away) }
        if ways != 2 { cut(south.host, north.host, away) }
      }
    }
  }

  /// Every frame between the clusters takes longer, until something else is said.
  func slowLink(by span: Int64) {
    stage.note("what passes between the clusters takes \(span / 1000) ms longer")
    for north in cluster(.north).machines {
      for south in cluster(.south).machines {
        network.slow(from: north.host.number, to: south.host.number, by: span)
        network.slow(from: south.host.number, to: north.host.number, by: span)
      }
    }
  }

  private func isolate(_ machine: BrokerMachine, _ away: Int64, _ model: inout Model) {
    model.seen.cuts += 1
    for other in machines where other !== machine {
      cut(machine.host, other.host, away)
      cut(other.host, machine.host, away)
    }
  }

  private func cut(_ one: BrokerMachine, _ other: BrokerMachine, _ away: Int64, _ model: inout Model) {
    guard one !== other else { return }
    model.seen.cuts += 1
    cut(one.host, other.host, away)
  }

  func cut(_ from: BrokerHost, _ to: BrokerHost, _ away: Int64) {
    stage.note("nothing passes from \(from.name) to \(to.name) for \(away / 1000) ms")
    network.cut(from: from.number, to: to.number)
    stage.schedule(after: away) { self.network.mend(from: from.number, to: to.number) }
  }

  // MARK: Records that go away

  /// The owner is asked to remove records, up to its high watermark or less.
  func remove(_ model: inout Model, all: Bool = false) {
    let side = model.owner
    // Of what is compacted nothing can be removed so.
    for place in model.places where !Self.isCompacted(place) && (all || stage.happens(oneIn: 2)) {
      guard let leader = cluster(side).leader(of: place) else { continue }
      let (start, mark) = (leader.standing.start.value, leader.standing.highWatermark.value)
      guard mark > start else { continue }
      let end = all ? mark : start + 1 + Int64(stage.draw(Int(mark - start)))
      let spot = MirrorLedger.Spot(side: side, place: place, topic: leader.standing.topic)
      model.deleted[spot] = max(end, model.deleted[spot] ?? 0)
      model.seen.removals += 1
      stage.note("\(side): what is below \(end) of \(place) is to be removed")
      let request = DeleteRecordsRequest { request in
        request.timeoutMs = 2000
        request.topics = [
          .init {
            $0.name = place.topic.text
            $0.partitions = [
              .init {
                $0.partitionIndex = place.partition.value
                $0.offset = end
              }
            ]
          }
        ]
      }
      ask(request, of: leader.machine.id, side) { _, _ in }
    }
  }

  /// A node that is alone loses the end of a log, with what was acknowledged.
  func loseTheEnd(of place: TopicPartition, dropping count: Int, _ away: Int64, _ model: inout Model) {
    let owner = cluster(.north)
    guard model.owner == .north, owner.machines.count == 1 else { return }
    let machine = owner.machines[0]
    // What is lost is lost by a crash: a log that was closed in order is on the disk, and goes on in its epoch.
    guard !machine.hasStoppedInOrder else { return }
    kill(machine, away, &model, by: .killed)
    guard let name = machine.segments(of: "\(place)").last,
      let topic = machine.peek("\(machine.host.name)/\(place)/partition.metadata").flatMap({ BrokerDisk.topic(in: $0) })
    else { return }
    let path = "\(machine.host.name)/\(place)/\(name)"
    guard let bytes = machine.peek(path) else { return }
    var sizes: [Int] = []
    bytes.withUnsafeBytes { raw in
      var cursor = RecordBatchCursor(raw)
      while let batch = try? cursor.next() { sizes.append(batch.bytes.count) }
    }
    let lost = min(count, sizes.count)
    guard lost > 0 else { return }
    stage.note("\(place) loses its last \(lost) batches in the north")
    machine.damage(path) { $0.removeLast(sizes.suffix(lost).reduce(0, +) + $0.count - sizes.reduce(0, +)) }
    let spot = MirrorLedger.Spot(side: .north, place: place, topic: topic)
    if machine.batches(of: place, from: 0, upTo: .max).isEmpty { model.ledger.forget(spot) }
    model.unclean.insert(spot)
    model.seen.unclean += 1
  }

  /// A follower is away until its leader is alone in sync; the leader dies, and the follower is elected all the same.
  func electUncleanly(_ away: Int64, _ model: inout Model) {
    let owner = cluster(.north)
    let place = Self.careless
    guard model.owner == .north, owner.machines.count > 2, let (leader, standing) = owner.leader(of: place),
      let follower = owner.machines.first(where: { $0 !== leader && $0.broker?.standing(of: place) != nil })
    else { return }
    let millisecond = BrokerStage.Spans.millisecond
    kill(follower, 3000 * millisecond, &model, by: .killed)
    model.unclean.insert(.init(side: .north, place: place, topic: standing.topic))
    model.seen.unclean += 1
    later(2500 * millisecond) { _ in
      self.cut(leader.host, follower.host, 2000 * millisecond)
      self.cut(follower.host, leader.host, 2000 * millisecond)
    }
    later(3500 * millisecond) { self.kill(leader, 5000 * millisecond + away, &$0, by: .killed) }
    for span in [6000, 6600, 7200] as [Int64] {
      later(span * BrokerStage.Spans.millisecond) { _ in
        let request = ElectLeadersRequest { request in
          request.timeoutMs = 2000
          request.electionType = 1
          request.topicPartitions = [
            .init {
              $0.topic = place.topic.text
              $0.partitions = [place.partition.value]
            }
          ]
        }
        self.ask(request, of: self.anyNode(.north), .north) { response, _ in
          let result = response?.replicaElectionResults.first?.partitionResult.first
          self.stage.note("the unclean election: \(result.map { "\($0.errorCode)" } ?? "no answer")")
        }
      }
    }
  }
}
