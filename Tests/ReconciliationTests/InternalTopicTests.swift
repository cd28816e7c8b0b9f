import KubernetesResources
import Reconciliation
import Testing
import Vocabulary

/// Where the replicas of the topics are that brokers make for themselves.
@Suite struct InternalTopicTests {
  private static func world(_ shares: [RegionShare], _ replicas: [Int32], survive: Durability.Loss = .region) -> World {
    var world = World(shares, survive: survive)
    world.converge()
    world.addTopic("__consumer_offsets", replicas)
    world.steps = []
    return world
  }

  private static let grown = [
    RegionShare("central", brokers: 3, controllers: 1), RegionShare("north", brokers: 1, controllers: 1),
    RegionShare("west", brokers: 1, controllers: 1),
  ]

  private static func regions(_ world: World) -> [Int32] {
    world.facts.topics[0].partitions[0].replicas.map { $0.value / 100 }.sorted()
  }

  private static func asks(_ world: World) -> Bool {
    world.plan.steps.contains { if case .ask = $0 { true } else { false } }
  }

  @Test func asManyReplicasAsThereShallBeInOneRegionMoveToTheOthers() {
    var world = Self.world(Self.grown, [100, 101, 102])
    #expect(world.converge() != nil)
    #expect(world.broken == [])
    #expect(Self.regions(world) == [1, 2, 3])
    #expect(world.members["west"]?.copy?.status.conditions["SurvivesRegionLoss"]?.status == .yes)
  }

  @Test func twoRegionsGetTwoEach() {
    let shares = [
      RegionShare("central", brokers: 3, controllers: 1), RegionShare("north", brokers: 2, controllers: 1),
      RegionShare("west", brokers: 0, controllers: 1),
    ]
    var world = Self.world(shares, [100, 101, 102, 200])
    #expect(world.converge() != nil)
    #expect(Self.regions(world) == [1, 1, 2, 2])
  }

  @Test func whatIsSpreadAlreadyStaysWhereItIs() {
    for replicas: [Int32] in [[102, 200, 300], [300, 101, 200]] {
      let world = Self.world(Self.grown, replicas)
      #expect(!Self.asks(world))
    }
    var world = Self.world(Self.grown, [100, 200, 300])
    world.setFenced(NodeID(300), true)
    #expect(
      !world.plan.steps.contains { if case .ask = $0 { true } else { false } }, "a Region that is down comes back")
  }

  @Test func whereNoRegionIsToBeSurvivedReplicasMayBeTogether() {
    let world = Self.world(Self.grown, [100, 101, 102], survive: .broker)
    #expect(!Self.asks(world))
  }
}
