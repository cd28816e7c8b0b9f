import Glibc
import JSONValue
import KubernetesResources
import Reconciliation
import Testing

/// A leader that was cut off in the middle of a request to make something. Another one goes on; people delete what the
/// request was for; and then it arrives. Nothing fences it: it names nothing that was seen.
@Suite struct LateCreationTests {
  enum Deleted: CaseIterable { case everything, topic, regionOfTheCluster }

  /// The moments at which an operator is about to make something that is not there.
  private static let moments: [(fleet: Fleet, step: Step)] = CrashTests.whole(.clusterIsMade, .asPlanned).history
    .compactMap { moment in
      guard let step = moment.undone.first, case .apply(let object, let member) = step, let id = ObjectID(object),
        moment.servers[member]?[id] == nil, moment.world.members[member]?.objects[id] == nil
      else { return nil }
      return (moment, step)
    }

  private static func delete(_ deleted: Deleted, in fleet: inout Fleet) {
    switch deleted {
    case .topic: fleet.kubectlDelete(CrashTests.topicID, in: "west")
    case .everything:
      fleet.kubectlDelete(CrashTests.topicID, in: "west")
      _ = fleet.run()
      fleet.kubectlDelete(CrashTests.clusterID, in: "west")
      _ = fleet.run()
      for name in CrashTests.names { fleet.kubectlDelete(ObjectID(.region, Fleet.namespace, name), in: "west") }
    case .regionOfTheCluster:
      fleet.world.addTopic("__consumer_offsets", [100, 200, 300])
      fleet.kubectlEdit(CrashTests.clusterID, in: "west") { cluster in
        cluster["spec"]["regions"] = .array(
          cluster["spec"]["regions"].elements.filter { $0["name"].string != "north" })
        cluster["spec"]["durability"]["survive"] = "Broker"
      }
    }
  }

  /// What is different in the end for a request that comes late, in sentences.
  private static func differences(_ deleted: Deleted, _ moment: Fleet, _ step: Step) -> [String] {
    var found: [String] = []
    var fleet = moment
    fleet.replaceOperator()
    if !fleet.run() { found.append("it does not come to rest") }
    delete(deleted, in: &fleet)
    if !fleet.run() { found.append("it does not come to rest after the deletion") }
    let expected = Set(fleet.outcome.map(withoutVersions))
    _ = fleet.perform(step)
    if !fleet.run() { found.append("it does not come to rest after the late request") }
    // With a whole cluster its replicas and votes go, as they should.
    let goes = #/node \d+ was deleted with (a vote|replicas on it)/#
    found += fleet.world.broken.filter { deleted != .everything || $0.wholeMatch(of: goes) == nil }
    let outcome = Set(fleet.outcome.map(withoutVersions))
    for line in outcome.symmetricDifference(expected).sorted() {
      // A volume that is made late is empty, and volumes are never taken away unasked.
      if line.contains(" PersistentVolumeClaim ") { continue }
      let object = step.object.map { "\($0)" } ?? "nothing"
      found.append("\(object) came late: \(outcome.contains(line) ? "there is" : "missing is") \(line.prefix(200))")
    }
    return found
  }

  /// When something was deleted is said in the record of it.
  private static func withoutVersions(_ line: String) -> String { line.replacing(#/since":"[^"]*"/#) { _ in "since" } }

  @Test(arguments: Deleted.allCases) func whatArrivesWhenItWasDeletedGoesAgain(deleted: Deleted) {
    #expect(Self.moments.count > 20)
    let few = deleted == .everything ? 7 : 16
    let stride = getenv("SWIFTWATER_CRASHES") == nil ? few : 1
    for (place, moment) in Self.moments.enumerated() where place % stride == 0 {
      let found = Self.differences(deleted, moment.fleet, moment.step)
      #expect(found.isEmpty, "\(found.count): \(found.prefix(3))")
    }
  }

  @Test(arguments: [PlantedMistake.lateCopyVouches, .goneIsForgotten])
  func aPlantedMistakeIsSeen(mistake: PlantedMistake) {
    let isFound = PlantedMistake.$planted.withValue(mistake) {
      Self.moments.contains { !Self.differences(.everything, $0.fleet, $0.step).isEmpty }
    }
    #expect(isFound, "nobody noticed \(mistake)")
  }

  /// A topic is deleted, and a person applies another one under its name where the late copy of the first arrives.
  private static func overwritten() -> [String] {
    let copies = moments.filter { moment in
      guard case .apply(let object, let member) = moment.step else { return false }
      return ObjectID(object) == CrashTests.topicID && member != "west"
    }
    var found = copies.isEmpty ? ["no copy is made"] : []
    for moment in copies {
      guard case .apply(_, let member) = moment.step else { continue }
      var fleet = moment.fleet
      fleet.replaceOperator()
      _ = fleet.run()
      delete(.topic, in: &fleet)
      _ = fleet.run()
      var topic = KafkaTopic()
      topic.metadata.name = "payments"
      topic.spec.cluster.name = "orders"
      topic.spec.partitions = 7
      fleet.kubectlApply(topic, in: member)
      fleet.arriveLate(moment.step)
      if !fleet.run() { found.append("it does not come to rest") }
      let object = fleet.servers[member]?[CrashTests.topicID]
      if object?["spec"]["partitions"].int != 7 { found.append("\(member) has another topic than was applied there") }
      if object?["metadata"]["labels"][Marks.origin].string != nil { found.append("what a person applied is a copy") }
    }
    return found
  }

  @Test func aLateCopyDoesNotTakeThePlaceOfWhatAPersonHasJustApplied() {
    #expect(Self.overwritten() == [])
    let planted = PlantedMistake.$planted.withValue(.lateCopyOverwrites) { Self.overwritten() }
    #expect(planted != [], "the planted mistake is seen here")
  }

  @Test func aClusterThatIsAppliedAgainTakesAwayWhatSaysThatItIsGone() {
    var fleet = CrashTests.fleet(before: .imageIsRolled)
    _ = fleet.run()
    let cluster = fleet.servers["west"]?[CrashTests.clusterID] ?? .null
    Self.delete(.everything, in: &fleet)
    let isGone = fleet.run()
    #expect(isGone)
    let record = ObjectID(.configMap, Fleet.namespace, "orders-gone")
    #expect(fleet.world.members.values.allSatisfy { $0.objects[record] != nil })
    for name in CrashTests.names {
      var region = Region()
      region.metadata.name = name
      fleet.kubectlApply(region, in: "west")
    }
    var again = KafkaCluster()
    again.metadata.name = "orders"
    again.spec = KafkaCluster.read(cluster).resource.spec
    fleet.kubectlApply(again, in: "west")
    let isThere = fleet.run()
    #expect(isThere)
    #expect(fleet.world.members.values.allSatisfy { $0.objects[record] == nil })
  }

  @Test func leftoversAreDeletedForNothingButARecordAndWithEveryMemberSeen() {
    var service: JSON = ["kind": "Service", "metadata": ["uid": "u1"]]
    service["metadata"]["labels"] = [Marks.cluster: "orders"]
    let id = ObjectID(.service, "kafka", "orders-a")
    let record = ObjectID(.configMap, "kafka", "orders-gone")
    var objects = MemberObjects()
    objects.objects[id] = service
    func plan(_ members: [String: View<MemberObjects>]) -> [Step] {
      ClusterReconciliation.leftovers(
        of: CrashTests.clusterID, in: members, forgetting: "2026-01-01T00:00:00Z"
      ).steps
    }
    #expect(plan(["a": .seen(objects)]) == [], "that no KafkaCluster is seen is no reason")
    objects.objects[record] = ["metadata": ["uid": "u2"], "data": ["since": "2026-01-02T00:00:00Z"]]
    #expect(plan(["a": .seen(objects)]) == [.delete(id, uid: "u1", member: "a")])
    #expect(plan(["a": .seen(objects), "b": .unknown(since: "t", why: "no answer")]) == [])
    objects.objects[id] = nil
    #expect(plan(["a": .seen(objects)]) == [])
    objects.objects[record]?["data"]["since"] = "2025-12-31T00:00:00Z"
    #expect(plan(["a": .seen(objects)]) == [.delete(record, uid: "u2", member: "a")])
  }
}
