import JSONValue
import KubernetesResources
import Reconciliation
import Testing

/// A member that was lost, whose Region was deleted, and that comes back with everything it had: what the others deleted
/// and changed since stays as they left it.
@Suite struct ReturnTests {
  /// Everything is applied in west. What the lost member had, and the others with a topic deleted and another changed.
  private static func fleet(lost: String) -> (fleet: Fleet, had: [ObjectID: JSON]) {
    var fleet = CrashTests.fleet(before: .imageIsRolled)
    var spare = KafkaTopic()
    spare.metadata.name = "spare"
    spare.spec.cluster.name = "orders"
    fleet.kubectlApply(spare, in: "west")
    if !fleet.run() { fleet.world.broken.append("it does not come to rest with another topic") }
    fleet.world.addTopic("__consumer_offsets", [100, 200, 300])
    let had = fleet.servers[lost] ?? [:]
    let home = lost == "west" ? "central" : "west"
    if lost == "west" { rehome(&fleet, to: home) }
    fleet.kubectlEdit(CrashTests.clusterID, in: home) { cluster in
      cluster["spec"]["regions"] = .array(cluster["spec"]["regions"].elements.filter { $0["name"].string != lost })
      cluster["spec"]["durability"]["survive"] = "Broker"
    }
    if !fleet.run() { fleet.world.broken.append("it does not come to rest without the Region") }
    fleet.kubectlDelete(ObjectID(.region, Fleet.namespace, lost), in: home)
    if !fleet.run() { fleet.world.broken.append("the Region does not go") }
    fleet.servers[lost] = nil
    fleet.world.members[lost] = nil
    fleet.kubectlDelete(CrashTests.topicID, in: home)
    fleet.kubectlEdit(ObjectID(.kafkaTopic, Fleet.namespace, "spare"), in: home) { $0["spec"]["partitions"] = 5 }
    if !fleet.run() { fleet.world.broken.append("it does not come to rest without the member") }
    return (fleet, had)
  }

  /// As `swiftwater kubectl rehome`: without west nobody but copies is there.
  private static func rehome(_ fleet: inout Fleet, to home: String) {
    for member in fleet.members where member != "west" {
      for (id, object) in fleet.servers[member] ?? [:] where object["metadata"]["labels"][Marks.origin].string == "west"
      {
        if member == home {
          fleet.servers[member]?[id]?["metadata"]["labels"].remove(Marks.origin)
          fleet.servers[member]?[id]?["metadata"]["finalizers"] = [.string(Marks.finalizer)]
        } else {
          fleet.servers[member]?[id]?["metadata"]["labels"][Marks.origin] = .string(home)
        }
      }
    }
    fleet.servers["west"] = fleet.servers["west"]?.mapValues { object in
      var object = object
      object["metadata"]["labels"][Marks.origin] = .string(home)
      object["metadata"].remove("finalizers")
      return object
    }
  }

  /// The Region is applied again, and leads to what the member had when it was lost.
  private static func bringBack(_ lost: String, _ had: [ObjectID: JSON], in fleet: inout Fleet) {
    fleet.servers[lost] = had
    fleet.world.members[lost] = World.Member()
    var region = Region()
    region.metadata.name = lost
    fleet.kubectlApply(region, in: lost == "west" ? "central" : "west")
    if !fleet.run() { fleet.world.broken.append("it does not come to rest with the member that is back") }
  }

  /// What is wrong in the end, in sentences.
  private static func mistakes(_ lost: String) -> [String] {
    var (fleet, had) = fleet(lost: lost)
    let (home, other) = lost == "west" ? ("central", "north") : ("west", "central")
    let before = fleet.servers[other] ?? [:]
    bringBack(lost, had, in: &fleet)
    var found = fleet.world.broken
    for member in [home, other] {
      if fleet.servers[member]?[CrashTests.topicID] != nil { found.append("the topic is back in \(member)") }
    }
    for (id, object) in before where fleet.servers[other]?[id]?["spec"] != object["spec"] {
      found.append("\(id) is another one in \(other)")
    }
    if fleet.world.facts.topics.contains(where: { $0.name == "payments" }) {
      found.append("brokers have the topic again")
    }
    let spare = ObjectID(.kafkaTopic, Fleet.namespace, "spare")
    let partitions = fleet.servers[home]?[spare]?["spec"]["partitions"].int
    if partitions != 5 { found.append("the other topic has \(partitions ?? 0) partitions") }
    return found
  }

  @Test(arguments: ["north", "west"]) func whatWasDeletedAndChangedMeanwhileStaysSo(lost: String) {
    #expect(Self.mistakes(lost) == [])
    guard lost == "west" else { return }
    let planted = PlantedMistake.$planted.withValue(.returnedIsFollowed) { Self.mistakes(lost) }
    #expect(planted != [], "the planted mistake is seen here")
  }

  @Test func copiesThatWereLeftBehindGoAndOriginalsSaySo() {
    var (fleet, had) = Self.fleet(lost: "north")
    Self.bringBack("north", had, in: &fleet)
    #expect(fleet.servers["north"]?[CrashTests.topicID] == nil)
    (fleet, had) = Self.fleet(lost: "west")
    Self.bringBack("west", had, in: &fleet)
    let topic = fleet.servers["west"]?[CrashTests.topicID]
    #expect(topic?["status"]["conditions"].elements.contains { $0["reason"].string == "LeftBehind" } == true)
    // It may be deleted, finalizer and all, and applied again.
    fleet.kubectlDelete(CrashTests.topicID, in: "west")
    let isAtRest = fleet.run()
    #expect(isAtRest)
    #expect(fleet.servers["west"]?[CrashTests.topicID] == nil)
    var again = KafkaTopic()
    again.metadata.name = "payments"
    again.spec.cluster.name = "orders"
    fleet.kubectlApply(again, in: "west")
    let isThere = fleet.run()
    #expect(isThere)
    #expect(fleet.members.allSatisfy { fleet.servers[$0]?[CrashTests.topicID] != nil })
  }

  @Test func anOriginalThatCopiesElsewhereStillNameIsOneAsBefore() {
    // Its Region was deleted by mistake, and nobody gave its objects another home.
    var fleet = CrashTests.fleet(before: .imageIsRolled)
    _ = fleet.run()
    for member in ["central", "north"] {
      let record = Departure("west", since: "2027-01-01T00:00:00Z").record(in: Fleet.namespace)
      _ = fleet.perform(.apply(record, member: member))
    }
    fleet.kubectlEdit(CrashTests.topicID, in: "west") { $0["spec"]["partitions"] = 9 }
    let isAtRest = fleet.run()
    #expect(isAtRest)
    #expect(fleet.servers["north"]?[CrashTests.topicID]?["spec"]["partitions"].int == 9)
  }

  @Test func whatRunsInAMemberThatWasGivenUpIsEndedThereAndNothingElse() {
    func set(_ name: String, made: String?, node: String? = "100", owner: String = Marks.managedByValue) -> JSON {
      var meta: JSON = ["name": .string(name), "namespace": "kafka", "uid": .string("u-\(name)")]
      meta["labels"] = [Marks.managedBy: .string(owner), Marks.node: node.map { .string($0) } ?? .null]
      if let made { meta["creationTimestamp"] = .string(made) }
      return ["apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta]
    }
    let departure = Departure("west", since: "2026-03-01T00:00:00Z")
    var going = set("going", made: "2026-01-01T00:00:00Z")
    going["metadata"]["deletionTimestamp"] = "2026-03-02T00:00:00Z"
    let steps = departure.standDown([
      set("b", made: "2026-02-28T23:59:59Z"), set("a", made: "2026-01-01T00:00:00Z"),
      set("new", made: "2026-03-01T00:00:00Z"), set("unknown", made: nil), going,
      set("others", made: "2026-01-01T00:00:00Z", owner: "somebody"),
      set("no-node", made: "2026-01-01T00:00:00Z", node: nil),
    ])
    let expected = ["a", "b"].map { name in
      Step.delete(ObjectID(.statefulSet, "kafka", name), uid: "u-\(name)", member: "west")
    }
    #expect(steps == expected)
  }

  @Test func everyOtherMemberThatIsSeenRemembersTheLastTime() {
    let departure = Departure("c", since: "2026-01-02T00:00:00Z")
    let known: [String: View<[String: String]>] = [
      "a": .seen(["c": "2026-01-01T00:00:00Z"]), "b": .seen(["c": "2026-01-02T00:00:00Z"]), "c": .seen([:]),
      "d": .unknown(since: "t", why: "no answer"), "e": .seen([:]),
    ]
    let told = departure.steps(in: "kafka", known: known).compactMap { step -> String? in
      if case .apply(let object, let member) = step, Departure(object) == departure { member } else { nil }
    }
    #expect(told == ["a", "e"])
    #expect(Departure.all(known) == ["c": "2026-01-02T00:00:00Z"])
    #expect(Departure.all(["c": .seen(["c": "t"])]) == [:], "nobody says of itself that it is gone")
  }
}
