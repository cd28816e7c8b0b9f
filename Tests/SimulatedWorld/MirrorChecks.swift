import Broker
import MirrorPlanning
import Vocabulary

/// What has to be there in the end.
extension MirrorSimulation {
  private static let settling = 3 * BrokerStage.Spans.second

  func progress(_ model: inout Model) {
    switch model.phase {
    case .healing:
      guard model.moves.isEmpty, model.served.isSuperset(of: model.places),
        MirrorSide.allCases.allSatisfy(isLoose), !changesTopics || topicsAgree(model)
      else { return }
      stage.note("everything works again")
      model.phase = .checking
      model.mendedAt = stage.now
    case .checking:
      guard stage.now >= model.mendedAt + Self.settling, model.places.allSatisfy({ isCopied($0, model) }),
        groupsAgree(model), areTransactionsOver(model), model.places.allSatisfy({ isStable($0, model) })
      else { return }
      look(&model)
      check(&model)
      model.phase = .done
    case .preparing, .troubled, .done: break
    }
  }

  private func isCopied(_ place: TopicPartition, _ model: Model) -> Bool {
    guard let source = cluster(model.owner).leader(of: place)?.standing,
      let copy = cluster(model.owner.other).leader(of: place)?.standing
    else { return false }
    return source.highWatermark == source.end && copy.highWatermark == copy.end && copy.end == source.end
  }

  private func groupsAgree(_ model: Model) -> Bool {
    let side = model.owner.other
    guard let source = model.groups[model.owner], let copy = model.groups[side] else { return false }
    return model.places.allSatisfy { place in
      // A source that lost its end may have groups beyond it.
      let end = cluster(side).leader(of: place)?.standing.highWatermark.value ?? 0
      return source[place].map { min($0, end) } == copy[place]
    }
  }

  /// Why it is not done, in words.
  func complaints(_ model: Model) -> String {
    var words: [String] = []
    if let move = model.moves.first {
      let side = move.side
      let now = cluster(side).witness?.agreedConfigs(ofMirror: side.mirror) ?? [:]
      words.append("\(move) is not done, and \(side.mirror) is \(now["state"] ?? "nowhere")")
      words += problems(of: side.mirror, side)
    }
    words += model.places.filter { !model.served.contains($0) }.map { "\($0) takes no write in the \(model.owner)" }
    for place in model.places where !isCopied(place, model) {
      let ends = clusters.map { cluster -> String in
        guard let standing = cluster.leader(of: place)?.standing else { return "\(cluster.side) without a leader" }
        return "\(cluster.side) \(standing.start.value) to \(standing.highWatermark.value) of \(standing.end.value)"
      }
      words.append("of \(place) there is \(ends.joined(separator: ", "))")
    }
    if !areTransactionsOver(model) { words.append("a transaction does not end") }
    words += model.places.filter { !isStable($0, model) }.map { "not all of \($0) can be read" }
    if !groupsAgree(model) {
      let groups = MirrorSide.allCases.map { side in
        "\(side) \((model.groups[side] ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })"
      }
      words.append("the group is at \(groups.joined(separator: ", "))")
    }
    words += problems(of: model.owner.other.mirror, model.owner.other)
    return words.joined(separator: "; ")
  }

  private func problems(of mirror: String, _ side: MirrorSide) -> [String] {
    cluster(side).machines.flatMap { machine in
      (machine.broker?.mirrorStatus(of: mirror) ?? []).filter { key, value in
        key.hasPrefix("status.problem") || value.contains("reason=")
      }.map { "\(machine.host.name) says \($0.key) \($0.value)" }
    }
  }

  // MARK: Everything

  private func check(_ model: inout Model) {
    if let premature = model.ledger.premature(except: model.topics.deleted) { stage.fail(premature) }
    for place in model.places { check(place, &model) }
    for takeover in model.takenOver {
      check(takeover, model)
      if takeover.isPlanned { checkNothingIsLost(by: takeover, model) }
    }
  }

  private func check(_ place: TopicPartition, _ model: inout Model) {
    guard let source = cluster(model.owner).leader(of: place), let copy = cluster(model.owner.other).leader(of: place)
    else { return }
    let topic = source.standing.topic
    guard copy.standing.topic == topic else {
      return stage.fail("\(place) is \(topic) in the \(model.owner), and \(copy.standing.topic) where it is copied")
    }
    let end = source.standing.highWatermark.value
    let here = source.machine.contents(of: place, from: source.standing.start.value, upTo: end)
    let there = copy.machine.contents(of: place, from: copy.standing.start.value, upTo: end)
    let start = max(source.standing.start, copy.standing.start).value
    compare(place, [(model.owner, here), (model.owner.other, there)], from: start)
    checkGaps(place, topic, model)
    let kept = MirrorSide.allCases.map { ($0, setAside(place, $0, &model)) }
    let removed =
      MirrorSide.allCases.map { side -> Int64 in
        let spot = MirrorLedger.Spot(side: side, place: place, topic: topic)
        return model.topics.expiring.contains(place.topic.text) ? self.removed(spot, model) : model.deleted[spot] ?? 0
      }.max() ?? 0
    if transacts { checkTransactions(place, here, there, from: max(removed, start), model) }
    for side in MirrorSide.allCases where !model.topics.deleted.contains(.init(side: side, topic: topic)) {
      let spot = MirrorLedger.Spot(side: side, place: place, topic: topic)
      for (offset, value, _) in model.acknowledged[spot, default: []] where offset >= removed {
        guard !here.values.contains(value), !model.unclean.contains(spot),
          !kept.contains(where: { $0.1.values.contains(value) })
        else { continue }
        if Self.isCompacted(place), ([here] + kept.map(\.1)).contains(where: { $0.replaces(value, at: offset) }) {
          continue
        }
        stage.fail("\(side): \(value) was acknowledged at offset \(offset) of \(place), and is nowhere")
      }
      // Batches are made anew there.
      if Self.isCompacted(place) { continue }
      // What was readable and is no more lies in a file that the metadata names.
      let gone = model.ledger.committed[spot, default: []].subtracting(here.batches)
      let own = kept.first { $0.0 == side }?.1.batches ?? []
      for batch in gone.subtracting(own).sorted(by: { $0.base < $1.base }) where batch.base >= max(removed, start) {
        if model.unclean.contains(spot) { continue }
        stage.fail("\(side): \(batch) of \(place) were readable, and lie neither in the log nor in a file")
      }
    }
  }

  /// What both sides have of a partition, from where both begin.
  private func compare(
    _ place: TopicPartition, _ both: [(side: MirrorSide, contents: MirrorContents)], from start: Int64
  ) {
    if Self.isCompacted(place) { return checkRecords(place, both, from: start) }
    for (side, contents) in both {
      if let hole = contents.holes.first { stage.fail("\(side): \(place) has nothing at the offsets \(hole)") }
    }
    let (here, there) = (both[0].contents.bytes, both[1].contents.bytes)
    for base in Set(here.keys).union(there.keys).sorted() where base >= start && here[base] != there[base] {
      stage.fail("\(place): the batch at offset \(base) is another one in the north than in the south")
    }
  }

  /// What was passed over is still named, and nothing is named that was not.
  private func checkGaps(_ place: TopicPartition, _ topic: UniqueID, _ model: Model) {
    let spot = MirrorLedger.Spot(side: model.owner.other, place: place, topic: topic)
    let real = model.ledger.gaps.filter { $0.spot == spot }
    let named = accepted(spot)
    // What a mirror knew goes when its topics become the cluster's own, and whoever fails back had other records there.
    guard model.takenOver.isEmpty else { return }
    // What was cut off, and then removed at the source, was there once.
    let isCut = model.unclean.contains(spot.opposite)
    let covered = model.ledger.covered[spot] ?? 0
    // Of what is compacted, a gap may have had nothing in it that nothing replaces.
    let bound = Self.isCompacted(place) ? removed(spot.opposite, model) : 0
    if !isCut,
      let wrong = named.first(where: {
        bound < $0.upperBound && $0.upperBound <= covered && !Self.contains(real.map(\.widest), $0)
      })
    {
      stage.fail("\(spot.side): \(place) names the gap \(wrong), and the gaps are \(real.map(\.range))")
    }
    if let lost = real.first(where: { !Self.contains(named, $0.range) }) {
      stage.fail("\(spot.side): \(place) does not name the gap \(lost.range) any more; it names \(named)")
    }
  }

  /// What the metadata says was set aside, as far as it is where it says.
  private func setAside(_ place: TopicPartition, _ side: MirrorSide, _ model: inout Model) -> MirrorContents {
    var found = MirrorContents()
    let list = cluster(side).witness?.agreedConfigs(ofMirror: side.mirror)["aside.\(place)"]
    for one in SetAside.parse(list: list) {
      model.seen.setAside += 1
      found.add(cluster(side).machine(one.broker.value)?.peek(one.path) ?? [], from: 0, upTo: .max)
    }
    return found
  }

  /// A switchover takes over everything that the owner before has acknowledged.
  private func checkNothingIsLost(by takeover: MirrorTakeover, _ model: Model) {
    let before = takeover.side.other
    let since = model.takenOver.last { $0.side == before && $0.at < takeover.at }?.at ?? 0
    // Answers that were under way; what comes later comes of another change of sides.
    let until = takeover.at + Self.settling / 6
    for place in Self.allPlaces {
      guard let spot = takeover.spot(before, place), !model.unclean.contains(spot),
        !model.topics.deleted.contains(.init(side: before, topic: spot.topic))
      else { continue }
      let findings = PartitionFinding.parse(takeover.reports[place.topic.text] ?? "")
      // Of a partition that the report does not know, nothing was taken over.
      let end = findings.first { $0.index == Int(place.partition.value) }?.finding?.end.value ?? 0
      for (offset, value, at) in model.acknowledged[spot, default: []] where at >= since && at < until && offset >= end
      {
        stage.fail(
          "\(before): \(value) was acknowledged at offset \(offset) of \(place), and the switchover ended it at \(end)")
      }
    }
  }

  /// A report is exact as far as its knowledge goes.
  private func check(_ takeover: MirrorTakeover, _ model: Model) {
    for place in Self.allPlaces {
      guard let spot = takeover.spot(takeover.side, place),
        Int(place.partition.value) < takeover.shapes[place.topic.text]?.partitions ?? 0
      else { continue }
      guard let report = takeover.reports[place.topic.text] else {
        stage.fail("\(takeover.side): \(place.topic) was taken over, and there is no report")
        continue
      }
      let findings = PartitionFinding.parse(report)
      guard let finding = findings.first(where: { $0.index == Int(place.partition.value) })?.finding else {
        if takeover.isPlanned { stage.fail("\(takeover.side): the report of a switchover does not know \(place)") }
        continue
      }
      if let era = takeover.eras[place], let first = model.ledger.beginning(of: era, spot), first != finding.end.value {
        stage.fail(
          "\(takeover.side): the report says that \(place) ended at \(finding.end.value), and clients wrote from \(first) on"
        )
      }
      guard !takeover.isPlanned, let end = finding.sourceEnd, let age = finding.age else { continue }
      let marks = model.ledger.marks[spot.opposite] ?? []
      let heard = takeover.at - age.milliseconds * BrokerStage.Spans.millisecond
      // A look may be late by a pause, and what is found by the time that a survey and a change take.
      let known = marks.filter { $0.at <= heard + Self.settling / 3 }.map(\.mark).max() ?? 0
      let before = marks.last { $0.at <= heard - 8 * Self.settling }?.mark ?? 0
      if end.value > known
        || end.value < before && !model.unclean.contains(spot.opposite)
      {
        stage.fail(
          "\(takeover.side): the report says that \(place) ended at \(end.value) \(age.milliseconds) ms before, where it "
            + "had between \(before) and \(known)")
      }
    }
  }
}
