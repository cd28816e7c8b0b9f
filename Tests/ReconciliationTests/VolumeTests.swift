import JSONValue
import KubernetesResources
import Reconciliation
import Testing
import Vocabulary

/// What becomes of volumes that are there when a spec asks for others.
@Suite struct VolumeTests {
  private static func world() -> World {
    var world = World.three
    for place in world.cluster.spec.regions.indices {
      world.cluster.spec.regions[place].storage.storageClassName = "fast"
    }
    world.converge()
    world.steps = []
    return world
  }

  private static func claim(_ world: World) -> JSON {
    world.members["west"]?.objects[ObjectID(.claim, "kafka", "data-orders-west-0")]?["spec"] ?? [:]
  }

  @Test func aVolumeGrowsWithItsSpecAndNobodyRestarts() {
    var world = Self.world()
    for place in world.cluster.spec.regions.indices { world.cluster.spec.regions[place].storage.size = "900Gi" }
    #expect(world.converge() != nil)
    #expect(Self.claim(world)["resources"]["requests"]["storage"] == "900Gi")
    #expect(!world.steps.contains { if case .restart = $0 { true } else { false } })
    #expect(!world.steps.contains { if case .delete = $0 { true } else { false } })
    #expect(world.broken == [])
  }

  @Test func aVolumeKeepsItsClassAndTheStatusSaysSo() {
    var world = Self.world()
    world.cluster.spec.regions[2].storage.storageClassName = "slow"
    #expect(world.converge() != nil)
    #expect(Self.claim(world)["storageClassName"] == "fast")
    let stalled = world.members["west"]?.copy?.status.conditions["Stalled"]
    #expect(stalled?.status == .yes && stalled?.reason == "VolumesKeepTheirClass")
    #expect(
      stalled?.message.hasPrefix(
        "spec.regions[2].storage.storageClassName is 'slow', and the volume of orders-west-0 has 'fast'") == true)
    world.cluster.spec.regions[2].storage.storageClassName = "fast"
    world.converge()
    #expect(world.members["west"]?.copy?.status.conditions["Stalled"]?.status == .no)
  }
}
