import Replication
import Vocabulary

// What goes wrong, and what puts it right again.

extension ReplicatedSimulation {
  func makeTrouble() {
    switch Int.random(in: 0..<12, using: &random) {
    case 0, 1, 2, 3:
      let index = Int.random(in: brokers.indices, using: &random)
      guard brokers[index].isUp else { return }
      brokers[index].doom = (Int.random(in: 0...12, using: &random), chance(perMille: 600))
    case 4, 5, 6: cut(someLinks())
    case 7: cut(linksOfRegion())
    case 8:
      let region = shape.members[Int.random(in: brokers.indices, using: &random)].region
      crash(brokers.indices.filter { shape.members[$0].region == region }, powerLoss: true)
    case 9:
      controller.moveLeader()
      tellBrokers()
    case 10: lossPerMille = [0, 10, 50, 150].randomElement(using: &random) ?? 0
    default:
      // The leader alone cannot be heard, or cannot hear.
      guard case .elected(let leader, _) = controller.state.leader else { return }
      let address = ReplicatedAddress.broker(Int(leader.value))
      let isDeaf = Bool.random(using: &random)
      cut(
        everybody.filter { $0 != address }.map {
          isDeaf ? ReplicatedLink(from: $0, to: address) : ReplicatedLink(from: address, to: $0)
        })
    }
  }

  private var everybody: [ReplicatedAddress] { brokers.indices.map { .broker($0) } + [.controller] }

  private func someLinks() -> [ReplicatedLink] {
    (0..<Int.random(in: 1...3, using: &random)).map { _ in
      ReplicatedLink(
        from: everybody[Int.random(in: everybody.indices, using: &random)],
        to: everybody[Int.random(in: everybody.indices, using: &random)])
    }
  }

  private func linksOfRegion() -> [ReplicatedLink] {
    let region = shape.members[Int.random(in: brokers.indices, using: &random)].region
    let inside = brokers.indices.filter { shape.members[$0].region == region }.map { ReplicatedAddress.broker($0) }
    let outside = everybody.filter { !inside.contains($0) }
    return inside.flatMap { a in
      outside.flatMap { b in [ReplicatedLink(from: a, to: b), ReplicatedLink(from: b, to: a)] }
    }
  }

  private func cut(_ links: [ReplicatedLink]) {
    for link in links { cuts[link, default: 0] += 1 }
    agenda.add(.mend(links), at: now + span(50...2000))
  }

  /// False when it does not come to pass, because it would be more than the promise is about: see `mayLose`.
  @discardableResult
  func crash(_ indices: [Int], powerLoss: Bool) -> Bool {
    let hit = indices.filter { brokers[$0].isUp }
    guard !hit.isEmpty else { return false }
    guard !powerLoss || mayLose(hit) else { return false }
    for index in hit {
      crashes += 1
      if powerLoss, brokers[index].log.synced < brokers[index].log.end {
        brokers[index].log.truncate(
          to: Int.random(in: brokers[index].log.synced...brokers[index].log.end, using: &random))
      }
      brokers[index].state = .down(lostTail: powerLoss)
      brokers[index].pending = [:]
      note(3, now, Int64(index), Int64(brokers[index].log.end))
      agenda.add(.restart(broker: index), at: now + span(10...1500))
    }
    return true
  }

  /// Unsynced records may be lost by fewer brokers at a time than the minimum is, or by one whole Region where the
  /// minimum asks for two. What was lost one after another must have been copied again in between, so that there is
  /// somebody whom the controller may elect.
  private func mayLose(_ hit: [Int]) -> Bool {
    let losing = brokers.indices.filter { hit.contains($0) || brokers[$0].mayHaveLostTail }
    let regions = Set(losing.map { shape.members[$0].region })
    guard losing.count < shape.minimum.replicas || regions.count < shape.minimum.regions else { return false }
    return controller.complete.nodes.contains { !losing.contains(Int($0.value)) }
  }

  func restart(_ index: Int) {
    guard case .down(let lostTail) = brokers[index].state else { return }
    let life = controller.register(node(index), lostTail: lostTail, at: now)
    // The first metadata that a new life acts on includes its own registration.
    start(index, life, version: controller.version - 1)
    tellBrokers()
  }

  func start(_ index: Int, _ life: BrokerEpoch, version: Int) {
    brokers[index].life = life
    brokers[index].metadataVersion = version
    brokers[index].doom = nil
    let recovered = brokers[index].log.recovered()
    // A checkpoint above the recovered end would vouch for whatever comes there next.
    brokers[index].log.checkpoint = Int(recovered.highWatermark.value)
    brokers[index].state = .up(
      Replica(id: node(index), brokerEpoch: life, recovered: recovered, settings: settings))
    agenda.add(.tick(broker: index, life: life), at: now + span(0...10))
  }

  func heal() {
    cuts = [:]
    lossPerMille = 0
    for index in brokers.indices {
      brokers[index].doom = nil
      restart(index)
    }
    phase = .healed(goals: clients.map { $0.acknowledged.count + 5 })
  }
}
