import ClusterMetadata
import Consensus
import Replication
import Vocabulary

// What goes wrong, and what puts it right again.

extension ClusterSimulation {
  func makeTrouble() {
    guard isTroubled else { return }
    queue.add(.trouble, at: now + span(20...(2 * Int(troublePause))))
    switch draw(20) {
    case 0...4: nodes[place(ofBroker: draw(brokers.count))].doom = (draw(40), chance(perMille: 600))
    case 5, 6: nodes[draw(Self.controllerCount)].doom = (draw(30), true)
    case 7, 8, 9:
      cut((0..<(1 + draw(3))).map { _ in link(draw(nodes.count), draw(nodes.count)) })
    case 10: cutRegion(regions[draw(regions.count)])
    case 11: loseRegion(regions[draw(regions.count)])
    case 12:
      let leading = (0..<Self.controllerCount).filter { nodes[$0].lead != nil }
      if let i = leading.first { isolate(i) }
    case 13:
      let partitions = promises.canonical.image.topicsByName.flatMap(\.partitions)
      guard !partitions.isEmpty else { return }
      if let n = place(of: partitions[draw(partitions.count)].leader) { isolate(n) }
    case 14: lossPerMille = [0, 10, 50, 150][draw(4)]
    case 15, 16: nodes[draw(nodes.count)].clockAhead += Int64(draw(400)) * Spans.millisecond
    case 17:
      let j = draw(brokers.count)
      note("\(j) is asked to stop")
      brokers[j].stops = true
    case 18:
      if let i = (0..<Self.controllerCount).first(where: { nodes[$0].lead != nil }) { handle(.resign, on: i) }
    default: _ = crash([draw(nodes.count)], powerLoss: happens(oneIn: 2))
    }
  }

  private func cut(_ links: [Int]) {
    note("cut: \(links)")
    for link in links { cuts[link, default: 0] += 1 }
    queue.add(.mend(links), at: now + span(50...2000))
  }

  /// It alone cannot be heard, or cannot hear.
  private func isolate(_ n: Int) {
    let isDeaf = happens(oneIn: 2)
    cut(nodes.indices.filter { $0 != n }.map { isDeaf ? link($0, n) : link(n, $0) })
  }

  private func cutRegion(_ region: String) {
    let inside = nodes.indices.filter { nodes[$0].region == region }
    let outside = nodes.indices.filter { nodes[$0].region != region }
    cut(inside.flatMap { a in outside.flatMap { b in [link(a, b), link(b, a)] } })
  }

  private func loseRegion(_ region: String) {
    note("\(region) is lost")
    if crash(nodes.indices.filter { nodes[$0].region == region }, powerLoss: true) { seen.regionLosses += 1 }
  }

  // MARK: Crashes

  /// False when nobody ends. A loss of power of brokers that would be more than the promise is about is the death of
  /// their processes instead; what the quorum was promised is durable by its own rules.
  @discardableResult
  func crash(_ places: [Int], powerLoss: Bool) -> Bool {
    let hit = places.filter { nodes[$0].quorum != nil }
    guard !hit.isEmpty else { return false }
    let isOff = hit.contains { broker(at: $0).flatMap { brokers[$0].files }?.disk.isPowerOff == true }
    let losesTails = powerLoss && (isOff || mayLose(hit.compactMap(broker(at:))))
    for n in hit {
      seen.crashes += 1
      end(n)
      if let j = broker(at: n), losesTails {
        seen.powerLosses += 1
        loseTails(of: j)
      }
      if powerLoss || broker(at: n) == nil {
        let unsynced = nodes[n].disk.log.count - nodes[n].disk.syncedCount
        nodes[n].disk.crash(keeping: unsynced == 0 ? 0 : draw(unsynced + 1))
      }
      note("\(nodes[n].id.value) crashes\(losesTails ? ", and loses what was not synced" : "")")
      mark(3, n)
      queue.add(.start(n), at: now + (happens(oneIn: 4) ? span(300...2000) : span(10...300)))
    }
    return true
  }

  private func loseTails(of j: Int) {
    brokers[j].mayHaveLostTail = !syncsEveryWrite
    if let files = brokers[j].files {
      files.losePower()
      mark(4, files.disk.effects)
      for key in brokers[j].copies.keys { brokers[j].copies[key]?.lostPower = true }
      return
    }
    for key in brokers[j].copies.keys.sorted() {
      guard let log = brokers[j].copies[key]?.log, log.synced < log.end else { continue }
      brokers[j].copies[key]?.log.truncate(to: log.synced + draw(log.end - log.synced + 1))
    }
  }

  /// Unsynced records may be lost by fewer copies of a partition at a time than its minimum is, or by one whole Region
  /// where the minimum asks for two. What was lost one after another must have been copied again in between, so that
  /// there is somebody whom the controller may elect.
  func mayLose(_ hit: [Int]) -> Bool {
    if syncsEveryWrite { return true }
    let losing = Set(brokers.indices.filter { hit.contains($0) || brokers[$0].mayHaveLostTail }.map { brokers[$0].id })
    let images = [promises.canonical.image] + (0..<Self.controllerCount).compactMap { nodes[$0].lead?.image }
    for image in images {
      for topic in image.topicsByName {
        let minimum = ClusterPromises.minimum(of: topic, image)
        for state in topic.partitions {
          let lost = state.replicas.filter(losing.contains)
          let lostRegions = Set(lost.compactMap { place(of: $0).map { nodes[$0].region } })
          guard lost.count < minimum.replicas || lostRegions.count < minimum.regions else { return false }
          guard (state.inSync + state.eligible).contains(where: { !losing.contains($0) }) else { return false }
        }
      }
    }
    return true
  }

  // MARK: Healing

  func heal() {
    note("everything is whole again")
    isTroubled = false
    healedAt = now
    cuts = [:]
    lossPerMille = 0
    for n in nodes.indices {
      nodes[n].doom = nil
      start(n)
    }
  }

  /// Everybody is there, every partition has its leader and its replicas in sync, and has taken a write.
  var isWhole: Bool { lacking == "nothing" }

  var lacking: String {
    for node in nodes where node.quorum == nil { return "\(node.id.value) is down" }
    let image = promises.canonical.image
    for broker in brokers where image.brokers[broker.id]?.isActive != true {
      return "\(broker.id.value) does not serve"
    }
    for topic in image.topicsByName {
      for (index, state) in topic.partitions.enumerated() {
        let key = PartitionKey(topic: topic.id, index: index)
        let standIns = state.inSync.filter { state.observers.contains($0) }
        if state.leader == .none || state.isBeingReassigned || !standIns.isEmpty
          || Set(state.inSync) != Set(state.voters)
        {
          return "\(key.text) is \(state)"
        }
        if !served.contains(key) { return "\(key.text) takes no write: \(state) \(picture(of: key))" }
      }
    }
    return "nothing"
  }

  private func picture(of key: PartitionKey) -> String {
    brokers.map { broker in
      guard let copy = broker.copies[key] else { return "\(broker.id.value) -" }
      let mark = copy.replica.map { "\($0.log.highWatermark.value) \($0.role)".prefix(120) } ?? "down"
      return "\(broker.id.value) \(copy.log.end) \(mark)"
    }.joined(separator: "; ")
  }
}
