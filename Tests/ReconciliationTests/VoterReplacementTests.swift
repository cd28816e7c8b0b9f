import KubernetesResources
import Reconciliation
import Testing
import Vocabulary

/// Controllers whose volumes are gone: the node is the same, and the replica of the quorum is another one.
@Suite struct VoterReplacementTests {
  /// A cluster at rest whose nodes have directories, of which these have new ones.
  private static func world(_ shares: [RegionShare] = World.three.cluster.spec.regions, lost: [Int32]) -> World {
    var world = World(shares)
    for region in 1...3 {
      for number in 0..<3 {
        let id = Int32(region * 100 + number)
        world.directories[NodeID(id)] = UniqueID(high: 1, low: UInt64(id))
      }
    }
    world.converge()
    for id in lost.map({ NodeID($0) }) {
      for place in world.facts.voters.indices where world.facts.voters[place].id == id {
        world.facts.voters[place].isCaughtUp = false
      }
      world.directories[id] = UniqueID(high: 2, low: UInt64(id.value))
      world.facts.observers.append(.init(id, directory: world.directory(of: id), isCaughtUp: true))
      if world.facts.leader == id { world.facts.leader = world.facts.voters.first { $0.isCaughtUp }?.id }
    }
    world.steps = []
    return world
  }

  private static func asked(_ world: World) -> [BrokerRequest] {
    world.steps.compactMap { if case .ask(let request) = $0 { request } else { nil } }
  }

  @Test func aControllerThatLostItsVolumeVotesAgainWithItsNewOne() {
    var world = Self.world(lost: [300])
    #expect(world.converge() != nil)
    #expect(world.broken == [])
    let old = ReplicaKey(id: NodeID(300), directory: UniqueID(high: 1, low: 300))
    let new = ReplicaKey(id: NodeID(300), directory: UniqueID(high: 2, low: 300))
    #expect(Self.asked(world) == [.removeVoter(old), .addVoter(new)])
    #expect(world.facts.voters.count == 3 && world.facts.voters.contains { $0.key == new })
    #expect(world.members["north"]?.copy?.status.conditions["QuorumHealthy"]?.status == .yes)
  }

  @Test func twoOfFiveAreReplacedOneAfterTheOther() {
    let shares = [
      RegionShare("central", brokers: 2, controllers: 2), RegionShare("north", brokers: 2, controllers: 2),
      RegionShare("west", brokers: 1, controllers: 1),
    ]
    var world = Self.world(shares, lost: [100, 201])
    #expect(world.plan.steps.count { if case .ask(.removeVoter) = $0 { true } else { false } } == 1)
    #expect(world.converge() != nil)
    #expect(world.broken == [])
    #expect(world.facts.voters.count == 5 && world.facts.voters.allSatisfy(\.isCaughtUp))
  }

  @Test func aVoterStaysUntilTheNewReplicaFollows() {
    var world = Self.world(lost: [300])
    world.facts.observers = []
    #expect(!world.plan.steps.contains { if case .ask = $0 { true } else { false } }, "it may be restarting")
    world.facts.observers = [.init(NodeID(300), directory: world.directory(of: NodeID(300)), isCaughtUp: false)]
    #expect(!world.plan.steps.contains { if case .ask = $0 { true } else { false } })
  }

  @Test func aVoterStaysWhereWithoutItTheQuorumHasNoMajority() {
    var world = Self.world(lost: [300])
    for place in world.facts.voters.indices where world.facts.voters[place].id == NodeID(100) {
      world.facts.voters[place].isCaughtUp = false
    }
    world.facts.leader = NodeID(200)
    #expect(!world.plan.steps.contains { if case .ask = $0 { true } else { false } })
    #expect(world.plan.waits.contains { $0.contains("Node 300 votes again with its new volume once") })
  }

  @Test func aVoterWhoseDirectoryIsNotKnownIsNotTakenForALostOne() {
    var world = Self.world(lost: [300])
    world.facts.voters = world.facts.voters.map { .init($0.id, isCaughtUp: $0.isCaughtUp) }
    #expect(!world.plan.steps.contains { if case .ask = $0 { true } else { false } })
  }
}
