import FoundationEssentials
import JSONValue
import KubernetesResources
import Reconciliation
import Testing
import YAML

@Suite struct RenderedTests {
  /// With SWIFTWATER_WRITE_RENDERED=<folder> what is rendered is written there, for checks by other programs.
  @Test func whatIsRenderedIsStatedWithoutNulls() throws {
    for type in RegionNetwork.Kind.allCases {
      var world = World.three
      for place in world.regions.indices {
        world.regions[place].spec.network.type = type
        world.regions[place].spec.network.hostTemplate = "{pod}.{region}.example.com"
        world.regions[place].spec.scheduling.zones = ["z1", "z2"]
      }
      world.cluster.spec.resources.requests = ["cpu": "50m", "memory": "128Mi"]
      world.converge()
      #expect(world.broken == [])
      let objects = world.members["west"]?.objects ?? [:]
      #expect(objects.keys.contains { $0.kind == .statefulSet } == ![.nodePort, .loadBalancer].contains(type))
      let documents = objects.keys.sorted().compactMap { objects[$0] }
      for document in documents { #expect(document.withoutNulls() == document) }
      if let folder = ProcessInfo.processInfo.environment["SWIFTWATER_WRITE_RENDERED"] {
        try JSON.yamlText(documents: documents)
          .write(toFile: "\(folder)/\(type.rawValue).yaml", atomically: true, encoding: .utf8)
      }
    }
  }

  @Test func everyKindOfNetworkTellsAddressesThatOthersReach() throws {
    let expected: [RegionNetwork.Kind: String] = [
      .multiClusterService: "PLAINTEXT://orders-west-0.kafka.svc.clusterset.local:9092"
        + ",CONTROLLER://orders-west-0.kafka.svc.clusterset.local:9093",
      .hostTemplate: "PLAINTEXT://orders-west-0-0.west.example.com:9092"
        + ",CONTROLLER://orders-west-0-0.west.example.com:9093",
      .loadBalancer: "PLAINTEXT://lb-orders-west-0:9092,CONTROLLER://lb-orders-west-0:9093",
      .nodePort: "PLAINTEXT://192.0.2.7:30092,CONTROLLER://192.0.2.7:30093",
    ]
    for (type, address) in expected.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      var world = World.three
      for place in world.regions.indices {
        world.regions[place].spec.network.type = type
        world.regions[place].spec.network.hostTemplate = "{pod}.{region}.example.com"
      }
      world.converge()
      world.giveAddresses(type)
      world.converge()
      let map = world.members["west"]?.objects[ObjectID(.configMap, "kafka", "orders-west-0")]
      let text = map?["data"]["server.properties"].string ?? ""
      #expect(text.contains("advertised.listeners=\(address)\n"), "\(type)")
      #expect(text.contains("controller.quorum.voters=100@"), "\(type)")
      #expect(world.broken == [])
      #expect(world.plan.steps == [], "\(type)")
    }
  }

  /// Other controllers go by what it says of itself, so that a witness says it like all others, and anew.
  @Test func aWitnessTellsWhereItIsReachedAndRestartsWhenThatIsElsewhere() throws {
    var world = World([
      RegionShare("central", brokers: 1, controllers: 1), RegionShare("north", brokers: 0, controllers: 1),
      RegionShare("west", brokers: 1, controllers: 1),
    ])
    world.converge()
    func told() throws -> String? {
      let pod = try #require(world.members["north"]?.pods["orders-north-0-0"])
      return world.advertised[pod.uid]
    }
    #expect(try told() == nil)
    let place = try #require(world.regions.firstIndex { $0.metadata.name == "north" })
    world.regions[place].spec.network.hostTemplate = "{pod}.{region}.example.com"
    let ways: [(RegionNetwork.Kind, String?)] = [
      (.hostTemplate, "orders-north-0-0.north.example.com:9093"), (.nodePort, "192.0.2.7:30093"),
      (.loadBalancer, "lb-orders-north-0:9093"), (.podIP, nil),
    ]
    for (type, address) in ways {
      world.regions[place].spec.network.type = type
      world.converge()
      world.giveAddresses(type)
      world.converge()
      #expect(try told() == address.map { "advertised.listeners=CONTROLLER://\($0)" }, "\(type)")
      #expect(world.broken == [])
      #expect(world.plan.steps == [], "\(type)")
    }
  }

  @Test func nodesOfARegionAreDealtOutOverItsMachinesAndKeepTheirAddresses() throws {
    var world = World.onMachines(["a": Machine("fd00::1"), "b": Machine("fd00::2")])
    #expect(world.told() == ["[fd00::1]:30092", "[fd00::2]:30092", "[fd00::1]:30092"])
    #expect(world.broken == [] && world.plan.steps == [])
    // One more machine takes nobody's address away.
    world.machines["0"] = Machine("fd00::3")
    world.converge()
    #expect(world.told() == ["[fd00::1]:30092", "[fd00::2]:30092", "[fd00::1]:30092"])
    #expect(world.plan.steps == [])
  }

  @Test func whoIsReachedThroughAMachineThatDiesIsReachedThroughAnother() throws {
    var world = World.onMachines(["a": Machine("fd00::1"), "b": Machine("fd00::2"), "c": Machine("fd00::3")])
    let before = ["[fd00::1]:30092", "[fd00::2]:30092", "[fd00::3]:30092"]
    #expect(world.told() == before)
    // A cordoned machine answers at its node ports as before.
    world.machines["b"]?.isOffered = false
    world.converge()
    #expect(world.told() == before && world.plan.steps == [])
    // No address brings back a pod that is on the dead machine itself.
    world.put("orders-central-0-0", on: "a")
    world.put("orders-central-1-0", on: "c")
    world.put("orders-central-2-0", on: "b")
    world.machines["a"]?.isReady = false
    world.converge()
    #expect(world.told() == before && world.plan.steps == [])
    world.put("orders-central-0-0", on: "c")
    world.converge()
    let after = ["[fd00::3]:30092", "[fd00::2]:30092", "[fd00::3]:30092"]
    #expect(world.told() == after)
    #expect(world.broken == [] && world.plan.steps == [])
    // It takes nothing back by returning, and where no machine is heard of there is none to go to.
    world.machines["a"]?.isReady = true
    world.converge()
    #expect(world.told() == after && world.plan.steps == [])
    for name in world.machines.keys { world.machines[name]?.isReady = false }
    world.converge()
    #expect(world.told() == after && world.plan.steps == [])
  }

  @Test func aNewNodeIsNotReachedThroughAMachineThatIsToBeLeftAlone() throws {
    let world = World.onMachines([
      "a": Machine("fd00::1", isReady: false), "b": Machine("fd00::2", isOffered: false), "c": Machine("fd00::3"),
    ])
    #expect(world.told() == Array(repeating: "[fd00::3]:30092", count: 3))
  }

  @Test(
    arguments: [
      (#"{"status":{"addresses":[{"type":"InternalIP","address":"10.0.0.1"}]}}"#, Machine("10.0.0.1")),
      (
        #"{"status":{"addresses":[{"type":"InternalIP","address":"10.0.0.1"},{"type":"ExternalIP","address":"192.0.2.1"}],"#
          + #""conditions":[{"type":"MemoryPressure","status":"False"},{"type":"Ready","status":"True"}]}}"#,
        Machine("192.0.2.1")
      ),
      (
        #"{"spec":{"unschedulable":true},"status":{"addresses":[{"type":"InternalIP","address":"10.0.0.1"}],"#
          + #""conditions":[{"type":"Ready","status":"Unknown"}]}}"#,
        Machine("10.0.0.1", isReady: false, isOffered: false)
      ),
      (
        #"{"metadata":{"labels":{"node.kubernetes.io/exclude-from-external-load-balancers":""}},"#
          + #""status":{"addresses":[{"type":"InternalIP","address":"10.0.0.1"}]}}"#,
        Machine("10.0.0.1", isOffered: false)
      ),
      (#"{"status":{"addresses":[{"type":"Hostname","address":"one"}]}}"#, nil),
    ] as [(String, Machine?)])
  func aMachineIsWhatItsNodeSays(text: String, machine: Machine?) throws {
    #expect(Machine(try JSON(parsing: text)) == machine)
  }

  /// What goes wrong while all Regions are reached in one way after the other.
  private static func wrongWays(_ types: [RegionNetwork.Kind]) throws -> [String] {
    var world = World.three
    world.converge()
    var found: [String] = []
    for type in types {
      for place in world.regions.indices {
        world.regions[place].spec.network.type = type
        world.regions[place].spec.network.hostTemplate = "{pod}.{region}.example.com"
      }
      world.converge()
      world.giveAddresses(type)
      world.converge()
      if !world.plan.steps.isEmpty { found.append("\(type) comes to no end") }
      for name in ["west", "central", "north"] {
        let node = "orders-\(name)-0"
        let service = try #require(world.members[name]?.objects[ObjectID(.service, "kafka", node)])
        let isHeadless = type == .podIP || type == .hostTemplate
        if (service["spec"]["clusterIP"] == "None") != isHeadless { found.append("\(type): another Service") }
        let exported = world.members[name]?.objects[ObjectID(.serviceExport, "kafka", node)] != nil
        if exported != (type == .multiClusterService) { found.append("\(type): exported is \(exported)") }
        let uid = world.members[name]?.pods[node + "-0"]?.uid ?? ""
        let tells = world.advertised[uid] ?? ""
        if tells.isEmpty != (type == .podIP) { found.append("\(type): it tells \(tells)") }
      }
    }
    return found + world.broken
  }

  @Test func aRegionThatIsReachedInAnotherWayKeepsTheOldOneUntilItsBrokersTellTheNew() throws {
    #expect(try Self.wrongWays([.multiClusterService, .hostTemplate, .loadBalancer, .nodePort, .podIP]) == [])
    let planted = try PlantedMistake.$planted.withValue(.oldWayGoesFirst) {
      try Self.wrongWays([.multiClusterService, .hostTemplate])
    }
    #expect(planted != [], "the planted mistake is seen here")
  }

  @Test func whereNobodyHearsOfExportsNoBrokerTellsSuchANameAndTheRestGoesOn() throws {
    var world = World.three
    world.regions[0].spec.network.type = .multiClusterService
    let name = world.regions[0].metadata.name
    world.members[name]?.hasServiceExports = false
    world.converge()
    #expect(world.broken == [])
    #expect(world.plan.steps == [])
    #expect(world.plan.waits.contains { $0.contains("knows ServiceExports") && $0.contains("orders-\(name)-0") })
    #expect(world.members[name]?.pods.isEmpty == true)
    world.members[name]?.hasServiceExports = true
    world.converge()
    #expect(world.members[name]?.pods.isEmpty == false)
    #expect(world.plan.steps == [])
  }

  @Test func whereMachinesMayNotBeReadANodePortSaysWhichRightIsMissing() throws {
    var world = World.three
    world.regions[0].spec.network.type = .nodePort
    let name = world.regions[0].metadata.name
    world.members[name]?.machinesRefused = "\(name): may not list nodes: forbidden"
    world.converge()
    #expect(world.plan.steps == [])
    #expect(
      world.plan.waits.contains { $0.contains("orders-\(name)-0") && $0.contains("\(name): may not list nodes") })
    #expect(world.members[name]?.pods.isEmpty == true)
    world.members[name]?.machinesRefused = nil
    world.giveAddresses(.nodePort)
    world.converge()
    #expect(world.members[name]?.pods.isEmpty == false)
  }

  @Test func aBrokerAsksWhetherItMayStopAndHasTimeLeftAfterwards() throws {
    var world = World([
      RegionShare("central", brokers: 1, controllers: 1), RegionShare("north", brokers: 0, controllers: 1),
      RegionShare("west", brokers: 1, controllers: 1),
    ])
    world.converge()
    func pod(_ region: String) throws -> JSON {
      let set = world.members[region]?.objects[ObjectID(.statefulSet, "kafka", "orders-\(region)-0")]
      return try #require(set?["spec"]["template"]["spec"])
    }
    let broker = try pod("west")
    let container = broker["containers"][0]
    let words = try #require(container["lifecycle"]["preStop"]["exec"]["command"].strings)
    #expect(words.dropFirst().prefix(2) == ["brokers", "await-stop"])
    let patience = try #require(words.last.flatMap { Int($0) })
    let grace = try #require(broker["terminationGracePeriodSeconds"].int)
    // Leaders are handed over after it.
    #expect(patience * 2 <= grace)
    // Variables are not filled in in a hook's words.
    #expect(!words.contains { $0.contains("$(") })
    let environment = container["env"].elements.map { $0["name"].string }
    let place = try #require(environment.firstIndex(of: "SWIFTWATER_BOOTSTRAP_SERVER"))
    #expect(try #require(environment.firstIndex(of: "POD_IP")) < place)
    // A controller alone serves no clients who could be asked for.
    #expect(try pod("north")["containers"][0]["lifecycle"].isNull)
  }
}

extension World {
  /// Three brokers in one Region, reached through its machines.
  fileprivate static func onMachines(_ machines: [String: Machine]) -> World {
    var world = World([
      RegionShare("central", brokers: 3, controllers: 1), RegionShare("north", brokers: 1, controllers: 1),
      RegionShare("west", brokers: 1, controllers: 1),
    ])
    world.machines = machines
    for place in world.regions.indices { world.regions[place].spec.network.type = .nodePort }
    world.converge()
    world.giveAddresses(.nodePort)
    world.converge()
    return world
  }

  /// What the brokers of that Region say of themselves.
  fileprivate func told() -> [String?] {
    (0..<3).map { ordinal in
      let map = members["central"]?.objects[ObjectID(.configMap, "kafka", "orders-central-\(ordinal)")]
      let text = map?["data"]["server.properties"].string ?? ""
      return text.firstMatch(of: #/advertised.listeners=PLAINTEXT://([^,\n]*)/#).map { String($0.1) }
    }
  }

  fileprivate mutating func put(_ name: String, on machine: String) {
    guard let pod = members["central"]?.pods[name] else { return }
    members["central"]?.pods[name] = Pod(
      name: pod.name, uid: pod.uid, node: pod.node, revision: pod.revision, told: pod.told, address: pod.address,
      machine: machine, state: pod.state)
  }
}
