import ClusterMetadata
import Testing
import Vocabulary

/// A cluster in which anything may happen, in an order that a seed gives. It checks every record and, after every
/// decision, everything that shall always be true.
struct InventedCluster {
  private(set) var image = MetadataImage()
  private(set) var records: [MetadataRecord] = []
  private(set) var decided: [String: Int] = [:]
  private var chance: Chance
  private let racks: [String]
  private var incarnations: UInt64 = 0
  private var topics: UInt64 = 0
  private var knowledge = Knowledge()

  init(seed: UInt64) {
    chance = Chance(seed: seed)
    let regions = Array(["eu", "us", "ap", "sa"].prefix(chance.one(in: 1...4)))
    var racks: [String] = []
    for region in regions {
      for _ in 0..<chance.one(in: 1...4) { racks.append("\(region)/z\(chance.one(in: 1...2))") }
    }
    self.racks = racks
  }

  private var ids: [NodeID] { racks.indices.map { NodeID(Int32($0)) } }
  private func region(_ id: NodeID) -> String { BrokerLocation(rack: racks[Int(id.value)]).region }
  private var regions: [String] { Set(ids.map(region)).sorted() }

  mutating func run(steps: Int) {
    for id in ids {
      admit(id)
      beat(id, .serve)
    }
    for _ in 0..<steps { step() }
  }

  private mutating func step() {
    let id = ids.randomElement(using: &chance) ?? NodeID(0)
    switch chance.one(in: 0...99) {
    case 0..<6: if topicsNow < 8 { create() } else { delete() }
    case 6..<11: take("fence", image.fence(id))
    case 11..<27: beat(fenced.randomElement(using: &chance) ?? id, .serve)
    case 27..<29: beat(id, .stop)
    case 29..<35: admit(id)
    case 35..<36: loseDirectory(of: id)
    case 36..<37: if chance.happens(40) { take("unregister", image.unregister(id).records) }
    case 37..<60: propose()
    case 60..<61: assign(id)
    case 61..<75: produce()
    case 75..<83: elect()
    case 83..<91: reassign()
    case 91..<95: alter()
    case 95..<97: addPartitions()
    case 97..<99: take("balance", image.balanceLeaders(atMost: 3))
    default: delete()
    }
  }

  private var topicsNow: Int { image.topics.count }
  /// Those that would serve again: whoever stops does so only after a new start.
  private var fenced: [NodeID] { ids.filter { image.brokers[$0]?.isFenced == true } }

  // MARK: What happens

  private mutating func admit(_ id: NodeID) {
    incarnations += 1
    let registration = BrokerRegistration(
      id: id, epoch: 0, incarnation: UniqueID(high: 1, low: incarnations), endpoints: [], rack: racks[Int(id.value)],
      isFenced: true,
      logDirectories: [1, 2].map { UniqueID(high: UInt64(id.value) + 1, low: $0) })
    let end: PreviousEnd = chance.happens(50) ? .crash : .clean
    let decision = image.admit(registration, after: end, session: .ended)
    if end == .crash { knowledge.crashed(id, image) }
    take("admit", decision.records)
    if chance.happens(50) { beat(id, .serve) }
  }

  private mutating func beat(_ id: NodeID, _ wish: BrokerHeartbeat.Wish) {
    let decision = image.heartbeat(
      BrokerHeartbeat(
        broker: id, epoch: image.brokers[id]?.epoch ?? 0, wish: wish, hasReadItsRegistration: true,
        othersKnowItStops: true))
    if case .success(let answer) = decision.answer, answer.mayStop {
      #expect(!image.topics.values.contains { $0.partitions.contains { $0.leader == id } }, "it leads and may stop")
    }
    take("beat", decision.records)
  }

  private mutating func loseDirectory(of id: NodeID) {
    guard let broker = image.brokers[id], let lost = broker.logDirectories.randomElement(using: &chance) else { return }
    take("directory", image.failDirectories([lost], of: id, epoch: broker.epoch).records)
  }

  private mutating func assign(_ id: NodeID) {
    guard let broker = image.brokers[id], let directory = broker.logDirectories.randomElement(using: &chance) else {
      return
    }
    for topic in image.topicsByName {
      for (index, partition) in topic.partitions.enumerated() where partition.replicas.contains(id) {
        take(
          "assign",
          image.assign(
            directory, toReplicaOf: PartitionIndex(Int32(index)), topic: topic.id, on: id, epoch: broker.epoch
          ).records)
      }
    }
  }

  private mutating func create() {
    topics += 1
    var configs: [String: String] = [:]
    if chance.happens(40) { configs["min.insync.replicas"] = String(chance.one(in: 1...3)) }
    if chance.happens(15) { configs["unclean.leader.election.enable"] = "true" }
    if chance.happens(30) { configs["placement.allowed.regions"] = chance.some(of: regions).joined(separator: ",") }
    if chance.happens(20) { configs["placement.leader.regions"] = chance.some(of: regions).joined(separator: ",") }
    if chance.happens(20) { configs["min.insync.regions"] = String(chance.one(in: 1...2)) }
    if chance.happens(25) { configs["placement.replicas.per.region"] = counts() }
    if chance.happens(25) { configs["placement.observers.per.region"] = counts() }
    let factor = chance.happens(50) ? nil : Int16(chance.one(in: 1...4))
    let decision = image.create(
      TopicCreation(
        name: "t\(topics)",
        layout: .counted(partitions: Int32(chance.one(in: 1...4)), replicationFactor: factor),
        configs: configs.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
        id: UniqueID(high: topics, low: chance.next())), defaults: TopicDefaults(partitions: 1, replicationFactor: 2))
    take("create", decision.records)
  }

  private mutating func counts() -> String {
    var counts: [String] = []
    for region in chance.some(of: regions) { counts.append("\(region):\(chance.one(in: 1...2))") }
    return counts.joined(separator: ",")
  }

  private mutating func somePartition() -> (topic: TopicState, index: Int, state: PartitionState)? {
    guard let topic = image.topicsByName.randomElement(using: &chance),
      let index = topic.partitions.indices.randomElement(using: &chance)
    else { return nil }
    return (topic, index, topic.partitions[index])
  }

  private mutating func propose() {
    guard let (topic, index, state) = somePartition(), let leader = image.brokers[state.leader] else { return }
    let others = chance.some(of: state.replicas).filter { $0 != state.leader }
    // One that proposes may be an observer itself.
    let members =
      chance.happens(60) && state.voters.contains(state.leader) ? state.voters : [state.leader] + others
    let eligible = members.filter { image.brokers[$0]?.isActive == true }
    let decision = image.alterInSync(
      InSyncProposal(
        topic: topic.id, partition: PartitionIndex(Int32(index)), leaderEpoch: state.leaderEpoch,
        partitionEpoch: state.partitionEpoch,
        members: eligible.map { .init($0, epoch: image.brokers[$0]?.epoch) }), by: leader.id, epoch: leader.epoch)
    if !decision.records.isEmpty { knowledge.caughtUp(eligible, topic.id, index, with: leader.id) }
    take("propose", decision.records)
  }

  private mutating func produce() {
    guard let (topic, index, state) = somePartition(), state.leader != .none else { return }
    let configs = image.configs(of: .topic(topic.name.text))
    let regionsMin = Int(configs["min.insync.regions"] ?? "") ?? 1
    let inSyncMin = Int(configs["min.insync.replicas"] ?? "") ?? 1
    guard state.inSync.count >= inSyncMin, Set(state.inSync.map(region)).count >= regionsMin else { return }
    decided["produce", default: 0] += 1
    knowledge.committed(topic.id, index, state.inSync)
  }

  private mutating func elect() {
    guard let (topic, index, _) = somePartition() else { return }
    let type: ElectionType = chance.happens(70) ? .preferred : .unclean
    take("elect", image.elect(type, topic: topic.name.text, partition: PartitionIndex(Int32(index))).records)
  }

  private mutating func reassign() {
    guard let (topic, index, _) = somePartition() else { return }
    let target = chance.happens(20) ? nil : Array(chance.some(of: ids).prefix(4))
    take(
      "reassign",
      image.reassign(topic: topic.name.text, partition: PartitionIndex(Int32(index)), to: target).records)
  }

  private mutating func alter() {
    guard let (topic, _, _) = somePartition() else { return }
    let change: (String, ConfigChange)
    switch chance.one(in: 0...4) {
    case 4: change = ("placement.observers.per.region", chance.happens(30) ? .delete : .set(counts()))
    case 0: change = ("min.insync.replicas", .set(String(chance.one(in: 1...3))))
    case 1: change = ("unclean.leader.election.enable", .set(chance.happens(30) ? "true" : "false"))
    case 2: change = ("min.insync.regions", .set(String(chance.one(in: 1...2))))
    default:
      change = (
        "placement.allowed.regions",
        chance.happens(30) ? .delete : .set(chance.some(of: regions).joined(separator: ","))
      )
    }
    take(
      "alter",
      image.alter(.topic(topic.name.text), [change], inherited: ConfigResolution(fixed: [:])).records)
  }

  private mutating func addPartitions() {
    guard let topic = image.topicsByName.randomElement(using: &chance) else { return }
    take(
      "add", image.addPartitions(to: topic.name.text, total: Int32(topic.partitions.count + 1), assigned: nil).records)
  }

  private mutating func delete() {
    guard let topic = image.topicsByName.randomElement(using: &chance) else { return }
    take("delete", image.delete(.id(topic.id)).records)
  }

  // MARK: What must be true

  private mutating func take(_ what: String, _ more: [MetadataRecord]) {
    if !more.isEmpty { decided[what, default: 0] += 1 }
    for record in more {
      let before = image
      image.replay(record)
      if case .partitionChanged(let topic, let index, _) = record,
        let old = before.topics[topic]?.partitions[Int(index.value)],
        let new = image.topics[topic]?.partitions[Int(index.value)]
      {
        checkChange(old, new, "\(what): \(record)")
        checkPromotion(old, new, topic, "\(what): \(record)")
        knowledge.removed(old.replicas.filter { !new.replicas.contains($0) }, topic, Int(index.value))
        if new.leader != old.leader { knowledge.elected(topic, Int(index.value), old, new, what) }
      }
    }
    records += more
    for topic in image.topics.values {
      let allowed = image.configs(of: .topic(topic.name.text))["placement.allowed.regions"].map(commaSeparated)
      for partition in topic.partitions { check(partition, allowed: allowed, what) }
    }
  }

  private func checkChange(_ old: PartitionState, _ new: PartitionState, _ what: String) {
    let rise = new.leaderEpoch.value - old.leaderEpoch.value
    #expect(new.leader == old.leader ? (0...1).contains(rise) : rise == 1, "\(what)")
    #expect(new.partitionEpoch == old.partitionEpoch + 1, "\(what)")
  }

  /// An observer comes in only where the others are too few, and leads only where none of them is in sync.
  private func checkPromotion(_ old: PartitionState, _ new: PartitionState, _ topic: UniqueID, _ what: String) {
    guard let name = image.topics[topic]?.name.text else { return }
    let configs = image.configs(of: .topic(name))
    let voters = new.inSync.filter { !new.observers.contains($0) }
    if what.hasPrefix("propose"), new.inSync.contains(where: { new.observers.contains($0) && !old.inSync.contains($0) })
    {
      let regions = Set(voters.map(region)).count
      #expect(
        voters.count < Int(configs["min.insync.replicas"] ?? "") ?? 1
          || regions < Int(configs["min.insync.regions"] ?? "") ?? 1, "\(what)")
    }
    if new.observers.contains(new.leader), new.leader != old.leader || new.leaderEpoch != old.leaderEpoch {
      #expect(voters.allSatisfy { image.brokers[$0]?.isActive != true }, "\(what)")
    }
  }

  private func check(_ state: PartitionState, allowed: [String]?, _ what: String) {
    let replicas = Set(state.replicas)
    let inSync = Set(state.inSync)
    #expect(!replicas.isEmpty && replicas.count == state.replicas.count, "\(what) \(state)")
    #expect(state.directories.count == state.replicas.count, "\(what) \(state)")
    #expect(!inSync.isEmpty && inSync.count == state.inSync.count && inSync.isSubset(of: replicas), "\(what) \(state)")
    #expect(replicas.isSuperset(of: state.observers), "\(what) \(state)")
    #expect(state.leader == .none || inSync.contains(state.leader), "\(what) \(state)")
    #expect(state.leader == .none || image.brokers[state.leader]?.isActive == true, "\(what) \(state)")
    #expect(inSync.isDisjoint(with: state.eligible) && replicas.isSuperset(of: state.eligible), "\(what) \(state)")
    #expect(replicas.isSuperset(of: state.adding + state.removing), "\(what) \(state)")
    #expect(Set(state.adding).isDisjoint(with: state.removing), "\(what) \(state)")
    if state.inSync.count > 1 {
      #expect(state.inSync.allSatisfy { image.brokers[$0]?.isFenced == false }, "\(what) \(state)")
    }
    if let allowed { #expect(state.replicas.allSatisfy { allowed.contains(region($0)) }, "\(what) \(state)") }
  }
}

/// Which replicas have what was acknowledged: no clean election may lose a record.
private struct Knowledge {
  private struct Place: Hashable {
    let topic: UniqueID
    let index: Int
  }
  /// Replicas that have every acknowledged record; nil once records are lost, knowingly.
  private var complete: [Place: Set<NodeID>] = [:]

  mutating func committed(_ topic: UniqueID, _ index: Int, _ inSync: [NodeID]) {
    complete[Place(topic: topic, index: index)] = Set(inSync)
  }

  mutating func caughtUp(_ replicas: [NodeID], _ topic: UniqueID, _ index: Int, with leader: NodeID) {
    let place = Place(topic: topic, index: index)
    if complete[place]?.contains(leader) == true { complete[place]?.formUnion(replicas) }
  }

  /// If they come back, they begin with nothing.
  mutating func removed(_ replicas: [NodeID], _ topic: UniqueID, _ index: Int) {
    complete[Place(topic: topic, index: index)]?.subtract(replicas)
  }

  /// Its log may have lost its end. When it alone was in sync and nobody is eligible, it is the best there is, and
  /// what it lost is lost.
  mutating func crashed(_ id: NodeID, _ image: MetadataImage) {
    for place in complete.keys {
      complete[place]?.remove(id)
      guard let topic = image.topics[place.topic] else { continue }
      let state = topic.partitions[place.index]
      if state.inSync == [id], state.eligible.allSatisfy({ $0 == id }) { complete[place] = nil }
    }
  }

  mutating func elected(_ topic: UniqueID, _ index: Int, _ old: PartitionState, _ new: PartitionState, _ what: String) {
    let place = Place(topic: topic, index: index)
    guard new.leader != .none, let complete = complete[place] else { return }
    let wasKnown = old.inSync.contains(new.leader) || old.eligible.contains(new.leader)
    if wasKnown {
      #expect(complete.contains(new.leader), "\(what): the new leader lacks acknowledged records, \(old) \(new)")
    } else if old.isBeingReassigned && new.inSync.count > 1 || what == "propose" {
      #expect(complete.contains(new.leader), "\(what): a reassignment lost records, \(old) \(new)")
    } else {
      #expect(new.recovery == .recovering, "\(what): not in sync, not eligible, and not said to be unclean")
      self.complete[place] = nil
    }
  }
}
