// One partition on three to five simulated brokers in one to three Regions. The replicas' decisions are the real ones;
// the clock, the network, the disks, the controller and the clients are simulated, and a seed draws what goes wrong.

package import Replication
import Vocabulary

public final class ReplicatedSimulation {
  enum Spans {
    static let millisecond: Int64 = 1_000_000
    static let tick = 40 * millisecond
    static let session = 600 * millisecond
    static let patience = 500 * millisecond
    /// Until then things go wrong.
    static let trouble = 8_000 * millisecond
    /// By then everything must work again.
    static let end = 20_000 * millisecond
  }
  enum Phase {
    case trouble
    /// Everything is mended; every client is to get this many more acknowledgements.
    case healed(goals: [Int])
  }

  public let seed: UInt64
  public let shape: ReplicatedShape
  var random: SeededRandom
  var now: Int64 = 0
  var agenda = ReplicatedAgenda()
  var controller: ReplicatedController
  var brokers: [ReplicatedBroker]
  var clients: [ReplicatedClient]
  var promises = ReplicatedPromises()
  var phase = Phase.trouble
  var cuts: [ReplicatedLink: Int] = [:]
  var lossPerMille = 10
  var crashes = 0
  private var steps = 0
  private var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  let settings: ReplicationSettings

  public convenience init(seed: UInt64) { self.init(seed: seed, planted: nil) }

  package init(seed: UInt64, planted: PlantedBug?) {
    self.seed = seed
    random = SeededRandom(seed: seed)
    shape = ReplicatedShape(&random)
    var settings = ReplicationSettings(minimum: shape.minimum)
    settings.lagMax = .milliseconds(500)
    settings.fetchTimeout = .milliseconds(300)
    settings.fetchPause = .milliseconds(60)
    settings.proposalTimeout = .milliseconds(200)
    settings.planted = planted
    self.settings = settings
    controller = ReplicatedController(shape)
    brokers = shape.members.map { _ in ReplicatedBroker(state: .down(lostTail: false), life: BrokerEpoch(0)) }
    clients = (0..<3).map { ReplicatedClient(target: $0) }
    for index in brokers.indices { start(index, BrokerEpoch(Int64(index) + 1), version: 0) }
    for client in clients.indices { agenda.add(.clientTick(client), at: Int64(client)) }
    agenda.add(.controllerTick, at: 0)
    agenda.add(.trouble, at: 300 * Spans.millisecond)
  }

  public func run() -> ReplicatedReport {
    while promises.violation == nil, let (time, event) = agenda.next() {
      now = time
      steps += 1
      if case .trouble = phase, now >= Spans.trouble { heal() }
      if case .healed(let goals) = phase, isDone(goals) { break }
      if now > Spans.end {
        promises.complain("no progress after everything was mended: \(picture())")
        break
      }
      perform(event)
      promises.checkComplete(controller, brokers)
      if let complaint = controller.complaint { promises.complain(complaint) }
    }
    promises.checkAcknowledged(clients.map(\.acknowledged))
    return ReplicatedReport(
      seed: seed, traceHash: hash, steps: steps, acknowledged: clients.reduce(0) { $0 + $1.acknowledged.count },
      elections: controller.elections, crashes: crashes, promotions: controller.promotions,
      violation: promises.violation)
  }

  func note(_ numbers: Int64...) {
    for number in numbers { hash = (hash ^ UInt64(bitPattern: number)) &* 0x100_0000_01b3 }
  }

  var instant: Instant { Instant(nanoseconds: now) }
  func chance(perMille: Int) -> Bool { Int.random(in: 0..<1000, using: &random) < perMille }
  func span(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &random) * Spans.millisecond }

  private func perform(_ event: ReplicatedEvent) {
    switch event {
    case .deliver(let message, let address): deliver(message, to: address)
    case .tick(let index, let life): tick(index, life)
    case .controllerTick:
      controller.fenceTheSilent(at: now, session: Spans.session)
      tellBrokers()
      agenda.add(.controllerTick, at: now + 50 * Spans.millisecond)
    case .clientTick(let client):
      produce(client)
      agenda.add(.clientTick(client), at: now + span(5...40))
    case .restart(let index): restart(index)
    case .trouble:
      guard case .trouble = phase else { return }
      makeTrouble()
      agenda.add(.trouble, at: now + span(50...500))
    case .mend(let links):
      for link in links { cuts[link, default: 1] -= 1 }
    }
  }

  // MARK: The network

  func send(_ message: ReplicatedMessage, from: ReplicatedAddress, to: ReplicatedAddress, hold: Int64 = 0) {
    guard cuts[ReplicatedLink(from: from, to: to), default: 0] <= 0, !chance(perMille: lossPerMille) else { return }
    let copies = chance(perMille: lossPerMille) ? 2 : 1
    for _ in 0..<copies {
      let delay = chance(perMille: 2 * lossPerMille) ? span(20...1200) : span(1...12)
      agenda.add(.deliver(message, to: to), at: now + hold + delay)
    }
  }

  func tellBrokers() {
    let message = ReplicatedMessage.metadata(version: controller.version, controller.state, controller.statuses)
    for index in brokers.indices { send(message, from: .controller, to: .broker(index)) }
  }

  private func deliver(_ message: ReplicatedMessage, to address: ReplicatedAddress) {
    switch address {
    case .broker(let index): receive(message, on: index)
    case .client(let client): receive(message, for: client)
    case .controller:
      switch message {
      case .heartbeat(let node, let epoch): controller.hear(node, epoch, at: now)
      case .proposal(let proposal, let life):
        let answer = controller.alter(proposal)
        note(2, now, Int64(proposal.leader.value), Int64(controller.state.partitionEpoch.value))
        send(
          .proposalAnswer(proposal.id, answer, life: life), from: .controller,
          to: .broker(Int(proposal.leader.value)))
        tellBrokers()
      case .fetch, .fetchAnswer, .proposalAnswer, .metadata, .produce, .produced: return
      }
    }
  }

  // MARK: Clients

  private func produce(_ index: Int) {
    guard clients[index].sentAt == 0 || now - clients[index].sentAt > Spans.patience else { return }
    if clients[index].sentAt != 0 { clients[index].target = Int.random(in: brokers.indices, using: &random) }
    if case .elected(let leader, _) = controller.state.leader, chance(perMille: 700) {
      clients[index].target = Int(leader.value)
    }
    clients[index].sentAt = max(1, now)
    send(
      .produce(client: index, sequence: clients[index].sequence), from: .client(index),
      to: .broker(clients[index].target))
  }

  private func receive(_ message: ReplicatedMessage, for index: Int) {
    guard case .produced(let sequence, let offset, let answer) = message, sequence == clients[index].sequence else {
      return
    }
    clients[index].sentAt = 0
    switch answer {
    case .acknowledged:
      clients[index].acknowledged.append((sequence, offset))
      clients[index].sequence += 1
    case .refused: clients[index].target = Int.random(in: brokers.indices, using: &random)
    }
  }

  // MARK: The end

  private func isDone(_ goals: [Int]) -> Bool {
    for (client, goal) in zip(clients, goals) where client.acknowledged.count < goal { return false }
    for (index, member) in shape.members.enumerated() {
      guard brokers[index].log.end >= promises.committed.count, brokers[index].isUp else { return false }
      if member.kind == .sync, !controller.state.inSync.contains(member.node) { return false }
      // Whoever stood in has gone.
      if member.kind == .observer, controller.state.inSync.contains(member.node),
        controller.state.leader != .elected(member.node, brokers[index].life)
      {
        return false
      }
    }
    return true
  }

  func picture() -> String {
    let logs = brokers.map { broker in
      broker.replica.map { "\($0.log.end.value)/\($0.log.highWatermark.value) \(name(of: $0.role))" } ?? "down"
    }
    return "\(controller.state.leader) in sync \(controller.state.inSync.nodes.map(\.value)) "
      + "eligible \(controller.eligible.nodes.map(\.value)) epoch \(controller.state.leaderEpoch.value) \(logs)"
  }

  private func name(of role: Replica.Role) -> String {
    switch role {
    case .waiting: "waiting"
    case .leader(let lead): "leads \(lead.epoch.value) at \(lead.partitionEpoch.value)"
    case .follower(let copy): "follows \(copy.leader.value) in \(copy.epoch.value)"
    case .observer(let copy): "observes \(copy.leader.value) in \(copy.epoch.value)"
    }
  }
}
