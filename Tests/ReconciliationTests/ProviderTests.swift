import KubernetesResources
import Reconciliation
import Testing
import Vocabulary

/// What `survive: Provider` asks for, and what it is refused for.
@Suite struct ProviderTests {
  /// Regions by their names, with who runs them, their brokers and their controllers.
  private static func world(_ places: [(provider: String, brokers: Int, controllers: Int)]) -> World {
    let names = ["a", "b", "c", "d"].prefix(places.count)
    let shares = zip(names, places).map { RegionShare($0, brokers: $1.brokers, controllers: $1.controllers) }
    var world = World(shares, survive: .provider)
    for (place, entry) in places.enumerated() { world.regions[place].spec.provider = entry.provider }
    world.converge()
    return world
  }

  private static func stalled(_ world: World) -> String {
    let condition = world.members["a"]?.copy?.status.conditions["Stalled"]
    return condition?.status == .yes ? condition?.message ?? "" : ""
  }

  @Test func aQuorumThatOneProviderHasTheMajorityOfIsRefused() {
    let world = Self.world([("aws", 1, 1), ("aws", 1, 1), ("gcp", 1, 1)])
    #expect(
      Self.stalled(world).contains(
        "has the controllers a (aws) 1, b (aws) 1, c (gcp) 1: without aws 1 of 3 are left, and 2 are needed; spread them over three providers"
      ))
    #expect(world.members["a"]?.pods.isEmpty == true)
  }

  @Test func regionsThatDoNotSayWhoRunsThemAreProvidersOfTheirOwn() {
    var world = Self.world([("aws", 1, 1), ("aws", 1, 1), ("gcp", 1, 1)])
    for place in world.regions.indices { world.regions[place].spec.provider = nil }
    #expect(world.converge() != nil)
    #expect(Self.stalled(world) == "")
  }

  @Test func aProviderWithAllButOneRegionIsRefusedBecauseWritingWouldStopWithAny() {
    let world = Self.world([("aws", 1, 1), ("aws", 1, 0), ("gcp", 1, 1), ("azure", 0, 1)])
    #expect(
      Self.stalled(world).contains(
        "is Provider, and aws has 2 of the 3 Regions with brokers: every record would have to be in 3 Regions, and writing would stop without any one; let other providers have brokers in 2 Regions or more, or aws in one, or set Region."
      ))
  }

  @Test func threeProvidersWithARegionEachSurviveAnyOfThem() {
    var world = Self.world([("aws", 1, 1), ("gcp", 1, 1), ("azure", 1, 1)])
    world.addTopic("t", [100, 200, 300])
    world.converge()
    #expect(Self.stalled(world) == "")
    let conditions = world.members["a"]?.copy?.status.conditions
    #expect(conditions?["SurvivesProviderLoss"]?.status == .yes)
    #expect(conditions?["SurvivesRegionLoss"]?.status == .yes)
  }

  @Test func theLossOfAProviderIsTheLossOfAllItsRegions() {
    var world = Self.world([("aws", 1, 1), ("aws", 1, 0), ("gcp", 1, 1), ("azure", 1, 1)])
    world.addTopic("t", [100, 200, 300], minInSync: 1)
    world.addTopic("u", [100, 101, 200], minInSync: 1)
    world.facts.topics[0].config["min.insync.regions"] = "2"
    world.facts.topics[1].partitions[0].replicas = [100, 200].map { NodeID($0) }
    world.facts.topics[1].partitions[0].inSync = [100, 200].map { NodeID($0) }
    world.converge()
    let conditions = world.members["a"]?.copy?.status.conditions
    #expect(conditions?["SurvivesProviderLoss"]?.status == .no)
    #expect(
      conditions?["SurvivesProviderLoss"]?.message
        == "Without aws: no leader for u-0; too few in sync for t-0.")
    #expect(conditions?["SurvivesRegionLoss"]?.status == .yes)
  }

  @Test func onlyWhoAsksForProvidersHearsOfThem() {
    var world = World.three
    world.converge()
    #expect(world.members["west"]?.copy?.status.conditions["SurvivesProviderLoss"] == nil)
  }
}
