import Coordination
import Testing
import Vocabulary

/// Clients of one classic group that join, read, commit, die and come back, as a seed decides.
struct ClassicWorld {
  struct Client {
    enum Doing {
      case nothing
      case joining(Token)
      case syncing(Token)
      case reading
      case dead
    }
    let name: String
    let instance: InstanceID?
    var id = MemberID.unknown
    var generation = Generation.none
    var doing = Doing.nothing
    var positions: [UInt8: Int64] = [:]
    var taste: UInt8 = 0

    /// A static member is the same owner under every member id.
    var owner: String { instance?.text ?? id.text }
  }

  static let partitions: [UInt8] = Array(0..<6)
  let bench: Bench
  var random: Random
  var clients: [Client] = []
  var ownership = OwnershipChecker()
  var commits = CommitChecker()
  private var born = 0

  init(seed: UInt64, loses: @escaping (GroupRecord) -> Bool = { _ in false }) {
    var settings = GroupSettings()
    settings.classicMembersMax = 5
    bench = Bench(settings)
    bench.loses = loses
    random = Random(seed: seed)
  }

  var complaints: [String] { ownership.complaints + commits.complaints }

  mutating func run(steps: Int) {
    for _ in 0..<steps { step() }
    // Peace: everyone who lives reaches a stable group.
    for _ in 0..<40 {
      for index in clients.indices { advance(index) }
      bench.pass(.seconds(2))
    }
    checkOffsets()
  }

  mutating func step() {
    switch random.below(100) {
    case 0..<6: bear()
    case 6..<60: if let index = anyone() { advance(index) }
    case 60..<78: if let index = anyone() { commit(index) }
    case 78..<90: bench.pass(.milliseconds(Int64(random.below(6000))))
    case 90..<93: if let index = anyone() { clients[index].doing = .dead }
    case 93..<95: if let index = anyone() { leave(index) }
    case 95..<97: if let index = anyone() { clients[index].taste &+= 1 }
    case 97: bench.reload()
    case 98: bench.failsNextAppend = true
    default: checkOffsets()
    }
  }

  private mutating func anyone() -> Int? { clients.isEmpty ? nil : random.below(clients.count) }

  /// A client starts. Every third has an instance id, out of two: so that some replace others that still live.
  private mutating func bear() {
    guard clients.count < 9 else {
      clients.removeAll { if case .dead = $0.doing { true } else { false } }
      return
    }
    born += 1
    let instance = born % 3 == 0 ? InstanceID("static\(random.below(2))") : nil
    clients.append(Client(name: "client\(born)", instance: instance))
  }

  private mutating func join(_ index: Int) {
    let client = clients[index]
    let token = bench.join(
      client.id, instance: client.instance, client: client.name, session: .seconds(10), rebalance: .seconds(20),
      protocols: [MemberProtocol(name: "range", metadata: [client.taste])],
      unknown: random.below(2) == 0 ? .joinsAtOnce : .mustRejoinWithItsID,
      skipping: random.below(2) == 0 ? .supported : .unsupported)
    clients[index].doing = .joining(token)
  }

  /// Does what a client does next: reads its answer, or beats.
  private mutating func advance(_ index: Int) {
    let client = clients[index]
    switch client.doing {
    case .dead: break
    case .nothing: join(index)
    case .joining(let token): if let answer = bench.joined(token) { joined(index, answer) }
    case .syncing(let token): if let answer = bench.synced(token) { synced(index, answer) }
    case .reading:
      react(index, bench.heartbeat(client.id, client.generation, instance: client.instance) ?? .unknownServerError)
    }
  }

  private mutating func joined(_ index: Int, _ answer: JoinAnswer) {
    guard answer.error == .none else {
      if answer.error == .memberIdRequired { clients[index].id = answer.member }
      clients[index].doing = .nothing
      return react(index, answer.error)
    }
    clients[index].id = answer.member
    clients[index].generation = answer.generation
    // In a new generation it owns nothing before it is assigned something.
    clients[index].positions = [:]
    var assignments: [MemberID: [UInt8]] = [:]
    if answer.leader == answer.member && answer.duty == .assign {
      for (number, partition) in Self.partitions.enumerated() {
        assignments[answer.members[number % answer.members.count].member, default: []].append(partition)
      }
    }
    clients[index].doing = .syncing(
      bench.sync(answer.member, answer.generation, instance: clients[index].instance, assignments: assignments))
  }

  private mutating func synced(_ index: Int, _ answer: SyncAnswer) {
    guard answer.error == .none else {
      clients[index].doing = .nothing
      return react(index, answer.error)
    }
    clients[index].doing = .reading
    ownership.owns(answer.assignment, clients[index].generation, clients[index].owner)
    clients[index].positions = [:]
    for partition in answer.assignment {
      clients[index].positions[partition] = bench.fetch(partition: Int32(partition))?.offset.value ?? -1
    }
  }

  private mutating func react(_ index: Int, _ error: ErrorCode) {
    switch error {
    case .none, .notCoordinator, .memberIdRequired: break
    case .fencedInstanceId: clients[index].doing = .dead
    case .unknownMemberId, .groupMaxSizeReached:
      clients[index].id = .unknown
      clients[index].doing = .nothing
    default: clients[index].doing = .nothing
    }
  }

  /// Commits a step further on everything it believes to own, whether that is still true or not.
  private mutating func commit(_ index: Int) {
    let client = clients[index]
    for partition in client.positions.keys.sorted() {
      let next = (client.positions[partition] ?? 0) + 1 + Int64(random.below(3))
      let error = bench.commit(
        next, partition: Int32(partition), member: client.id, generation: client.generation.value,
        instance: client.instance)
      if error == ErrorCode.none {
        commits.accepted(partition, next)
        clients[index].positions[partition] = next
      }
    }
  }

  private mutating func leave(_ index: Int) {
    let client = clients[index]
    if !client.id.isUnknown { bench.leave([LeaveRequest.Leaver(member: client.id, instance: client.instance)]) }
    clients[index].doing = .dead
  }

  mutating func checkOffsets() {
    for partition in Self.partitions {
      commits.found(partition, bench.fetch(partition: Int32(partition))?.offset.value ?? -2)
    }
  }
}
