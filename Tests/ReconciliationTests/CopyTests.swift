import JSONValue
import KubernetesResources
import Reconciliation
import Testing

@Suite struct CopyTests {
  static let id = ObjectID(.kafkaTopic, "kafka", "payments")

  static func topic(partitions: Int = 3, created: String = "2026-01-01T00:00:00Z", finalizer: Bool = true) -> JSON {
    var topic: JSON = [
      "apiVersion": .string(Marks.apiVersion), "kind": "KafkaTopic",
      "metadata": [
        "name": "payments", "namespace": "kafka", "uid": "u1", "generation": 4, "creationTimestamp": .string(created),
      ],
      "spec": ["partitions": JSON(partitions)],
    ]
    if finalizer { topic["metadata"]["finalizers"] = [.string(Marks.finalizer)] }
    return topic
  }

  /// What has been applied, with a uid, and what an operator that leads has said about it.
  static func stored(_ object: JSON) -> JSON {
    var object = object
    object["status"] = ["observedGeneration": 1]
    object["metadata"]["uid"] = "u2"
    object["metadata"]["creationTimestamp"] = "2026-02-01T00:00:00Z"
    return object
  }

  static func plan(_ members: [String: View<JSON?>], mayGo: Bool = true) -> CopyPlan {
    CopyReconciliation.plan(CopySituation(id, members: members, mayGo: mayGo))
  }

  static func copy(of original: JSON) -> JSON {
    for case .apply(let object, "b") in plan(["a": .seen(original), "b": .seen(nil)]).plan.steps {
      return stored(object)
    }
    return .null
  }

  static let unknown = View<JSON?>.unknown(since: "t", why: "no answer")

  @Test func anObjectIsCopiedToEveryMemberAndThenNothingIsWritten() {
    let original = Self.topic()
    let copy = Self.copy(of: original)
    #expect(copy["metadata"]["labels"][Marks.origin].string == "a")
    #expect(copy["spec"] == original["spec"])
    let plan = Self.plan(["a": .seen(original), "b": .seen(copy)])
    #expect(plan.plan.steps == [])
    #expect(plan.origin == "a")
  }

  @Test func aCopyDoesNotSayThatItComesFromARepository() {
    var original = Self.topic()
    original["metadata"]["labels"] = [
      "team": "payments", "app.kubernetes.io/instance": "topics", "argocd.argoproj.io/instance": "topics",
      "kustomize.toolkit.fluxcd.io/name": "topics",
    ]
    let copy = Self.copy(of: original)
    #expect(copy["metadata"]["labels"] == ["team": "payments", "kafka.swiftwater.dev/origin": "a"])
    #expect(Self.plan(["a": .seen(original), "b": .seen(copy)]).plan.steps == [])
  }

  @Test func anOriginalGetsItsFinalizerFirst() {
    let plan = Self.plan(["a": .seen(Self.topic(finalizer: false))])
    #expect(plan.plan.steps == [.setFinalizers(Self.id, [Marks.finalizer], member: "a")])
  }

  @Test func anEditOfACopyIsPutBackAndReported() {
    var copy = Self.copy(of: Self.topic())
    copy["spec"]["partitions"] = 9
    let plan = Self.plan(["a": .seen(Self.topic()), "b": .seen(copy)])
    #expect(plan.plan.steps.count == 2)
    #expect(plan.truth?["spec"]["partitions"].int == 3)
  }

  @Test func aCopyThatWasDeletedComesBack() {
    let plan = Self.plan(["a": .seen(Self.topic()), "b": .seen(nil)])
    #expect(plan.plan.steps.count == 1)
  }

  @Test func survivorsWorkFromTheirCopyWhileTheOriginIsUnknown() {
    let copy = Self.copy(of: Self.topic())
    let plan = Self.plan(["a": Self.unknown, "b": .seen(copy), "c": .seen(nil)])
    #expect(plan.truth?["spec"]["partitions"].int == 3)
    #expect(plan.origin == "a")
    #expect(plan.created == "2026-01-01T00:00:00Z")
    #expect(plan.plan.steps.count == 1, "the third member gets a copy too")
  }

  @Test func anOriginalThatWasLostIsMadeAgain() {
    let copy = Self.copy(of: Self.topic())
    let plan = Self.plan(["a": .seen(nil), "b": .seen(copy)])
    guard case .apply(let object, member: "a") = plan.plan.steps.first else {
      Issue.record("nothing is applied to the origin")
      return
    }
    #expect(object["metadata"]["labels"][Marks.origin].string == "a")
    #expect(!plan.plan.steps.contains { if case .delete = $0 { true } else { false } })
  }

  /// A request of a former leader that arrives when the original has been deleted.
  @Test func aCopyThatNobodySawWhileTheyLedBringsNothingBack() {
    var late = Self.copy(of: Self.topic())
    late.remove("status")
    #expect(
      Self.plan(["a": .seen(nil), "b": .seen(late)]).plan.steps == [.delete(Self.id, uid: "u2", member: "b")])
    let plan = Self.plan(["a": Self.unknown, "b": .seen(late)])
    #expect(plan.plan.steps == [] && plan.truth == nil && plan.plan.waits.count == 1, "its original may be there")
    let planted = PlantedMistake.$planted.withValue(.lateCopyVouches) {
      Self.plan(["a": .seen(nil), "b": .seen(late)]).plan.steps
    }
    #expect(planted.contains { if case .apply = $0 { true } else { false } }, "the planted mistake is seen here")
  }

  @Test func aCopyThatNobodySawTakesNothingFromWhatWasAppliedSince() {
    var late = Self.copy(of: Self.topic())
    late.remove("status")
    let new = Self.topic(partitions: 7, created: "2026-04-01T00:00:00Z")
    let plan = Self.plan(["a": .seen(nil), "b": .seen(late), "c": .seen(new)])
    #expect(plan.origin == "c" && plan.truth?["spec"]["partitions"].int == 7)
  }

  @Test func anOriginalIsMadeAgainInTwoWritesAndTheFirstAloneIsNone() throws {
    let copy = Self.copy(of: Self.topic())
    guard case .apply(let first, "a") = Self.plan(["a": .seen(nil), "b": .seen(copy)]).plan.steps.first else {
      Issue.record("nothing is made again")
      return
    }
    let made = Self.stored(first)
    guard case .apply(let second, "a") = Self.plan(["a": .seen(made), "b": .seen(copy)]).plan.steps.first else {
      Issue.record("it stays what it was made as")
      return
    }
    #expect(second["metadata"]["labels"][Marks.origin].isNull)
    #expect(Self.plan(["a": .seen(Self.stored(second)), "b": .seen(copy)]).origin == "a")
    // The first of the two arrives when all is deleted: it goes again, once nobody can vouch for it.
    #expect(Self.plan(["a": .seen(made), "b": Self.unknown]).plan.steps == [])
    #expect(
      Self.plan(["a": .seen(made), "b": .seen(nil)]).plan.steps == [.setFinalizers(Self.id, [], member: "a")])
    var bare = made
    bare["metadata"].remove("finalizers")
    #expect(
      Self.plan(["a": .seen(bare), "b": .seen(nil)]).plan.steps == [.delete(Self.id, uid: "u2", member: "a")])
    // It is the operators' own, and stands in nobody's way.
    let new = Self.topic(partitions: 7, created: "2026-04-01T00:00:00Z")
    let plan = Self.plan(["a": .seen(made), "b": .seen(new)])
    #expect(plan.origin == "b" && plan.plan.waits == [])
    #expect(plan.plan.steps.contains { if case .apply(_, "a") = $0 { true } else { false } })
  }

  @Test func aDeletionIsDoneOnceEveryMemberHasLostItsCopy() {
    var original = Self.topic()
    original["metadata"]["deletionTimestamp"] = "t"
    let copy = Self.copy(of: Self.topic())
    let all: [String: View<JSON?>] = ["a": .seen(original), "b": .seen(copy)]
    #expect(Self.plan(all, mayGo: false).plan.steps == [])
    #expect(Self.plan(all).plan.steps == [.delete(Self.id, uid: "u2", member: "b")])
    #expect(
      Self.plan(["a": .seen(original), "b": .seen(nil)]).plan.steps == [.setFinalizers(Self.id, [], member: "a")])
  }

  @Test func anUnknownMemberKeepsADeletionWaiting() {
    var original = Self.topic()
    original["metadata"]["deletionTimestamp"] = "t"
    // It says so, and that is all.
    original["status"] = Self.status(Self.plan(["a": .seen(original), "b": Self.unknown]))
    let members: [String: View<JSON?>] = ["a": .seen(original), "b": Self.unknown]
    #expect(Self.plan(members).plan.steps == [])
    let planted = PlantedMistake.$planted.withValue(.unknownIsAbsent) { Self.plan(members).plan.steps }
    #expect(planted != [], "the planted mistake is seen here")
  }

  @Test func aMemberThatIsGivenUpKeepsNoDeletionWaitingAndOthersDo() {
    var original = Self.topic()
    original["metadata"]["deletionTimestamp"] = "t"
    var situation = CopySituation(
      Self.id, members: ["a": .seen(original), "b": Self.unknown, "c": Self.unknown], mayGo: true, givenUp: ["b"])
    // It says what it waits for, and that is all.
    original["status"] = Self.status(CopyReconciliation.plan(situation))
    situation.members["a"] = .seen(original)
    #expect(CopyReconciliation.plan(situation).plan.steps == [])
    situation.members["c"] = .seen(nil)
    #expect(CopyReconciliation.plan(situation).plan.steps == [.setFinalizers(Self.id, [], member: "a")])
    // Where it can be seen its copy goes first, as everybody's.
    situation.members["b"] = .seen(Self.copy(of: Self.topic()))
    #expect(CopyReconciliation.plan(situation).plan.steps == [.delete(Self.id, uid: "u2", member: "b")])
  }

  @Test func theOlderOfTwoOriginalsCountsAndTheOtherIsLeftAlone() {
    let older = Self.topic(partitions: 3)
    let younger = Self.topic(partitions: 5, created: "2026-03-01T00:00:00Z")
    let plan = Self.plan(["a": .seen(younger), "b": .seen(older)])
    #expect(plan.origin == "b")
    #expect(plan.plan.steps.allSatisfy { if case .apply = $0 { false } else { true } })
    #expect(plan.plan.waits.count == 1)
    // It says so itself, once, and nobody writes another status over that.
    guard case .writeStatus(_, let status, "a") = plan.plan.steps.first else {
      Issue.record("it does not say so")
      return
    }
    #expect(plan.others == ["a"])
    var told = younger
    told["status"] = status
    #expect(Self.plan(["a": .seen(told), "b": .seen(older)]).plan.steps == [])
  }

  /// A topic that was Ready and is being deleted.
  private static var going: JSON {
    var topic = topic()
    topic["metadata"]["deletionTimestamp"] = "2026-03-01T00:00:00Z"
    topic["status"] = [
      "topicID": "id",
      "conditions": .array(
        [Condition("Ready", .yes, "AsWanted", "It is."), Condition("Halted", .no, "No", "No.")].map(\.json)),
    ]
    return topic
  }

  private static func status(_ plan: CopyPlan, in member: String = "a") -> JSON {
    for case .writeStatus(_, let status, member) in plan.plan.steps { return status }
    return .null
  }

  private static func condition(_ type: String, _ status: JSON) -> JSON {
    status["conditions"].elements.first { $0["type"].string == type } ?? .null
  }

  @Test func aDeletionThatWaitsForAMemberSaysSoOnce() {
    var object = Self.going
    let plan = Self.plan(["a": .seen(object), "b": Self.unknown])
    let status = Self.status(plan)
    #expect(Self.condition("Ready", status)["reason"].string == "Deleting")
    #expect(Self.condition("Ready", status)["message"].string?.contains("once b can be seen") == true)
    #expect(Self.condition("Reconciling", status)["status"].string == "True")
    #expect(Self.condition("Halted", status)["status"].string == "False", "what else was said stays")
    #expect(status["topicID"].string == "id")
    #expect(plan.plan.steps.contains { if case .event(_, _, "Deleting", _) = $0 { true } else { false } })
    object["status"] = status
    #expect(Self.plan(["a": .seen(object), "b": Self.unknown]).plan.steps == [])
  }

  @Test func aDeletionThatWaitsForWhatBelongsToItSaysSoInEveryCopy() {
    var situation = CopySituation(
      Self.id, members: ["a": .seen(Self.going), "b": .seen(Self.copy(of: Self.topic()))], mayGo: false)
    situation.waitsFor = ["The brokers do not answer."]
    let plan = CopyReconciliation.plan(situation)
    for member in ["a", "b"] {
      #expect(Self.condition("Ready", Self.status(plan, in: member))["message"].string == "The brokers do not answer.")
    }
    situation.waitsFor = []
    #expect(CopyReconciliation.plan(situation).plan.steps == [], "what goes in a moment says nothing")
  }
}
