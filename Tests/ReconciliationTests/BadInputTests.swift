import JSONValue
import KubernetesResources
import Reconciliation
import Testing
import Vocabulary

/// What people get wrong about a cluster that runs: one condition says what to change, and nothing that runs is touched.
@Suite struct BadInputTests {
  struct Mishap: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Part of what the condition says.
    let words: String
    let change: @Sendable (inout World) -> Void
    init(_ description: String, says words: String, _ change: @escaping @Sendable (inout World) -> Void) {
      testDescription = description
      self.words = words
      self.change = change
    }
  }

  static let mishaps = [
    Mishap("voters that lose their majority with one Region", says: "spread them over three Regions") { world in
      world.cluster.spec.regions[0].controllers = 3
    },
    Mishap("an even layout over two Regions", says: "without central 1 of 2 are left, and 2 are needed") { world in
      world.cluster.spec.regions[1].controllers = 0
    },
    Mishap("a volume that shrinks", says: "volumes never shrink; set 100Gi or more") { world in
      world.cluster.spec.regions[0].storage.size = "1Gi"
    },
    Mishap("a Region that is not there", says: "there is no such Region; there are central, north, west") { world in
      world.cluster.spec.regions[0].name = "centrall"
    },
    Mishap("a setting that the operator decides", says: "spec.config.node.id is decided by the operator") { world in
      world.cluster.spec.config["node.id"] = "7"
    },
    Mishap("a listener that no broker serves", says: "set tls: false and authentication: none") { world in
      var listener = KafkaListener()
      listener.tls = true
      world.cluster.spec.listeners = [listener]
    },
    Mishap("nobody who has brokers", says: "at least one Region needs brokers of 1 or more") { world in
      for place in world.cluster.spec.regions.indices { world.cluster.spec.regions[place].brokers = 0 }
    },
    Mishap("two clusters with one name", says: "these are two clusters with one name; rename one") { world in
      world.members["north"]?.copy?.status.clusterID = "another"
    },
  ]

  @Test(arguments: mishaps) func aMistakeIsOneConditionAndNothingThatRunsIsTouched(mishap: Mishap) {
    var world = World([
      RegionShare("central", brokers: 1, controllers: 1), RegionShare("north", brokers: 1, controllers: 1),
      RegionShare("west", brokers: 1, controllers: 1),
    ])
    for place in world.cluster.spec.regions.indices { world.cluster.spec.regions[place].storage.size = "100Gi" }
    world.converge()
    world.addTopic("t", [100, 200, 300])
    mishap.change(&world)
    world.cluster.metadata.generation += 1
    let plan = world.plan
    let touching = plan.steps.filter { step in
      switch step {
      case .writeStatus, .event: false
      case .apply, .delete, .restart, .tell, .setFinalizers, .ask: true
      }
    }
    #expect(touching == [])
    for step in plan.steps { world.perform(step) }
    let status = world.members["west"]?.copy?.status
    let stalled = status?.conditions["Stalled"]
    #expect(stalled?.status == .yes)
    #expect(stalled?.reason == "Mistake")
    #expect(stalled?.message.contains(mishap.words) == true, "\(stalled?.message ?? "nothing")")
    #expect(status?.summary == stalled?.message, "the column of kubectl get says it too")
    #expect(world.plan.steps == [], "it is said once")
  }

  private func region(_ name: String, in member: String, others: [String: String]) -> RegionSituation {
    func region(_ name: String) -> Region {
      var region = Region()
      region.metadata = ObjectMeta(name: name, namespace: "kafka")
      return region
    }
    var situation = RegionSituation(
      region(name), copies: [member: .seen(RecordedCopy(generation: 1, status: RegionStatus()))],
      contact: .reached(member: member, version: "v1.33.1", roundTripMilliseconds: 1), now: "now")
    situation.others = others.map { (region($0.key), $0.value) }
    return situation
  }

  private func status(_ situation: RegionSituation) -> RegionStatus? {
    for case .writeStatus(_, let json, _) in RegionReconciliation.plan(situation).steps {
      var ignored: [Mistake] = []
      return RegionStatus(reading: json, at: "status", mistakes: &ignored)
    }
    return nil
  }

  @Test func aRegionThatLeadsToAnotherRegionsClusterSaysSo() {
    let status = status(region("b", in: "one", others: ["a": "one", "b": "one"]))
    #expect(status?.conditions["Ready"]?.status == .no)
    #expect(status?.conditions["Stalled"]?.message.contains("where the Region a is already") == true)
    #expect(self.status(region("b", in: "two", others: ["a": "one"]))?.conditions["Ready"]?.status == .yes)
  }

  @Test func whatAnAPIServerRefusesStandsInTheRegionsCondition() {
    var situation = region("b", in: "one", others: [:])
    situation.contact = .failed(since: "then", why: "b: may not list pods in namespace kafka: forbidden")
    let status = status(situation)
    #expect(status?.conditions["Reachable"]?.message.contains("since then: b: may not list pods") == true)
    #expect(status?.conditions["Ready"]?.status == .no)
  }
}
