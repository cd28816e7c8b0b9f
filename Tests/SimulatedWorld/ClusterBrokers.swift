import ClusterMetadata
import Consensus
import LogStorage
import Replication
import Vocabulary

// The life of a broker: it registers, says that it is there, follows the metadata, and ends in order or not.

extension ClusterSimulation {
  func startBroker(_ j: Int) {
    brokers[j].process = UniqueID(high: 3, low: nextProcess)
    nextProcess += 1
    brokers[j].life = nil
    brokers[j].stops = false
    brokers[j].askedAt = .min
    for key in brokers[j].copies.keys {
      brokers[j].copies[key]?.replica = nil
      brokers[j].copies[key]?.pending = [:]
    }
    if !store(on: j, mayBeInterrupted: false, { files throws(StorageError) in try files.start() }) { return }
    let n = place(ofBroker: j)
    queue.add(.brokerTick(j, incarnation: nodes[n].incarnation), at: now + Int64(draw(20_000)))
  }

  func tickBroker(_ j: Int) {
    let n = place(ofBroker: j)
    let incarnation = nodes[n].incarnation
    guard nodes[n].quorum != nil else { return }
    queue.add(.brokerTick(j, incarnation: incarnation), at: now + Spans.brokerTick)
    if let life = brokers[j].life {
      let knowsItself = nodes[n].image.brokers[brokers[j].id]?.epoch == life.value
      ask(
        .heartbeat(
          epoch: life.value, brokers[j].stops ? .stop : .serve, read: nodes[n].replayed, knowsItself: knowsItself),
        by: j)
    } else if brokers[j].askedAt + Spans.retry <= now {
      brokers[j].askedAt = now
      let registration = BrokerRegistration(
        id: brokers[j].id, epoch: 0, incarnation: brokers[j].process, endpoints: [], rack: nodes[n].region,
        isFenced: true, logDirectories: [UniqueID(high: 5, low: UInt64(j + 1))])
      ask(.register(registration, brokers[j].mayHaveLostTail ? .crash : .clean), by: j)
    }
    for key in brokers[j].copies.keys.sorted() {
      handle(.tick, key, on: j)
      guard nodes[n].incarnation == incarnation, nodes[n].quorum != nil else { return }
      tend(key, on: j)
    }
  }

  /// Flushes, checkpoints and reads, now and then.
  private func tend(_ key: PartitionKey, on j: Int) {
    guard let copy = brokers[j].copies[key], let replica = copy.replica else { return }
    if chance(perMille: 80) {
      var end: Offset?
      guard store(on: j, { files throws(StorageError) in end = try files.logs[key]?.flush() }) else { return }
      brokers[j].copies[key]?.log.synced = end.map { Int($0.value) } ?? copy.log.end
    }
    if chance(perMille: hasFiles ? 60 : 200) {
      let marks = highWatermarks(of: j)
      guard store(on: j, { files throws(StorageError) in try files.saveCheckpoints(marks) }) else { return }
      brokers[j].copies[key]?.log.checkpoint = Int(replica.log.highWatermark.value)
    }
    if chance(perMille: 15), case .leader = replica.role { return removeOldRecords(key, copy.log, replica, on: j) }
    guard chance(perMille: 150) else { return }
    let id = brokers[j].id
    let offset = copy.log.base + draw(copy.log.end - copy.log.base + 1)
    guard let log = readBack(key, on: j) else { return }
    promises.judge(key) { judge in judge.agree(log, id, upTo: Int(replica.log.highWatermark.value)) }
    guard case .readable(let answer) = replica.read(from: Offset(Int64(offset))),
      let shown = readable(key, from: offset, upTo: Int(answer.end.value), on: j)
    else { return }
    promises.judge(key) { judge in
      judge.checkRead(answer, from: offset, on: shown, id)
      // A copy may be behind its leader, and shows that it is.
      if case .leader = replica.role, let mark = answer.highWatermark {
        judge.show(Int(mark.value), by: replica.leaderEpoch)
      }
    }
  }

  private func removeOldRecords(_ key: PartitionKey, _ log: ReplicatedLog, _ replica: Replica, on j: Int) {
    let drawn = log.base + draw(Int(replica.log.highWatermark.value) - log.base + 1)
    // What a producer may send again stays: with the records goes the memory of their producers.
    let start = clients.indices.reduce(drawn) { start, client in
      min(start, log.offset(ofClient: client, sequence: clients[client].sequence) ?? start)
    }
    guard delete(key, before: Offset(Int64(start)), on: j) else { return }
    handle(.logStartMoved(Offset(Int64(start))), key, on: j)
  }

  /// Asks whoever leads the metadata, or somebody who might know.
  func ask(_ ask: ClusterAsk, by j: Int) {
    let n = place(ofBroker: j)
    let known = nodes[n].quorum?.leader.flatMap(place(of:)) ?? draw(Self.controllerCount)
    let controller = happens(oneIn: 10) ? draw(Self.controllerCount) : known
    guard controller < Self.controllerCount else { return }
    for time in arrivals(from: n, to: controller) {
      queue.add(.ask(controller: controller, ask, by: j, incarnation: nodes[n].incarnation), at: time)
    }
  }

  func hear(_ told: ClusterTold, on j: Int) {
    let n = place(ofBroker: j)
    guard nodes[n].quorum != nil else { return }
    switch told {
    case .registered(.success(let epoch)):
      guard brokers[j].life == nil else { return }
      note("\(brokers[j].id.value) is registered with epoch \(epoch)")
      brokers[j].life = BrokerEpoch(epoch)
      brokers[j].mayHaveLostTail = false
      publish(on: j)
    case .registered(.failure), .heartbeat(.failure): return
    case .heartbeat(.success(let answer)): if answer.mayStop, brokers[j].stops { stop(j) }
    case .altered(let key, let id, let answer, let life):
      if life == brokers[j].life { handle(.proposalAnswered(id, answer), key, on: j) }
    }
  }

  /// The controlled shutdown is complete: the logs are closed in order.
  private func stop(_ j: Int) {
    let n = place(ofBroker: j)
    note("\(brokers[j].id.value) stops")
    seen.shutdowns += 1
    if let leads = promises.canonical.image.topicsByName.first(where: { topic in
      topic.partitions.contains { $0.leader == brokers[j].id }
    }) {
      promises.fail("\(brokers[j].id.value) may stop, and leads a partition of \(leads.name)")
    }
    let marks = highWatermarks(of: j)
    let kept = Set(brokers[j].copies.keys)
    guard store(on: j, { files throws(StorageError) in try files.close(kept, marks) }) else { return }
    for key in brokers[j].copies.keys {
      guard let copy = brokers[j].copies[key], let replica = copy.replica else { continue }
      brokers[j].copies[key]?.log.checkpoint = Int(replica.log.highWatermark.value)
      brokers[j].copies[key]?.log.synced = copy.log.end
    }
    nodes[n].disk.sync(upTo: .max)
    end(n)
    queue.add(.start(n), at: now + span(50...1000))
  }

  func end(_ n: Int) {
    nodes[n].quorum = nil
    nodes[n].lead = nil
    guard let j = broker(at: n) else { return }
    brokers[j].files?.abandon()
    for key in brokers[j].copies.keys {
      brokers[j].copies[key]?.replica = nil
      brokers[j].copies[key]?.pending = [:]
    }
  }

  // MARK: Metadata

  func newSettings(_ minimum: Minimum) -> ReplicationSettings {
    var settings = ReplicationSettings(minimum: minimum)
    settings.lagMax = .milliseconds(500)
    settings.fetchTimeout = .milliseconds(300)
    settings.fetchPause = .milliseconds(60)
    settings.proposalTimeout = .milliseconds(200)
    if case .replication(let bug) = options.planted { settings.planted = bug }
    return settings
  }

  /// Tells the replicas of a broker what the metadata says by now. The first metadata that a life acts on includes its
  /// own registration.
  func publish(on j: Int) {
    let n = place(ofBroker: j)
    let image = nodes[n].image
    let id = brokers[j].id
    guard let life = brokers[j].life, nodes[n].quorum != nil else { return }
    if let epoch = image.brokers[id]?.epoch, epoch > life.value {
      // A request of an earlier process has come late and taken the id away. Only another process gets it back.
      note("\(id.value) ends: its id is registered with epoch \(epoch)")
      return _ = crash([n], powerLoss: false)
    }
    guard image.brokers[id]?.epoch == life.value || options.planted == .wiring(.actsOnAnEarlierLife) else { return }
    let incarnation = nodes[n].incarnation
    let statuses = ClusterPromises.statuses(image)
    var present: Set<PartitionKey> = []
    for topic in image.topicsByName {
      for (index, state) in topic.partitions.enumerated() where state.replicas.contains(id) {
        let key = PartitionKey(topic: topic.id, index: index)
        present.insert(key)
        let minimum = ClusterPromises.minimum(of: topic, image)
        if brokers[j].copies[key]?.replica == nil { begin(key, newSettings(minimum), life, on: j) }
        handle(.brokersChanged(statuses), key, on: j)
        guard nodes[n].incarnation == incarnation, nodes[n].quorum != nil else { return }
        if brokers[j].copies[key]?.replica?.settings.minimum != minimum {
          // Before the partition's own state: what it says was decided by this minimum.
          handle(.settingsChanged(newSettings(minimum)), key, on: j)
        }
        handle(.assigned(ClusterPromises.translated(state, image)), key, on: j)
        guard nodes[n].incarnation == incarnation, nodes[n].quorum != nil else { return }
      }
    }
    for key in brokers[j].copies.keys.sorted() where !present.contains(key) {
      note("\(id.value) removes its copy of \(key.text)")
      guard store(on: j, mayBeInterrupted: false, { files throws(StorageError) in try files.remove(key) }) else {
        return
      }
      brokers[j].copies[key] = nil
    }
  }

  private func begin(_ key: PartitionKey, _ settings: ReplicationSettings, _ life: BrokerEpoch, on j: Int) {
    if hasFiles {
      guard let recovered = recover(key, on: j) else { return }
      let id = brokers[j].id
      brokers[j].copies[key]?.replica = Replica(
        id: id, brokerEpoch: life, recovered: recovered, settings: settings)
      return
    }
    var copy = brokers[j].copies[key] ?? ClusterCopy()
    let recovered = copy.log.recovered()
    // A checkpoint above the recovered end would vouch for whatever comes there next.
    copy.log.checkpoint = Int(recovered.highWatermark.value)
    copy.replica = Replica(id: brokers[j].id, brokerEpoch: life, recovered: recovered, settings: settings)
    brokers[j].copies[key] = copy
  }
}
