import ClusterMetadata
import Consensus
import Replication
import Vocabulary

// The controller that leads decides on the metadata with everything that it has decided before, committed or not; it
// answers when what it decided is committed. Another controller only replays.

extension ClusterSimulation {
  func startController(_ i: Int) {
    nodes[i].lead = nil
    queue.add(.controllerTick(i, incarnation: nodes[i].incarnation), at: now + Int64(draw(60_000)))
  }

  func beginLead(_ epoch: LeaderEpoch, _ start: Offset, on i: Int) {
    nodes[i].lead = ControllerLead(epoch: epoch, start: start)
    if options.planted == .wiring(.decidesBeforeItKnows) {
      let image = nodes[i].image
      nodes[i].lead?.image = image
      let sessions = BrokerSessions(
        image, upTo: nodes[i].disk.end, timeout: .milliseconds(600), at: instant(i))
      nodes[i].lead?.sessions = sessions
    }
  }

  /// The high watermark has passed the start of the epoch: whatever was committed before is in the log.
  private func completeLead(on i: Int) {
    var image = nodes[i].image
    for stored in nodes[i].disk.log where stored.batch.base >= nodes[i].replayed {
      for record in records(of: stored.batch) { image.replay(record) }
    }
    nodes[i].lead?.image = image
    let sessions = BrokerSessions(
      image, upTo: nodes[i].disk.end, timeout: .milliseconds(600), at: instant(i))
    nodes[i].lead?.sessions = sessions
    seen.controllers += 1
    note("\(nodes[i].id.value) decides from here on")
  }

  /// What was waiting for the log to be committed up to here.
  func answerCommitted(on i: Int) {
    guard let lead = nodes[i].lead else { return }
    if lead.image == nil, nodes[i].committed > lead.start { completeLead(on: i) }
    let committed = nodes[i].committed
    let ready = lead.waiting.filter { $0.end <= committed }
    guard !ready.isEmpty else { return }
    nodes[i].lead?.waiting.removeAll { $0.end <= committed }
    for answer in ready { tell(answer.told, to: answer.broker, answer.incarnation, from: i) }
  }

  private func tell(_ told: ClusterTold, to j: Int, _ incarnation: Int, from i: Int) {
    for time in arrivals(from: i, to: place(ofBroker: j)) {
      queue.add(.told(broker: j, incarnation: incarnation, told), at: time)
    }
  }

  /// The image that the controller decides with; nil on every other node.
  func deciding(_ i: Int) -> MetadataImage? {
    guard let lead = nodes[i].lead, nodes[i].quorum?.isLeader == true else { return nil }
    return lead.image
  }

  /// Records go to the quorum, the answer waits until they are committed. One without records waits for whatever it was
  /// decided on.
  func act(_ records: [MetadataRecord], _ told: ClusterTold? = nil, to j: Int = 0, _ incarnation: Int = 0, on i: Int) {
    guard let quorum = nodes[i].quorum, let lead = nodes[i].lead else { return }
    let end = quorum.log.end + Int64(records.count)
    for record in records { nodes[i].lead?.image?.replay(record) }
    if let told {
      if options.planted == .wiring(.answersBeforeCommit) || end <= nodes[i].committed {
        tell(told, to: j, incarnation, from: i)
      } else {
        nodes[i].lead?.waiting.append((end, told, j, incarnation))
      }
    }
    guard !records.isEmpty else { return }
    let name = nextName
    nextName += 1
    payloads[name] = records
    handle(.propose(epoch: lead.epoch, [Proposal(name: name, count: Int32(records.count))]), on: i)
  }

  func decide(_ ask: ClusterAsk, by j: Int, _ incarnation: Int, on i: Int) {
    guard let image = deciding(i), !endsNow(i) else { return }
    let id = brokers[j].id
    let time = instant(i)
    switch ask {
    case .register(let registration, let end):
      let session = nodes[i].lead?.sessions.session(of: id, at: time) ?? .ended
      let decision = image.admit(registration, after: end, session: session)
      if case .success(let epoch) = decision.answer {
        if image.brokers[id]?.epoch == epoch {
          nodes[i].lead?.sessions.touch(id, metadata: .none, at: time)
        } else {
          nodes[i].lead?.sessions.restart(id, at: time)
        }
      }
      act(decision.records, .registered(decision.answer), to: j, incarnation, on: i)
    case .heartbeat(let epoch, let wish, let read, let knowsItself):
      beat(image, epoch, wish, read: read, knowsItself: knowsItself, by: j, incarnation, on: i)
    case .alter(let key, let proposal, let life):
      let decision = image.alterInSync(
        InSyncProposal(
          topic: key.topic, partition: PartitionIndex(Int32(key.index)), leaderEpoch: proposal.leaderEpoch,
          partitionEpoch: proposal.partitionEpoch.value,
          members: proposal.inSync.nodes.map { .init($0, epoch: proposal.joining[$0]?.value) }),
        by: id, epoch: life.value)
      let answer: ProposalAnswer
      switch decision.answer {
      case .success(let state):
        answer = .confirmed(
          leaderEpoch: state.leaderEpoch, partitionEpoch: PartitionEpoch(state.partitionEpoch),
          inSync: NodeSet(state.inSync))
      case .failure(let refusal): answer = .refused(refusal.code)
      }
      note("\(nodes[i].id.value) on \(key.text) of \(id.value): \(answer)")
      act(decision.records, .altered(key, proposal.id, answer, life: life), to: j, incarnation, on: i)
    }
  }

  private func beat(
    _ image: MetadataImage, _ epoch: Int64, _ wish: BrokerHeartbeat.Wish, read: Offset, knowsItself: Bool, by j: Int,
    _ incarnation: Int, on i: Int
  ) {
    let id = brokers[j].id
    let time = instant(i)
    let knows = nodes[i].lead?.sessions.everyoneElseKnows(shutdownOf: id, at: time) ?? false
    let decision = image.heartbeat(
      BrokerHeartbeat(
        broker: id, epoch: epoch, wish: wish, hasReadItsRegistration: knowsItself, othersKnowItStops: knows))
    if case .success = decision.answer {
      nodes[i].lead?.sessions.touch(id, metadata: read, at: time)
      if wish == .stop, !decision.records.isEmpty, let end = nodes[i].quorum?.log.end {
        nodes[i].lead?.sessions.shutdownBegan(id, at: end + Int64(decision.records.count))
      }
    }
    act(decision.records, .heartbeat(decision.answer), to: j, incarnation, on: i)
  }

  /// What a controller does of its own accord.
  func tickController(_ i: Int) {
    queue.add(.controllerTick(i, incarnation: nodes[i].incarnation), at: now + Spans.controllerTick)
    guard let lead = nodes[i].lead, lead.image != nil else { return }
    for id in lead.sessions.expired(at: instant(i)) {
      guard let image = deciding(i) else { return }
      nodes[i].lead?.sessions.forget(id)
      act(image.fence(id), on: i)
    }
    if let image = deciding(i), happens(oneIn: 8) { act(image.balanceLeaders(atMost: 2), on: i) }
    if let image = deciding(i), happens(oneIn: 8) { act(image.electMissingLeaders(), on: i) }
  }

  // MARK: An administrator

  private static let topicNames = ["a", "b", "c"]

  /// Creates, deletes, reassigns and elects, through whoever leads.
  func administer() {
    queue.add(.administer, at: now + span(60...500))
    let leading = (0..<Self.controllerCount).filter { deciding($0) != nil }
    guard isTroubled, !leading.isEmpty else { return }
    let i = leading[draw(leading.count)]
    guard let image = deciding(i), image.liveBrokers.count > 2 else { return }
    let missing = Self.topicNames.first { name in !image.topicsByName.contains { $0.name.text == name } }
    if let missing, happens(oneIn: 2) { return create(missing, image, on: i) }
    if happens(oneIn: oddsOfVoterChange) { return changeVoters(through: i) }
    let topics = image.topicsByName
    guard !topics.isEmpty else { return }
    let topic = topics[draw(topics.count)]
    let index = draw(topic.partitions.count)
    let partition = PartitionIndex(Int32(index))
    if happens(oneIn: oddsOfMinimumChange) { return changeMinimum(of: topic, image, on: i) }
    switch draw(20) {
    case 0: act(image.delete(.id(topic.id)).records, on: i)
    case 1...6:
      let target = happens(oneIn: 5) ? nil : reassignment(of: topic.partitions[index])
      act(image.reassign(topic: topic.name.text, partition: partition, to: target).records, on: i)
    case 7...10: act(image.elect(.preferred, topic: topic.name.text, partition: partition).records, on: i)
    default: break
    }
  }

  /// A controller stops voting, or votes again.
  private func changeVoters(through i: Int) {
    guard let voters = nodes[i].quorum?.log.voters else { return }
    let controllers = (0..<Self.controllerCount).map { nodes[$0].key }
    let request: Consensus.Request
    if let missing = controllers.first(where: { !voters.contains($0) }) {
      request = .addVoter(Voter(missing))
    } else {
      request = .removeVoter(controllers[draw(controllers.count)])
    }
    seen.voterChanges += 1
    deliver(request, ClusterAsker(node: nil, incarnation: 0, id: RequestID(0), vote: nil), to: i)
  }

  /// Not while somebody has lost records that the controller does not know of: with another minimum nobody stays
  /// eligible, and a loss that could be borne until then could not be borne any more.
  private func changeMinimum(of topic: TopicState, _ image: MetadataImage, on i: Int) {
    guard !brokers.contains(where: { $0.mayHaveLostTail }) else { return }
    let change: (key: String, change: ConfigChange) =
      happens(oneIn: 3)
      ? ("min.insync.regions", .set(happens(oneIn: 2) ? "2" : "1"))
      : ("min.insync.replicas", .set(happens(oneIn: 2) ? "2" : "1"))
    let decision = image.alter(.topic(topic.name.text), [change], inherited: ConfigResolution(fixed: [:]))
    if !decision.records.isEmpty { seen.minimumChanges += 1 }
    act(decision.records, on: i)
  }

  private func reassignment(of state: ClusterMetadata.PartitionState) -> [NodeID] {
    var ids = brokers.map(\.id)
    ids.shuffle(using: &random)
    return Array(ids.prefix(max(2, min(ids.count, state.replicas.count))))
  }

  private func create(_ name: String, _ image: MetadataImage, on i: Int) {
    var configs: [(key: String, value: String?)] = [("min.insync.replicas", "2")]
    if regions.count > 1, happens(oneIn: 2) { configs.append(("min.insync.regions", "2")) }
    if regions.count > 1, happens(oneIn: 2) {
      configs.append(("placement.observers.per.region", "\(regions[draw(regions.count)]):1"))
    }
    let decision = image.create(
      TopicCreation(
        name: name, layout: .counted(partitions: Int32(1 + draw(2)), replicationFactor: Int16(2 + draw(2))),
        configs: configs, id: UniqueID(high: 1, low: random.next() % 1_000_000_000)),
      defaults: TopicDefaults(partitions: 1, replicationFactor: 2))
    act(decision.records, on: i)
  }
}
