import JSONValue
import KubernetesResources
import Reconciliation
import Testing

/// Whether what is behind a Region's kubeconfig is the Kubernetes cluster that was there before.
@Suite struct RecognitionTests {
  private typealias Way = MemberWay<String>

  private func recognize(_ ways: Way...) -> MemberRecognition<String> {
    MemberRecognition(ways, namespace: "kafka")
  }
  private func way(
    _ key: String, _ name: String?, _ uid: String = "", replaces: String? = nil, recorded: (String, String?)? = nil
  ) -> Way {
    MemberWay(
      key, found: name.map { .marker(MemberMarker($0, uid: uid, predecessor: replaces)) } ?? .noMarker,
      recorded: .init(member: recorded?.0, uid: recorded?.1))
  }
  private let home = MemberWay("home", found: .marker(MemberMarker("west", uid: "w")))

  @Test func aNewRegionTakesTheClusterThatItFinds() {
    let found = recognize(home, way("east", "east", "e"))
    #expect(found.members == ["home": "west", "east": "east"])
    #expect(found.chosen == ["west": "home", "east": "east"])
    #expect(found.strangers == [:])
  }

  @Test func aStatusOfAnOlderOperatorTakesTheUidOfItsMemberAndOfNoOther() {
    #expect(recognize(home, way("east", "east", "e", recorded: ("east", nil))).members["east"] == "east")
    let other = recognize(home, way("east", "staging", "s", recorded: ("east", nil)))
    #expect(other.members == ["home": "west"])
    #expect(
      other.strangers["east"]?.contains("names east, and its kubeconfig leads to one where it names staging") == true)
  }

  @Test func anotherUidIsAnotherClusterWhateverItsName() {
    for name in ["east", "staging", nil] {
      let found = recognize(home, way("east", name, "s", recorded: ("east", "e")))
      #expect(found.chosen == ["west": "home"])
      let words = found.strangers["east"] ?? ""
      #expect(words.contains("names east (uid e)"))
      #expect(words.contains("Put the kubeconfig of east back, or delete this Region"))
      #expect(words.contains("kafka.swiftwater.dev/replaces: e"))
    }
  }

  @Test func theSameUidUnderAnotherNameIsNotTaken() {
    #expect(recognize(home, way("east", "renamed", "e", recorded: ("east", "e"))).members["east"] == nil)
  }

  @Test func peopleMaySayThatALostMarkerWasReplaced() {
    let found = recognize(home, way("east", "east", "new", replaces: "e", recorded: ("east", "e")))
    #expect(found.members["east"] == "east")
    #expect(recognize(home, way("east", "east", "new", replaces: "x", recorded: ("east", "e"))).members["east"] == nil)
  }

  @Test func aMarkerThatWasReplacedIsOneClusterWhoeverHasSeenIt() {
    let seen = MemberWay("home", found: .marker(MemberMarker("west", uid: "new", predecessor: "w")))
    let new = way("self", "west", "new", replaces: "w", recorded: ("west", "w"))
    let old = way("self", "west", "w", recorded: ("west", "w"))
    for found in [recognize(home, new), recognize(seen, old), recognize(seen, new)] {
      #expect(found.members == ["home": "west", "self": "west"])
      #expect(found.strangers == [:])
    }
  }

  @Test func aNameBelongsToTheClusterForWhichItIsRecorded() {
    let recorded = way("east", "east", "e", recorded: ("east", "e"))
    let found = recognize(home, way("a-new-one", "east", "other"), recorded)
    #expect(found.chosen["east"] == "east")
    #expect(
      found.strangers["a-new-one"]?.contains("(uid other) names east, and so does that of another cluster") == true)
    #expect(recognize(home, way("new", "west", "other")).chosen == ["west": "home"])
  }

  @Test func twoRegionsOfOneClusterAreReadByTheFirstOfThem() {
    let found = recognize(home, way("east-1", "east", "e"), way("east-2", "east", "e", recorded: ("east", "e")))
    #expect(found.members == ["home": "west", "east-1": "east", "east-2": "east"])
    #expect(found.chosen["east"] == "east-1")
    #expect(recognize(home, way("west", "west", "w", recorded: ("west", "w"))).chosen == ["west": "home"])
  }

  @Test func aClusterThatDoesNotAnswerIsNotCalledAnother() {
    let silent = MemberWay("east", found: .nothingYet, recorded: .init(member: "east", uid: "e"))
    #expect(recognize(home, silent).strangers == [:])
    #expect(recognize(home, silent).members == ["home": "west"])
  }

  @Test func aRegionKeepsWhatWasRecordedWhileItLeadsElsewhere() {
    var region = Region()
    region.metadata = ObjectMeta(name: "east", namespace: "kafka")
    region.status.member = "east"
    region.status.memberUID = "e"
    let copies: [String: View<RecordedCopy<RegionStatus>>] = [
      "west": .seen(RecordedCopy(generation: 1, status: region.status))
    ]
    func status(_ contact: RegionSituation.Contact) -> RegionStatus? {
      let plan = RegionReconciliation.plan(RegionSituation(region, copies: copies, contact: contact, now: "now"))
      guard case .writeStatus(_, let json, _)? = plan.steps.first else { return nil }
      var ignored: [Mistake] = []
      return RegionStatus(reading: json, at: "status", mistakes: &ignored)
    }
    let astray = status(.another(why: "It is another one."))
    #expect(astray?.member == "east")
    #expect(astray?.memberUID == "e")
    for type in ["Reachable", "Ready", "Stalled"] { #expect(astray?.conditions[type]?.reason == "AnotherCluster") }
    #expect(astray?.conditions["Stalled"]?.status == .yes)
    region.status.memberUID = nil
    #expect(status(.reached(member: "east", uid: "e", version: "v1.33.1", roundTripMilliseconds: 1))?.memberUID == "e")
  }
}
