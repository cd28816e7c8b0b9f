import EventLoop
import KafkaClient
import KafkaProtocol
import Synchronization
import Vocabulary

/// A partition of one topic; a topic that comes again under its name is another one.
struct BrokerKey: Hashable, Comparable, Sendable, CustomStringConvertible {
  let name: String
  let topic: UniqueID
  let partition: Int32
  static func < (a: Self, b: Self) -> Bool {
    (a.name, a.topic, a.partition) < (b.name, b.topic, b.partition)
  }
  var description: String { "\(name)-\(partition) (\(topic))" }
}

/// A process that asks brokers, over connections of its own, in the words of `KafkaClient` and `KafkaProtocol`.
final class BrokerClient: Sendable {
  let number: Int
  private let process: BrokerProcess
  private let loop: EventLoop
  private let pool: BlockingPool
  private let peers: Mutex<[Int32: Peer]>
  /// The names of the machines.
  private let address: @Sendable (Int32) -> BrokerAddress

  init(
    _ number: Int, _ host: BrokerHost, lives: BrokerLives, address: @escaping @Sendable (Int32) -> BrokerAddress
  ) throws {
    self.number = number
    self.address = address
    let process = BrokerProcess(host.stage, host: host, number: lives.next())
    self.process = process
    host.set(process)
    let made = Mutex<(EventLoop, BlockingPool)?>(nil)
    var failure: (any Error)?
    process.run {
      do {
        let loop = try EventLoop(name: "client")
        let pool = try BlockingPool(threads: 1)
        try loop.start()
        made.withLock { $0 = (loop, pool) }
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    guard let (loop, pool) = made.withLock({ $0 }) else { preconditionFailure("a new process is dead") }
    self.loop = loop
    self.pool = pool
    peers = Mutex([:])
  }

  func ask<Request: RequestBody>(
    _ request: Request, of node: Int32, within span: TimeSpan,
    then: @escaping @Sendable (Result<PeerAnswer<Request.Response>, ClientError>) -> Void
  ) {
    process.run {
      let peer = peers.withLock { peers in
        if let known = peers[node] { return known }
        let new = Peer(
          address(node), clientID: "client-\(number)", connectSpan: .milliseconds(800), loop: loop, pool: pool)
        peers[node] = new
        return new
      }
      peer.ask(request, within: span, then: then)
    }
  }
}

/// What a client has been told of a partition.
struct BrokerLeader: Sendable {
  var node: Int32
  var epoch: Int32
  var inSync: [Int32]
  var replicas: [Int32]
  /// Everybody who has a copy is in sync.
  var isWhole: Bool { Set(inSync) == Set(replicas) }
}

/// A record as it was read.
struct BrokerRecord: Sendable {
  let offset: Int64
  let value: UInt64
  /// Of the leader that took it.
  let epoch: Int32
}

/// What one node has of a partition.
struct BrokerCopy: Hashable, Sendable {
  let key: BrokerKey
  let node: Int32
}

/// What one client is about.
struct BrokerClientState: Sendable {
  enum Role: Sendable { case producer, consumer, committer, administrator }

  /// A batch that is sent until it is known what became of it.
  struct Attempt: Sendable {
    let key: BrokerKey
    let sequence: Int32
    let values: [UInt64]
    /// Somebody may have written it, and has not said so.
    var isUnclear = false
  }

  let role: Role
  var leaders: [BrokerKey: BrokerLeader] = [:]
  var producer: (id: ProducerID, epoch: ProducerEpoch)?
  var sequences: [BrokerKey: Int32] = [:]
  var attempt: Attempt?
  /// How it is when it has several batches on their way; nil for who has one.
  var manner: BrokerPipeline.Manner?
  var isPipelined: Bool { manner != nil }
  var pipeline: BrokerPipeline?
  /// Somebody was asked who leads what, while the client goes on.
  var isLearning = false
  var positions: [BrokerKey: Int64] = [:]
  /// What ListOffsets said last.
  var ends: [BrokerKey: Int64] = [:]
  var coordinator: Int32?
  var group: String { "group" }

  init(_ role: Role, manner: BrokerPipeline.Manner? = nil) {
    self.role = role
    self.manner = manner
  }

  /// Those that have a leader, in an order that is always the same.
  var led: [BrokerKey] { leaders.filter { $0.value.node >= 0 && $0.key.name != "__consumer_offsets" }.keys.sorted() }

  mutating func learn(_ response: MetadataResponse) {
    var present: Set<BrokerKey> = []
    for topic in response.topics where topic.errorCode == .none {
      for partition in topic.partitions {
        let key = BrokerKey(name: topic.name ?? "", topic: topic.topicID, partition: partition.partitionIndex)
        present.insert(key)
        guard partition.leaderEpoch >= leaders[key]?.epoch ?? -1 else { continue }
        leaders[key] = BrokerLeader(
          node: partition.leaderID, epoch: partition.leaderEpoch, inSync: partition.isrNodes,
          replicas: partition.replicaNodes)
      }
    }
    leaders = leaders.filter { present.contains($0.key) }
  }
}

/// What clients were promised, and what they have seen of it.
struct BrokerPromises: Sendable {
  private(set) var acknowledged: [BrokerKey: [Int64: UInt64]] = [:]
  /// Acknowledged as a repetition: somewhere, once.
  private(set) var repeated: [BrokerKey: Set<UInt64>] = [:]
  private var seen: [BrokerKey: [Int64: UInt64]] = [:]
  private var places: [BrokerKey: [UInt64: Int64]] = [:]
  private var epochs: [BrokerKey: [Int64: Int32]] = [:]
  /// By record: who writes it. What one producer writes to a partition grows.
  private var writers: [UInt64: ProducerID] = [:]
  /// By the group's partition: what was asked to be kept, and what was acknowledged.
  var asked: [BrokerKey: Set<Int64>] = [:]
  var kept: [BrokerKey: Int64] = [:]

  mutating func wrote(_ value: UInt64, by producer: ProducerID) { writers[value] = producer }

  mutating func acknowledge(_ key: BrokerKey, at base: Int64, _ values: [UInt64]) -> String? {
    guard base >= 0 else {
      repeated[key, default: []].formUnion(values)
      return nil
    }
    for (index, value) in values.enumerated() {
      let offset = base + Int64(index)
      if let other = acknowledged[key]?[offset], other != value {
        return "\(key): \(other) and \(value) were both acknowledged at offset \(offset)"
      }
      acknowledged[key, default: [:]][offset] = value
      if let broken = see(key, offset, value) { return broken }
    }
    return nil
  }

  /// - Parameter epoch: nil where nothing says in which one it was taken.
  mutating func see(
    _ key: BrokerKey, _ offset: Int64, _ value: UInt64, writtenIn epoch: Int32? = nil
  ) -> String? {
    // A repeated batch is the same in another epoch, and still another history.
    if let epoch, let other = epochs[key]?[offset], other != epoch {
      return "\(key): offset \(offset) was written in epoch \(other) and in epoch \(epoch)"
    }
    if let epoch { epochs[key, default: [:]][offset] = epoch }
    if let other = seen[key]?[offset], other != value {
      return "\(key): offset \(offset) was \(other) and is \(value)"
    }
    if let other = places[key]?[value], other != offset {
      return "\(key): \(value) is at the offsets \(other) and \(offset)"
    }
    seen[key, default: [:]][offset] = value
    places[key, default: [:]][value] = offset
    return nil
  }

  /// Whoever reads everything has read `from` up to `to`: what was acknowledged there has been among it.
  func missing(_ key: BrokerKey, _ found: [Int64: UInt64], upTo end: Int64) -> String? {
    for (offset, value) in acknowledged[key, default: [:]].sorted(by: { $0.key < $1.key }) {
      guard offset < end else { return "\(key): \(value) was acknowledged at offset \(offset), and the end is \(end)" }
      guard found[offset] == value else {
        let there = found[offset].map { "\($0)" } ?? "nothing"
        return "\(key): \(value) was acknowledged at offset \(offset), where there is \(there)"
      }
    }
    let all = Set(found.values)
    if let lost = repeated[key, default: []].subtracting(all).min() {
      return "\(key): \(lost) was acknowledged, and is nowhere"
    }
    return nil
  }

  /// Whoever reads everything finds the records of each producer in the order of their sequences.
  func disorder(in key: BrokerKey, _ found: [Int64: UInt64]) -> String? {
    var last: [ProducerID: UInt64] = [:]
    for (offset, value) in found.sorted(by: { $0.key < $1.key }) {
      guard let writer = writers[value] else { return "\(key): \(value) at offset \(offset) was never sent" }
      if let before = last[writer], before >= value {
        return "\(key): \(value) at offset \(offset) comes after \(before), which was sent behind it"
      }
      last[writer] = value
    }
    return nil
  }
}
