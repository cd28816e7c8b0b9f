import ClusterMetadata
import Consensus
import Replication
import Vocabulary

/// What must hold after every step, whatever goes wrong. It sees everything at once, as nobody in the cluster can.
struct ClusterPromises {
  /// Everything that is committed, replayed by nobody else.
  struct Canonical {
    var image = MetadataImage()
    var offset = Offset.zero
  }
  /// What is known of one partition.
  struct Judged {
    var records = ReplicatedPromises()
    let key: PartitionKey
    /// Who was in sync and who had copies, at each partition epoch.
    var history: [PartitionEpoch: Replication.PartitionState] = [:]
    var leaders: [LeaderEpoch: NodeID] = [:]
    /// Who has written records of an epoch, and in which life.
    var writers: [LeaderEpoch: BrokerEpoch] = [:]
    var acknowledged: [[(sequence: Int, offset: Int)]]
  }

  private(set) var broken: String?
  var quorum = QuorumPromises()
  private(set) var canonical = Canonical()
  private var judged: [Judged] = []
  /// The places in `judged` of the partitions that are there.
  private var places: [PartitionKey: Int] = [:]
  private var touched: Set<Int> = []
  private var registrations: [Int64: UniqueID] = [:]
  /// The registrations that their own brokers have read.
  private var known: Set<Int64> = []
  /// - Parameter image: an empty one, as everybody begins with.
  init(beginningWith image: MetadataImage) { canonical.image = image }

  private(set) var promotions = 0
  private(set) var observersLeading = 0

  /// The first promise that was broken is the one that counts.
  mutating func fail(_ reason: String) { if broken == nil { broken = reason } }
  mutating func touch(_ key: PartitionKey) { if let at = places[key] { touched.insert(at) } }
  func isGone(_ key: PartitionKey) -> Bool { places[key] == nil && !judged.isEmpty }

  /// Lends what is known of the records of a partition; nothing is asked about one that was deleted.
  mutating func judge(_ key: PartitionKey, _ body: (inout ReplicatedPromises) -> Void) {
    guard let at = places[key] else { return }
    body(&judged[at].records)
    if let reason = judged[at].records.violation { fail("\(key.text): \(reason)") }
  }

  // MARK: Metadata

  /// A batch of the metadata log is committed, seen for the first time or again.
  mutating func commit(_ records: [MetadataRecord], _ batch: LogBatch) {
    guard batch.base >= canonical.offset else { return }
    canonical.offset = batch.end
    let before = canonical.image
    for record in records { commit(record) }
    guard !records.isEmpty else { return }
    checkBrokers(before)
    for at in judged.indices { check(judged[at].key, before) }
  }

  private mutating func commit(_ record: MetadataRecord) {
    let before = canonical.image
    canonical.image.replay(record)
    switch record {
    case .brokerRegistered(let registration):
      let process = registrations.updateValue(registration.incarnation, forKey: registration.epoch)
      if let process, process != registration.incarnation {
        fail("two processes are registered with the epoch \(registration.epoch)")
      }
    case .partitionCreated(let topic, let index, _):
      let key = PartitionKey(topic: topic, index: Int(index.value))
      if canonical.image.topics[topic] == nil { return fail("a partition comes before its topic") }
      places[key] = judged.count
      judged.append(
        Judged(
          key: key,
          acknowledged: Array(repeating: [], count: ClusterSimulation.clientCount)))
      remember(key)
    case .partitionChanged(let topic, let index, _):
      let key = PartitionKey(topic: topic, index: Int(index.value))
      guard let old = Self.state(key, before), let new = Self.state(key, canonical.image) else {
        return fail("what is changed about \(key.text) is decided on metadata that never was")
      }
      checkChange(key, old, new)
      remember(key)
    case .topicRemoved(let id):
      if before.topics[id] == nil { fail("a topic that is not there is removed") }
      for key in places.keys where key.topic == id { places[key] = nil }
    default: return
    }
  }

  private mutating func remember(_ key: PartitionKey) {
    guard let at = places[key], let state = Self.state(key, canonical.image) else { return }
    let epoch = PartitionEpoch(state.partitionEpoch)
    if judged[at].history.updateValue(Self.translated(state, canonical.image), forKey: epoch) != nil {
      fail("the partition epoch \(epoch.value) of \(key.text) is used twice")
    }
    touched.insert(at)
    guard state.leader != .none else { return }
    let leader = judged[at].leaders.updateValue(state.leader, forKey: state.leaderEpoch)
    if let leader, leader != state.leader {
      fail("\(leader.value) and \(state.leader.value) both lead \(key.text) in epoch \(state.leaderEpoch.value)")
    }
  }

  private mutating func checkChange(
    _ key: PartitionKey, _ old: ClusterMetadata.PartitionState, _ new: ClusterMetadata.PartitionState
  ) {
    let rise = new.leaderEpoch.value - old.leaderEpoch.value
    if new.leader == old.leader ? !(0...1).contains(rise) : rise != 1 {
      fail("the leader epoch of \(key.text) rises by \(rise)")
    }
    let image = canonical.image
    guard let topic = image.topics[key.topic] else { return }
    let joined = new.inSync.filter {
      new.observers.contains($0) && !old.inSync.contains($0) && old.observers.contains($0)
    }
    let isLeader = joined == [new.leader]
    if !joined.isEmpty, !isLeader {
      promotions += 1
      let voters = NodeSet(new.inSync.filter { !new.observers.contains($0) })
      if Self.minimum(of: topic, image).isMet(by: voters, of: Self.members(new, image)) {
        fail("observers are taken into the in-sync set of \(key.text), which is large enough without them")
      }
    }
    if new.observers.contains(new.leader), new.leader != old.leader {
      observersLeading += 1
      let others = new.inSync.filter { !new.observers.contains($0) && image.brokers[$0]?.isActive == true }
      if !others.isEmpty { fail("an observer is elected for \(key.text) although \(others) are in sync") }
    }
  }

  private mutating func checkBrokers(_ before: MetadataImage) {
    for (id, broker) in canonical.image.brokers where !broker.isFenced && before.brokers[id]?.isFenced != false {
      if !known.contains(broker.epoch) { fail("broker \(id.value) serves and has not read its own registration") }
    }
  }

  private mutating func check(_ key: PartitionKey, _ before: MetadataImage) {
    let image = canonical.image
    guard let state = Self.state(key, image) else { return }
    if state.inSync.isEmpty || Set(state.inSync).count != state.inSync.count
      || !Set(state.inSync).isSubset(of: state.replicas)
    {
      fail("the in-sync set of \(key.text) is \(state.inSync.map(\.value))")
    }
    if state.leader != .none, !state.inSync.contains(state.leader) || image.brokers[state.leader]?.isActive != true {
      fail("\(key.text) is led by \(state.leader.value), which is not in sync or not there")
    }
    if state.inSync.count > 1, let gone = state.inSync.first(where: { image.brokers[$0]?.isFenced != false }) {
      fail("\(gone.value) is fenced and in sync on \(key.text)")
    }
  }

  /// A broker has replayed so much: it knows itself, or does not.
  mutating func read(_ image: MetadataImage, by id: NodeID) {
    if let epoch = image.brokers[id]?.epoch { known.insert(epoch) }
  }

  /// Whoever has replayed the same has the same.
  mutating func compare(_ image: MetadataImage, at offset: Offset, of id: NodeID) {
    guard offset == canonical.offset, image != canonical.image else { return }
    fail("the metadata of \(id.value) at \(offset.value) is not what it is elsewhere")
  }

  // MARK: Records

  mutating func writes(_ id: NodeID, _ life: BrokerEpoch, _ key: PartitionKey, in epoch: LeaderEpoch) {
    guard let at = places[key] else { return }
    let other = judged[at].writers.updateValue(life, forKey: epoch)
    if let other, other != life { fail("two lives of brokers write to \(key.text) in epoch \(epoch.value)") }
    if judged[at].leaders[epoch] != id { fail("\(id.value) writes to \(key.text) in epoch \(epoch.value) of another") }
  }

  mutating func acknowledge(
    _ key: PartitionKey, client: Int, sequence: Int, at offset: Int, in epoch: PartitionEpoch, _ minimum: Minimum
  ) {
    guard let at = places[key] else { return }
    guard let state = judged[at].history[epoch] else {
      return fail("the leader of \(key.text) counts by the partition epoch \(epoch.value), which was never committed")
    }
    judge(key) {
      $0.acknowledge(
        client: client, sequence: sequence, at: offset, inSync: state.inSync, minimum, state.members)
    }
  }

  /// A client has got its answer.
  mutating func note(_ key: PartitionKey, client: Int, sequence: Int, at offset: Int) {
    if let at = places[key] { judged[at].acknowledged[client].append((sequence, offset)) }
  }

  /// Everybody who may be elected has everything that was committed.
  mutating func checkComplete(_ brokers: [ClusterBroker]) {
    if let reason = quorum.broken { fail(reason) }
    guard !touched.isEmpty else { return }
    for at in touched {
      let key = judged[at].key
      guard places[key] != nil, let state = Self.state(key, canonical.image) else { continue }
      for id in state.inSync + state.eligible where !brokers[Int(id.value)].mayHaveLostTail {
        judged[at].records.checkComplete(brokers[Int(id.value)].copies[key]?.log ?? ReplicatedLog(), id)
      }
      if let reason = judged[at].records.violation { fail("\(key.text): \(reason)") }
    }
    touched = []
  }

  /// Nothing that was acknowledged is missing, and nothing is there twice.
  mutating func checkAcknowledged() {
    for at in places.values.sorted() {
      judged[at].records.checkAcknowledged(judged[at].acknowledged)
      if let reason = judged[at].records.violation { fail("\(judged[at].key.text): \(reason)") }
    }
  }

  // MARK: Words of one module in those of another

  static func state(_ key: PartitionKey, _ image: MetadataImage) -> ClusterMetadata.PartitionState? {
    guard let topic = image.topics[key.topic], topic.partitions.indices.contains(key.index) else { return nil }
    return topic.partitions[key.index]
  }

  static func minimum(of topic: TopicState, _ image: MetadataImage) -> Minimum {
    let configs = image.configs(of: .topic(topic.name.text))
    return Minimum(
      replicas: Int(configs["min.insync.replicas"] ?? "") ?? 1, regions: Int(configs["min.insync.regions"] ?? "") ?? 1)
  }

  static func members(_ state: ClusterMetadata.PartitionState, _ image: MetadataImage) -> [Member] {
    state.replicas.map { id in
      Member(
        id, in: Region(image.brokers[id]?.location.region ?? ""),
        state.observers.contains(id) ? .observer : .sync)
    }
  }

  static func translated(
    _ state: ClusterMetadata.PartitionState, _ image: MetadataImage
  ) -> Replication.PartitionState {
    let life = image.brokers[state.leader].map { BrokerEpoch($0.epoch) }
    return Replication.PartitionState(
      leader: life.map { .elected(state.leader, $0) } ?? .none, leaderEpoch: state.leaderEpoch,
      partitionEpoch: PartitionEpoch(state.partitionEpoch), inSync: NodeSet(state.inSync),
      members: members(state, image))
  }

  static func statuses(_ image: MetadataImage) -> [BrokerStatus] {
    image.brokers.values.sorted { $0.id < $1.id }.map { broker in
      let availability: BrokerStatus.Availability =
        broker.isFenced ? .fenced : broker.isShuttingDown ? .stopping : .active
      return BrokerStatus(broker.id, epoch: BrokerEpoch(broker.epoch), availability)
    }
  }
}
