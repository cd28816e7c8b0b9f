import Broker
import MirrorPlanning
import Vocabulary

/// What is looked at all the time, in both clusters at the same moment.
extension MirrorSimulation {
  /// How far the log of a leader was looked through.
  struct Scan: Sendable {
    var epoch: LeaderEpoch
    var mark: Int64
  }
  struct ScanKey: Hashable, Sendable {
    let spot: MirrorLedger.Spot
    let node: Int32
  }

  /// What was written to a disk, in the order in which it was.
  func note(_ append: MirrorAppends.Append, _ model: inout Model) {
    for batch in append.batches {
      let values = append.values.map { all in all.filter { batch.base <= $0.key && $0.key < batch.next } }
      if let broken = model.ledger.wrote(batch, append.spot, values: values) { stage.fail(broken) }
    }
    for gap in model.ledger.takeNewGaps() {
      stage.note("\(gap.spot.side): \(gap.spot.place) passes over \(gap.range)")
      explain(gap, &model)
    }
  }

  private func explain(_ gap: MirrorLedger.Gap, _ model: inout Model) {
    let (side, place) = (gap.spot.side, gap.spot.place)
    // Who has nothing begins where its source begins.
    let bound = gap.isFirst ? removed(gap.spot.opposite, model) : 0
    if gap.isFirst, gap.range.upperBound <= bound || Self.isCompacted(place) && gap.range.lowerBound >= bound { return }
    // A topic that was deleted may come back as a copy.
    if model.topics.deleted.contains(.init(side: side, topic: gap.spot.topic)),
      gap.range.upperBound <= removed(gap.spot.opposite, model)
    {
      return
    }
    // It may have ended since: whoever leads next has to say so.
    guard cluster(side).leader(of: place) != nil else { return model.unexplained.append(gap) }
    guard !isNamed(gap) else { return }
    stage.fail(
      gap.isFirst
        ? "\(side): \(place) begins at offset \(gap.range.upperBound), and its source at \(bound)"
        : "\(side): \(place) passes over the offsets \(gap.range), and nobody says so")
  }

  /// Gaps of which nobody could be asked.
  private func explainLate(_ model: inout Model) {
    let waiting = model.unexplained
    model.unexplained = waiting.filter { gap in
      guard let (machine, standing) = cluster(gap.spot.side).leader(of: gap.spot.place),
        standing.topic == gap.spot.topic,
        machine.broker?.mirrorStatus(of: gap.spot.side.mirror).contains(where: {
          $0.key == "status.partition.\(gap.spot.place)"
        }) == true
      else { return true }
      if !isNamed(gap), model.takenOver.isEmpty {
        stage.fail("\(gap.spot.side): \(gap.spot.place) passed over the offsets \(gap.range), and nobody says so")
      }
      return false
    }
  }

  /// Whether the status of the partition's leader has all of it among the gaps that were accepted.
  private func isNamed(_ gap: MirrorLedger.Gap) -> Bool {
    Self.contains(accepted(gap.spot), gap.range)
  }

  /// Whether the ranges together have all of it.
  static func contains(_ ranges: [Range<Int64>], _ wanted: Range<Int64>) -> Bool {
    var next = wanted.lowerBound
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where range.lowerBound <= next {
      next = max(next, range.upperBound)
    }
    return next >= wanted.upperBound
  }

  /// The gaps that the leader of a partition names.
  func accepted(_ spot: MirrorLedger.Spot) -> [Range<Int64>] {
    guard let (machine, standing) = cluster(spot.side).leader(of: spot.place), standing.topic == spot.topic,
      let leader = machine.broker
    else { return [] }
    return leader.mirrorStatus(of: spot.side.mirror).flatMap { key, value in
      key == "status.partition.\(spot.place)" ? PartitionStatus(text: value)?.accepted ?? [] : []
    }
  }

  func look(_ model: inout Model) {
    if !model.unexplained.isEmpty { explainLate(&model) }
    for cluster in clusters {
      for place in model.places {
        for machine in cluster.machines { look(at: place, on: machine, cluster.side, &model) }
      }
    }
    if case .preparing = model.phase { return }
    checkOwners(model)
  }

  private func look(at place: TopicPartition, on machine: BrokerMachine, _ side: MirrorSide, _ model: inout Model) {
    guard let standing = machine.broker?.standing(of: place), standing.leads else { return }
    let spot = MirrorLedger.Spot(side: side, place: place, topic: standing.topic)
    model.topics.sawStart(standing.start.value, spot)
    let mark = standing.highWatermark.value
    let key = ScanKey(spot: spot, node: machine.id)
    var scan = model.scans[key] ?? Scan(epoch: standing.epoch, mark: 0)
    // Another epoch may have another log below.
    if scan.epoch != standing.epoch || mark < scan.mark { scan = Scan(epoch: standing.epoch, mark: 0) }
    if mark > scan.mark {
      let batches = machine.batches(of: place, from: scan.mark, upTo: mark)
      model.ledger.commit(batches, spot)
      scan.mark = mark
    }
    model.scans[key] = scan
    model.ledger.mark(mark, spot, at: stage.now)
  }

  /// A topic has one owner in each generation, and a mirror takes over everything or nothing.
  private func checkOwners(_ model: Model) {
    for topic in topics {
      let owners = clusters.compactMap { cluster -> (topic: UniqueID, generation: Int32)? in
        guard let witness = cluster.witness, let shape = witness.agreedShape(ofTopic: topic) else { return nil }
        let configs = witness.agreedConfigs(ofTopic: topic)
        guard configs["mirror.link"] == nil, (configs["mirror.fence"] ?? "").isEmpty else { return nil }
        return (shape.id, ownershipGeneration(configs))
      }
      if owners.count == 2, owners[0].topic == owners[1].topic, owners[0].generation == owners[1].generation {
        stage.fail("\(topic) has two owners, both of generation \(owners[0].generation)")
      }
    }
    for cluster in clusters {
      let mirror = cluster.side.mirror
      guard let witness = cluster.witness else { continue }
      let values = witness.agreedConfigs(ofMirror: mirror)
      let shared = topics.filter { isShared($0, witness, self.cluster(cluster.side.other).witness) }
      let copies = shared.filter { witness.agreedConfigs(ofTopic: $0)["mirror.link"] == mirror }
      if isUneven(copies.count, of: shared.count, values) {
        stage.fail("\(cluster.side): of \(shared), \(mirror) writes \(copies) alone")
      }
    }
  }

  /// Whether it is the same topic on both sides. Where topics stay it always is.
  private func isShared(_ topic: String, _ one: Broker, _ other: Broker?) -> Bool {
    guard changesTopics else { return true }
    guard let own = one.agreedShape(ofTopic: topic) else { return false }
    return other?.agreedShape(ofTopic: topic)?.id == own.id
  }

  private func isUneven(_ copies: Int, of all: Int, _ mirror: [String: String]) -> Bool {
    if mirror["promoted"] != nil { return copies > 0 }
    // In a fail-back a topic waits for those who have to add partitions, or to delete what is another one.
    return copies > 0 && copies < all && !(changesTopics && mirror["state"] == "failback")
  }
}
