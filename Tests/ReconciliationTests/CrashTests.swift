import Glibc
import JSONValue
import KubernetesResources
import Reconciliation
import Testing
import Vocabulary

/// An operator that dies after any one of its writes, and the next one that finds what it left.
///
/// For every change that people make, and for every n: the operator dies after the n-th write of that change, another one
/// goes on, and in the end everything is as if nobody had died.
@Suite struct CrashTests {
  enum Change: String, CaseIterable, Sendable {
    case clusterIsMade
    case imageIsRolled
    case topicIsChanged
    case topicIsDeleted
    case clusterGrows
    case regionLeaves
  }
  static let names = ["central", "north", "west"]

  /// A fleet that is at rest, with the change made and nobody having seen it.
  static func fleet(before change: Change, _ lanes: Fleet.Lanes = .asPlanned) -> Fleet {
    var fleet = Fleet(names)
    apply(&fleet, in: change == .clusterGrows ? ["central"] : names)
    if change != .clusterIsMade, !fleet.run() { fleet.world.broken.append("it does not come to rest at first") }
    fleet.lanes = lanes
    switch change {
    case .clusterIsMade: break
    case .imageIsRolled: edit(&fleet, clusterID) { $0["spec"]["image"] = "new" }
    case .topicIsChanged:
      edit(&fleet, topicID) { topic in
        topic["spec"]["partitions"] = 5
        topic["spec"]["config"] = ["retention.ms": "7"]
        topic["spec"]["placement"] = ["replicas": ["central": 1, "west": 1]]
      }
    case .topicIsDeleted: fleet.kubectlDelete(topicID, in: "west")
    case .clusterGrows:
      fleet.world.addTopic("__consumer_offsets", [100])
      edit(&fleet, clusterID) { $0["spec"] = World(shares(names)).cluster.spec.json }
    case .regionLeaves:
      fleet.world.addTopic("__consumer_offsets", [100, 200, 300])
      edit(&fleet, clusterID) { cluster in
        cluster["spec"]["regions"] = .array(
          cluster["spec"]["regions"].elements.filter { $0["name"].string != "north" })
        cluster["spec"]["durability"]["survive"] = "Broker"
      }
      fleet.kubectlDelete(ObjectID(.region, Fleet.namespace, "north"), in: "west")
    }
    return fleet
  }

  static let clusterID = ObjectID(.kafkaCluster, Fleet.namespace, "orders")
  static let topicID = ObjectID(.kafkaTopic, Fleet.namespace, "payments")

  private static func edit(_ fleet: inout Fleet, _ id: ObjectID, _ change: (inout JSON) -> Void) {
    fleet.kubectlEdit(id, in: "west", change)
  }

  private static func shares(_ names: [String]) -> [RegionShare] {
    names.map { RegionShare($0, brokers: 1, controllers: 1) }
  }

  private static func apply(_ fleet: inout Fleet, in places: [String]) {
    for name in names {
      var region = Region()
      region.metadata.name = name
      fleet.kubectlApply(region, in: "west")
    }
    let survive = places.count > 1 ? Durability.Loss.region : .broker
    fleet.kubectlApply(World(shares(places), survive: survive).cluster, in: "west")
    var topic = KafkaTopic()
    topic.metadata.name = "payments"
    topic.spec.cluster.name = "orders"
    topic.spec.partitions = 3
    topic.spec.deletionPolicy = .delete
    fleet.kubectlApply(topic, in: "west")
  }

  /// A change from being made to rest, with how everything was after each write.
  static func whole(_ change: Change, _ lanes: Fleet.Lanes) -> Fleet {
    var fleet = fleet(before: change, lanes)
    fleet.isRecording = true
    if !fleet.run() { fleet.world.broken.append("it does not come to rest") }
    return fleet
  }

  /// What is wrong in the end when the operator died at this moment, in sentences; with `late` its next write arrives
  /// after the next operator has come to rest.
  static func differences(_ moment: Fleet, late: Bool, from expected: Set<String>) -> [String] {
    var fleet = moment
    fleet.replaceOperator()
    var found: [String] = []
    if !fleet.run() { found.append("it does not come to rest") }
    if late, let step = fleet.undone.first, !isFenced(step, moment, now: fleet) {
      _ = fleet.perform(step)
      if !fleet.run() { found.append("it does not come to rest after a late write") }
    }
    found += fleet.world.broken
    let outcome = Set(fleet.outcome)
    let missing = expected.subtracting(outcome).sorted()
    for line in outcome.subtracting(expected).sorted() {
      let subject = line.split(separator: " ").prefix(3)
      let other = missing.first { $0.split(separator: " ").prefix(3) == subject }
      found.append("there is \(subject.joined(separator: " ")): \(shown(line, unlike: other ?? ""))")
    }
    return found + missing.map { "missing is \($0.split(separator: " ").prefix(3).joined(separator: " "))" }
  }

  /// A status and finalizers are written over the version that was seen: an API server refuses what comes too late.
  private static func isFenced(_ step: Step, _ seen: Fleet, now: Fleet) -> Bool {
    switch step {
    case .writeStatus(let id, _, let member), .setFinalizers(let id, _, let member):
      seen.servers[member]?[id] != now.servers[member]?[id]
    case .apply, .delete, .restart, .tell, .event, .ask: false
    }
  }

  /// Where two lines part.
  private static func shown(_ line: String, unlike other: String) -> String {
    let same = zip(line, other).prefix { $0 == $1 }.count
    func part(_ text: String) -> Substring { text.dropFirst(max(0, same - 40)).prefix(160) }
    return "'\(part(line))' and not '\(part(other))'"
  }

  /// Whatever is wrong after a death at any moment of a change; of the moments every n-th is tried.
  static func differences(_ change: Change, _ lanes: Fleet.Lanes, each stride: Int, late: Bool = false) -> [String] {
    let whole = whole(change, lanes)
    let expected = Set(whole.outcome)
    var found = whole.world.broken
    if whole.history.count < 3 { found.append("there are \(whole.history.count) writes") }
    for (place, moment) in whole.history.enumerated() where place % stride == 0 {
      found += differences(moment, late: late, from: expected).map { "dead after \(place + 1) writes: \($0)" }
    }
    return found
  }

  /// How many of the moments are tried: where many nodes are looked at each takes long. `SWIFTWATER_CRASHES=all` tries
  /// them all.
  private static func stride(_ change: Change, _ few: Int) -> Int {
    if getenv("SWIFTWATER_CRASHES") != nil { return 1 }
    switch change {
    case .clusterIsMade, .topicIsChanged, .topicIsDeleted: return few
    case .imageIsRolled, .clusterGrows, .regionLeaves: return few * 3
    }
  }

  @Test(arguments: Change.allCases) func aCrashAfterAnyWriteIsGoneOnFrom(change: Change) {
    let found = Self.differences(change, .asPlanned, each: Self.stride(change, 1))
    #expect(found.isEmpty, "\(found.count): \(found.prefix(2))")
  }

  @Test(arguments: Change.allCases) func inWhicheverOrderTheLanesOfMembersWereGoneOnFrom(change: Change) {
    for lanes in [Fleet.Lanes.brokersFirst, .lastMemberFirst] {
      let found = Self.differences(change, lanes, each: Self.stride(change, 7))
      #expect(found.isEmpty, "\(lanes), \(found.count): \(found.prefix(2))")
    }
  }

  /// A write that was on its way when its operator died is put right by the next one.
  @Test(arguments: Change.allCases) func aLateWriteOfADeadOperatorIsPutRight(change: Change) {
    let found = Self.differences(change, .asPlanned, each: Self.stride(change, 7), late: true)
    #expect(found.isEmpty, "\(found.count): \(found.prefix(2))")
  }

  @Test func aClusterThatGrowsOutOfOneRegionTakesItsGroupsAlong() {
    var fleet = Self.fleet(before: .clusterGrows)
    let isAtRest = fleet.run()
    #expect(isAtRest)
    #expect(fleet.world.broken == [])
    #expect(fleet.world.facts.voters.count == 3)
    for topic in fleet.world.facts.topics {
      #expect(topic.partitions.allSatisfy { $0.replicas.count == 3 })
    }
  }

  @Test func aCrashFindsAFinalizerThatGoesBeforeTheCopies() {
    let (undisturbed, found) = PlantedMistake.$planted.withValue(.finalizerBeforeCopies) {
      let whole = Self.whole(.topicIsDeleted, .lastMemberFirst)
      return (whole.world.broken, Self.differences(.topicIsDeleted, .lastMemberFirst, each: 1))
    }
    #expect(undisturbed == [], "nothing shows as long as nobody dies")
    #expect(found != [], "a crash shows it")
  }
}
