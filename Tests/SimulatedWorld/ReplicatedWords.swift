public import Replication
import Vocabulary

/// A record as the simulated logs hold it: nobody else ever writes the same value.
struct ReplicatedRecord: Hashable, Sendable {
  let epoch: LeaderEpoch
  let client: Int
  let sequence: Int
  /// Of the batch that it lies in, where it lies in a file.
  var checksum: UInt32 = 0
}

/// What is simulated: drawn from the seed.
public struct ReplicatedShape: Sendable {
  public let members: [Member]
  public let minimum: Minimum

  init(_ random: inout SeededRandom) {
    let count = Int.random(in: 3...5, using: &random)
    let regions = Int.random(in: 1...3, using: &random)
    let observers = count > 3 ? Int.random(in: 0...(count - 3), using: &random) : 0
    members = (0..<count).map { index in
      let region = index < regions ? index : Int.random(in: 0..<regions, using: &random)
      return Member(
        NodeID(Int32(index)), in: Region("region-\(region)"), index >= count - observers ? .observer : .sync)
    }
    minimum = Minimum(replicas: 2, regions: regions > 1 && Bool.random(using: &random) ? 2 : 1)
  }
}

/// What a run has shown.
public struct ReplicatedReport: Sendable {
  public let seed: UInt64
  public let traceHash: UInt64
  public let steps: Int
  public let acknowledged: Int
  public let elections: Int
  public let crashes: Int
  public let promotions: Int
  /// The first promise that was broken, in words; nil when all were kept.
  public let violation: String?
}

enum ReplicatedAddress: Hashable {
  case broker(Int)
  case controller
  case client(Int)
}

enum ReplicatedMessage {
  case fetch(FetchRequest)
  case fetchAnswer(FetchID, FetchOutcome, [ReplicatedRecord], life: BrokerEpoch)
  case proposal(Proposal, life: BrokerEpoch)
  case proposalAnswer(ProposalID, ProposalAnswer, life: BrokerEpoch)
  case metadata(version: Int, PartitionState, [BrokerStatus])
  case heartbeat(NodeID, BrokerEpoch)
  case produce(client: Int, sequence: Int)
  case produced(sequence: Int, offset: Int, WriteAnswer)
}

enum ReplicatedEvent {
  case deliver(ReplicatedMessage, to: ReplicatedAddress)
  case tick(broker: Int, life: BrokerEpoch)
  case controllerTick
  case clientTick(Int)
  case restart(broker: Int)
  case trouble
  case mend([ReplicatedLink])
}

struct ReplicatedLink: Hashable {
  let from: ReplicatedAddress
  let to: ReplicatedAddress
}

/// Events in the order of their time; what is due at the same time comes in the order in which it was asked for.
struct ReplicatedAgenda {
  private struct Item {
    let time: Int64
    let order: UInt64
    let event: ReplicatedEvent
    static func < (a: Item, b: Item) -> Bool { (a.time, a.order) < (b.time, b.order) }
  }
  private var heap: [Item] = []
  private var order: UInt64 = 0

  mutating func add(_ event: ReplicatedEvent, at time: Int64) {
    order += 1
    heap.append(Item(time: time, order: order, event: event))
    var child = heap.count - 1
    while child > 0, heap[child] < heap[(child - 1) / 2] {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func next() -> (time: Int64, event: ReplicatedEvent)? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      var parent = 0
      while true {
        var least = parent
        for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child] < heap[least] {
          least = child
        }
        if least == parent { break }
        heap.swapAt(least, parent)
        parent = least
      }
    }
    return (first.time, first.event)
  }
}
