import Coordination
import Testing
import Vocabulary

/// Clients of one consumer group (KIP-848) that lose answers, revoke slowly, die and come back, as a seed decides.
struct ConsumerWorld {
  struct Client {
    enum Life {
      case alive
      /// It left for a while: its successor carries the same instance id.
      case away
      case dead
    }
    var consumer: Consumer
    var life = Life.alive
    /// What it is to own once it has given up the rest.
    var told: Assignment?
    /// When it must have given up, and when it last heard from the coordinator.
    var revokeBy = Instant.never
    var lastHeard: Instant
    var missedAnAnswer = false
  }
  static let rebalanceTimeout = TimeSpan.seconds(30)

  let bench: Bench
  var random: Random
  var clients: [Client] = []
  private(set) var complaints: [String] = []
  private var born = 0
  private var counts: [String: Int32] = ["orders": 5, "bills": 3]

  init(seed: UInt64, loses: @escaping (GroupRecord) -> Bool = { _ in false }) {
    bench = Bench()
    bench.loses = loses
    random = Random(seed: seed)
    bench.topics(counts)
  }

  mutating func run(steps: Int) {
    for _ in 0..<steps {
      step()
      check()
    }
  }

  /// The coordinator and its clients are left alone; tells how many rounds of heartbeats it took until all have
  /// arrived, or nil.
  mutating func roundsToSettle(limit: Int) -> Int? {
    // Those that are gone are noticed first.
    for _ in 0..<10 {
      pass(.seconds(5))
      for index in clients.indices { beat(index, mayLose: false) }
      check()
    }
    for round in 0..<limit {
      if isSettled { return round }
      pass(.seconds(1))
      for index in clients.indices { beat(index, mayLose: false) }
      check()
    }
    return isSettled ? limit : nil
  }

  private var isSettled: Bool {
    let description = bench.describeConsumers()
    let living = clients.filter { $0.life == .alive }
    guard description?.state == (living.isEmpty ? .empty : .stable) || living.isEmpty else { return false }
    let wanted = Set(living.flatMap(\.consumer.topics)).reduce(0) { $0 + Int(counts[$1] ?? 0) }
    return living.reduce(0) { $0 + $1.consumer.owned.count } == wanted
      && living.allSatisfy { client in
        description?.members.first { $0.member == client.consumer.id }?.target == client.consumer.owned
      }
  }

  mutating func step() {
    switch random.below(100) {
    case 0..<6: bear()
    case 6..<70: if let index = anyone() { beat(index, mayLose: true) }
    case 70..<86: pass(.milliseconds(Int64(random.below(4000))))
    case 86..<89: if let index = anyone() { die(index) }
    case 89..<92: if let index = anyone() { leave(index) }
    case 92..<94: if let index = anyone() { resubscribe(index) }
    case 94..<96: changeTopics()
    case 96: bench.reload()
    case 97: bench.failsNextAppend = true
    default: compareWithItsLog()
    }
  }

  private mutating func anyone() -> Int? { clients.isEmpty ? nil : random.below(clients.count) }

  private mutating func bear() {
    clients.removeAll { $0.life == .dead }
    guard clients.count < 7 else { return }
    born += 1
    var consumer = bench.newConsumer("client\(born)", topics: ["orders"])
    if random.below(3) == 0 { consumer.topics = ["bills", "orders"] }
    if let index = clients.firstIndex(where: { $0.life == .away }) {
      consumer.instance = clients[index].consumer.instance
      consumer.topics = clients[index].consumer.topics
      clients[index].life = .dead
    } else if random.below(3) == 0 {
      consumer.instance = InstanceID("static\(born)")
    }
    if random.below(4) == 0 { consumer.assignor = "range" }
    clients.append(Client(consumer: consumer, lastHeard: bench.now))
  }

  /// One heartbeat. Before it the client may give up what it was told to; after it the answer may be lost.
  private mutating func beat(_ index: Int, mayLose: Bool) {
    guard clients[index].life == .alive else { return }
    if let told = clients[index].told, !mayLose || random.below(3) > 0 {
      clients[index].consumer.owned = told
      clients[index].told = nil
      clients[index].revokeBy = .never
    }
    let consumer = clients[index].consumer
    var request = bench.request(
      consumer.id, consumer.epoch, instance: consumer.instance, group: Bench.readers, owned: consumer.owned)
    if consumer.epoch == .joining || clients[index].missedAnAnswer {
      request.rebalanceTimeout = Self.rebalanceTimeout
      request.subscribedTopics = consumer.topics
      request.assignor = consumer.assignor
    }
    let answer = bench.beat(request)
    if mayLose && random.below(10) == 0 {
      clients[index].missedAnAnswer = true
    } else {
      hear(index, answer)
    }
  }

  private mutating func hear(_ index: Int, _ answer: ConsumerHeartbeatAnswer) {
    switch answer.error {
    case .none:
      let heardBefore = clients[index].lastHeard
      clients[index].lastHeard = bench.now
      clients[index].missedAnAnswer = false
      clients[index].consumer.epoch = answer.epoch
      guard let assignment = answer.assignment else { return }
      if isSubset(clients[index].consumer.owned, of: assignment) {
        clients[index].consumer.owned = assignment
        clients[index].told = nil
        clients[index].revokeBy = .never
      } else {
        clients[index].told = assignment
        // The coordinator may have begun to wait when it sent an answer that was lost.
        clients[index].revokeBy = min(clients[index].revokeBy, heardBefore + Self.rebalanceTimeout)
      }
    case .notCoordinator: clients[index].missedAnAnswer = true
    case .unreleasedInstanceId: break
    case .fencedInstanceId: die(index)
    default: abandon(index)
    }
  }

  private func isSubset(_ a: Assignment, of b: Assignment) -> Bool { a.merging(b) == b }

  private mutating func abandon(_ index: Int) {
    clients[index].consumer.epoch = .joining
    clients[index].consumer.owned = Assignment()
    clients[index].told = nil
    clients[index].revokeBy = .never
    clients[index].lastHeard = bench.now
  }

  private mutating func die(_ index: Int) {
    clients[index].life = .dead
    clients[index].consumer.owned = Assignment()
  }

  private mutating func leave(_ index: Int) {
    let consumer = clients[index].consumer
    guard clients[index].life == .alive, consumer.epoch > .joining else { return }
    let goesForAWhile = consumer.instance != nil && random.below(2) == 0
    let answer = bench.beat(
      bench.request(
        consumer.id, goesForAWhile ? .leavingForAWhile : .leaving, instance: consumer.instance, group: Bench.readers))
    die(index)
    if goesForAWhile && answer.error == .none { clients[index].life = .away }
  }

  private mutating func resubscribe(_ index: Int) {
    guard clients[index].life == .alive, clients[index].consumer.epoch > .joining else { return }
    clients[index].consumer.topics = random.below(2) == 0 ? ["orders"] : ["bills", "orders"]
    clients[index].missedAnAnswer = true
  }

  private mutating func changeTopics() {
    counts["orders"] = 3 + Int32(random.below(6))
    if random.below(3) == 0 { counts["bills"] = counts["bills"] == nil ? 2 : nil }
    bench.topics(counts)
  }

  /// Time goes by. A client that hears nothing for too long, or cannot give up in time, drops everything by itself:
  /// no coordinator can protect readers that do not.
  private mutating func pass(_ span: TimeSpan) {
    for index in clients.indices {
      let silence = clients[index].lastHeard + Self.rebalanceTimeout
      if min(silence, clients[index].revokeBy) <= bench.now + span { abandon(index) }
    }
    bench.pass(span)
  }

  private mutating func check() {
    complaints += partitionsReadTwice(clients.map { ($0.consumer.id.text, $0.consumer.owned) })
  }

  private mutating func compareWithItsLog() {
    var effects: [GroupEffect] = []
    bench.replayed().describeConsumerGroups([Bench.readers], Token(0), into: &effects)
    bench.coordinator.describeConsumerGroups([Bench.readers], Token(0), into: &effects)
    if effects[0] != effects[1] { complaints.append("the log tells another story than the coordinator") }
  }
}
