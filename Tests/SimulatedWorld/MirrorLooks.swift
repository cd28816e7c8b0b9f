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
      if let broken = model.ledger.wrote(batch, append.spot) { stage.fail(broken) }
    }
    for gap in model.ledger.takeNewGaps() {
      stage.note("\(gap.spot.side): \(gap.spot.place) passes over \(gap.range)")
      if !isNamed(gap) {
        stage.fail("\(gap.spot.side): \(gap.spot.place) passes over the offsets \(gap.range), and nobody says so")
      }
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
    guard let leader = cluster(spot.side).leader(of: spot.place)?.machine.broker else { return [] }
    return leader.mirrorStatus(of: spot.side.mirror).flatMap { key, value in
      key == "status.partition.\(spot.place)" ? PartitionStatus(text: value)?.accepted ?? [] : []
    }
  }

  func look(_ model: inout Model) {
    for cluster in clusters {
      for place in Self.places {
        for machine in cluster.machines { look(at: place, on: machine, cluster.side, &model) }
      }
    }
    if case .preparing = model.phase { return }
    checkOwners(model)
  }

  private func look(at place: TopicPartition, on machine: BrokerMachine, _ side: MirrorSide, _ model: inout Model) {
    guard let standing = machine.broker?.standing(of: place), standing.leads else { return }
    let spot = MirrorLedger.Spot(side: side, place: place)
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
    for topic in Self.topics {
      let owners = clusters.compactMap { cluster -> (side: MirrorSide, generation: Int32)? in
        guard let witness = cluster.witness, TopicName(topic).map({ witness.agreedTopic($0) }) == true else {
          return nil
        }
        let configs = witness.agreedConfigs(ofTopic: topic)
        guard configs["mirror.link"] == nil, (configs["mirror.fence"] ?? "").isEmpty else { return nil }
        return (cluster.side, ownershipGeneration(configs))
      }
      if owners.count == 2, owners[0].generation == owners[1].generation {
        stage.fail("\(topic) has two owners, both of generation \(owners[0].generation)")
      }
    }
    for cluster in clusters {
      let mirror = cluster.side.mirror
      guard let witness = cluster.witness else { continue }
      let values = witness.agreedConfigs(ofMirror: mirror)
      let copies = Self.topics.filter { witness.agreedConfigs(ofTopic: $0)["mirror.link"] == mirror }
      if values["promoted"] != nil ? !copies.isEmpty : !(copies.isEmpty || copies.count == Self.topics.count) {
        stage.fail("\(cluster.side): of \(Self.topics), \(mirror) writes \(copies) alone")
      }
    }
  }
}
