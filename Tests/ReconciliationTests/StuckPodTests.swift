import JSONValue
import KubernetesResources
import Reconciliation
import Testing
import Vocabulary

/// Pods that do not come up, in the words of API servers, and what the cluster's status says of them.
@Suite struct StuckPodTests {
  private static let longAgo = "2026-01-01T00:10:00Z"

  /// What Stalled says when the pod in north has this status.
  private static func words(_ status: JSON, isOutdated: Bool = false) -> String {
    var world = World.three
    world.converge()
    world.longAgo = Self.longAgo
    guard let was = world.members["north"]?.pods["orders-north-0-0"] else { return "no pod" }
    var object: JSON = ["metadata": ["name": "orders-north-0-0", "uid": "u", "labels": [:], "annotations": [:]]]
    object["metadata"]["labels"][Marks.node] = "200"
    object["metadata"]["annotations"][Marks.revision] = .string(isOutdated ? "old" : was.revision ?? "")
    object["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    object["status"] = status
    object["status"]["podIP"] = .string(was.address ?? "")
    world.members["north"]?.pods["orders-north-0-0"] = Pod(object)
    for step in world.plan.steps {
      if case .writeStatus = step { world.perform(step) }
    }
    let stalled = world.members["west"]?.copy?.status.conditions["Stalled"]
    return stalled?.status == .yes ? stalled?.message ?? "" : ""
  }

  private static func unready(since: String) -> JSON {
    [
      ["type": "PodScheduled", "status": "True"],
      ["type": "Ready", "status": "False", "lastTransitionTime": .string(since)],
    ]
  }

  private static func waiting(since: String) -> JSON {
    let container: JSON = ["name": "swiftwater", "state": ["waiting": ["reason": "ContainerCreating"]]]
    return ["phase": "Pending", "conditions": unready(since: since), "containerStatuses": [container]]
  }

  @Test func aPodWhoseContainerIsNotMadeForMinutesIsStuck() {
    let since = "2026-01-01T00:09:59Z"
    #expect(
      Self.words(Self.waiting(since: since))
        == "orders-north-0-0 is not ready since 2026-01-01T00:09:59Z (ContainerCreating).")
    #expect(Self.words(Self.waiting(since: Self.longAgo)) == "", "it has a little time left")
    #expect(Self.words(Self.waiting(since: since), isOutdated: true) == "", "it restarts, and that may help")
  }

  @Test func aPodThatNoKubeletHasLookedAtIsStuckByItsAge() {
    #expect(
      Self.words(["phase": "Pending"])
        == "orders-north-0-0 is not ready since 2026-01-01T00:00:00Z (its process was not started).")
  }

  @Test func aProcessThatRunsAndIsNeverReadyIsStuck() {
    let container: JSON = ["ready": false, "state": ["running": ["startedAt": "2026-01-01T00:00:00Z"]]]
    var status: JSON = ["phase": "Running", "containerStatuses": [container]]
    status["conditions"] = Self.unready(since: "2026-01-01T00:01:00Z")
    #expect(
      Self.words(status) == "orders-north-0-0 is not ready since 2026-01-01T00:01:00Z (its process runs).")
    status["conditions"] = Self.unready(since: "2026-01-01T00:10:01Z")
    #expect(Self.words(status) == "")
  }

  @Test func aPodThatNoMachineTakesIsStuckAtOnce() {
    let condition: JSON = ["type": "PodScheduled", "status": "False", "message": "no room"]
    #expect(
      Self.words(["phase": "Pending", "conditions": [condition]]) == "orders-north-0-0 finds no machine (no room).")
  }

  /// A container that has crashed so often, in this state.
  private static func crashed(_ restarts: Int, _ state: JSON) -> JSON {
    let last: JSON = ["terminated": ["reason": "Error", "exitCode": 7]]
    let container: JSON = ["restartCount": JSON(restarts), "ready": false, "state": state, "lastState": last]
    return [
      "phase": "Running", "conditions": unready(since: longAgo), "containerStatuses": [container],
    ]
  }

  @Test func aCrashLoopSaysTheSameWhileItWaitsAndWhileItRuns() {
    let words = "orders-north-0-0 does not stay up (CrashLoopBackOff: Error, exit code 7)."
    for pause in ["20s", "40s"] {
      let state: JSON = ["waiting": ["reason": "CrashLoopBackOff", "message": .string("back-off \(pause)")]]
      #expect(Self.words(Self.crashed(2, state)) == words)
    }
    #expect(Self.words(Self.crashed(2, ["running": ["startedAt": "2026-01-01T00:10:01Z"]])) == words)
    #expect(Self.words(Self.crashed(3, ["terminated": ["reason": "Error", "exitCode": 7]])) == words)
  }

  @Test func oneCrashOrManyOfLongAgoAreNoCrashLoop() {
    #expect(Self.words(Self.crashed(1, ["running": ["startedAt": "2026-01-01T00:10:01Z"]])) == "")
    #expect(Self.words(Self.crashed(9, ["running": ["startedAt": "2026-01-01T00:00:01Z"]])) == "")
  }
}
