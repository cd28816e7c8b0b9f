import KubernetesResources
import Reconciliation
import Testing
import Vocabulary

/// Clusters that nobody serves in, and what their spec can do about it.
@Suite struct RepairTests {
  /// Pods that do not reach each other by their own addresses, and load balancers by which they would: every pod is
  /// outdated, and none has restarted.
  private static func unreached(_ shares: [RegionShare] = World.three.cluster.spec.regions) -> World {
    var world = World(shares)
    world.reachedAs = "lb-"
    world.converge()
    for place in world.regions.indices { world.regions[place].spec.network.type = .loadBalancer }
    for _ in 0..<6 {
      for step in world.plan.steps {
        if case .restart = step { continue }
        world.perform(step)
      }
      world.giveAddresses(.loadBalancer)
      world.settle()
    }
    return world
  }

  private static func restarts(_ world: World) -> [String] {
    world.plan.steps.compactMap { if case .restart(let pod, _, _, _) = $0 { pod.name } else { nil } }
  }

  private static func change(_ world: inout World, _ region: String, _ edit: (Pod) -> Pod) {
    for (name, pod) in world.members[region]?.pods ?? [:] { world.members[region]?.pods[name] = edit(pod) }
  }

  private static func pod(_ pod: Pod, _ state: Pod.State, hasReadyProcess: Bool = false, since: String? = nil) -> Pod {
    Pod(
      name: pod.name, uid: pod.uid, node: pod.node, revision: pod.revision, told: pod.told, address: pod.address,
      state: state, hasReadyProcess: hasReadyProcess, unreadySince: since)
  }

  @Test func aClusterWhosePodsNeverReachedEachOtherIsCuredByItsSpec() {
    var world = Self.unreached()
    #expect(world.facts.brokers == [])
    #expect(Self.restarts(world).count == 1)
    #expect(world.converge() != nil)
    #expect(world.broken == [])
    #expect(world.members["west"]?.copy?.status.conditions["Ready"]?.status == .yes)
  }

  @Test func thatBrokersHaveWorkedStaysRecordedWhileACopyIsMadeAgain() throws {
    var world = World.three
    world.converge()
    let quorum = try #require(world.members["west"]?.copy?.status.quorum)
    world.brokersAnswer = false
    world.members["north"]?.copy = RecordedCopy(generation: 1, status: KafkaClusterStatus())
    for _ in 0..<3 {
      for step in world.plan.steps { world.perform(step) }
      world.settle()
    }
    for name in ["central", "north", "west"] { #expect(world.members[name]?.copy?.status.quorum == quorum) }
  }

  @Test func controllersThatAreReadyWithoutAQuorumRestartOneByOneToFormIt() {
    var world = Self.unreached([
      RegionShare("central", brokers: 1, controllers: 1), RegionShare("north", brokers: 0, controllers: 1),
      RegionShare("west", brokers: 0, controllers: 1),
    ])
    #expect(Self.restarts(world) == ["orders-central-0-0"])
    #expect(world.converge() != nil)
    #expect(world.broken == [])
    #expect(world.members["west"]?.copy?.status.conditions["Ready"]?.status == .yes)
  }

  @Test func aRegionThatIsNotSeenMayServe() {
    var world = Self.unreached()
    world.members["north"]?.isReachable = false
    #expect(Self.restarts(world) == [])
  }

  @Test func oneReadyBrokerIsEnoughForTheGate() {
    var world = Self.unreached()
    Self.change(&world, "north") { Self.pod($0, .ready) }
    #expect(Self.restarts(world) == [])
  }

  @Test func aPodOnAMachineThatIsNoLongerHeardOfMayServe() {
    var world = Self.unreached()
    Self.change(&world, "north") { Self.pod($0, .starting, hasReadyProcess: true) }
    #expect(Self.restarts(world) == [])
    Self.change(&world, "north") { Self.pod($0, .stopping, hasReadyProcess: true) }
    #expect(Self.restarts(world) == [])
  }

  @Test func aQuorumWithALeaderIsAskedAsAlways() {
    var world = Self.unreached()
    world.isStarted = true
    world.facts.leader = NodeID(100)
    #expect(Self.restarts(world) == [])
  }

  @Test func aClusterThatHasWorkedIsGivenTimeToReadItsLogs() {
    var world = Self.unreached()
    for member in world.members.keys { world.members[member]?.copy?.status.quorum = QuorumStatus() }
    world.longAgo = "2026-01-01T00:10:00Z"
    let longAgo = world.longAgo
    for region in Array(world.members.keys) {
      Self.change(&world, region) { Self.pod($0, .starting, since: longAgo) }
    }
    #expect(Self.restarts(world) == [])
    Self.change(&world, "north") { Self.pod($0, .starting, since: "2026-01-01T00:09:59Z") }
    #expect(Self.restarts(world) == ["orders-north-0-0"])
  }
}
