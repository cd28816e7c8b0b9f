import JSONValue
import Testing
import Vocabulary

@testable import LocalKubernetes

@Suite struct StatefulSetTests {
  static func set(replicas: Int, policy: String = "Parallel", update: String = "OnDelete") -> JSON {
    let container: JSON = ["name": "c", "image": "none", "env": [["name": "A", "value": "1"]]]
    return [
      "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": ["name": "s"],
      "spec": [
        "serviceName": "s", "replicas": JSON(replicas), "podManagementPolicy": JSON(policy),
        "updateStrategy": ["type": JSON(update)], "selector": ["matchLabels": ["app": "x"]],
        "template": ["metadata": ["labels": ["app": "x"]], "spec": ["containers": [container]]],
        "volumeClaimTemplates": [
          [
            "metadata": ["name": "data"],
            "spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]],
          ]
        ],
      ],
    ]
  }

  /// A world whose controllers run until nothing changes, and where pods are ready when told so.
  private struct Play {
    var world = World()

    mutating func settle() {
      for _ in 0..<50 {
        let before = world.store.revision
        Housekeeping(now: Timestamp(milliseconds: world.time), node: "here").run(&world.store)
        if world.store.revision == before { return }
      }
      Issue.record("the controllers do not come to rest")
    }

    var pods: [String] { world.store.objects(.pods).filter { !$0.isBeingDeleted }.map(\.name) }

    /// What a node does: every pod runs and is ready, and what is to be deleted is gone.
    mutating func runPods() {
      for pod in world.store.objects(.pods) {
        if pod.isBeingDeleted {
          world.store.remove(.pods, world.key(pod.name))
          continue
        }
        var running = pod
        running["status"]["podIP"] = "127.9.0.1"
        running["status"]["conditions"] = [["type": "Ready", "status": "True"]]
        if running != pod { world.store.put(.pods, world.key(pod.name), running) }
      }
      settle()
    }

    mutating func change(_ body: (inout JSON) -> Void) throws {
      var set = try #require(world.get(.statefulSets, "s"))
      set["metadata"].remove("resourceVersion")
      body(&set)
      try world.update(.statefulSets, set)
      settle()
    }
    func revision(of pod: String) -> String? {
      world.get(.pods, pod)?["metadata"]["labels"]["controller-revision-hash"].string
    }
  }

  private func play(_ set: JSON) throws -> Play {
    var play = Play()
    try play.world.create(.statefulSets, set)
    play.settle()
    return play
  }

  @Test func inParallelAllPodsBeginAtOnce() throws {
    #expect(try play(Self.set(replicas: 3)).pods == ["s-0", "s-1", "s-2"])
  }

  @Test func inOrderEachWaitsForTheOneBefore() throws {
    var play = try play(Self.set(replicas: 3, policy: "OrderedReady"))
    #expect(play.pods == ["s-0"])
    play.runPods()
    #expect(play.pods == ["s-0", "s-1"])
    play.runPods()
    #expect(play.pods == ["s-0", "s-1", "s-2"])
  }

  @Test func claimsAreBoundAndOutliveTheSet() throws {
    var play = try play(Self.set(replicas: 2))
    let claims = play.world.store.objects(.claims)
    #expect(claims.map(\.name) == ["data-s-0", "data-s-1"])
    #expect(claims.allSatisfy { $0["status"]["phase"] == "Bound" && $0["status"]["capacity"]["storage"] == "1Gi" })
    try play.world.delete(.statefulSets, "s")
    play.runPods()
    #expect(play.pods == [])
    #expect(play.world.store.objects(.claims).count == 2)
  }

  @Test func onDeleteChangesNoPodThatNobodyDeletes() throws {
    var play = try play(Self.set(replicas: 2))
    play.runPods()
    let old = try #require(play.revision(of: "s-0"))
    try play.change { $0["spec"]["template"]["spec"]["containers"][0, "image"] = "new" }
    play.runPods()
    #expect(play.revision(of: "s-0") == old && play.revision(of: "s-1") == old)
    let status = try #require(play.world.get(.statefulSets, "s"))["status"]
    #expect(status["updateRevision"] != status["currentRevision"] && status["updatedReplicas"] == 0)
    try play.world.delete(.pods, "s-1")
    play.runPods()
    #expect(play.revision(of: "s-1") == status["updateRevision"].string && play.revision(of: "s-0") == old)
  }

  @Test func aRollingUpdateGoesFromTheLastToTheFirst() throws {
    var play = try play(Self.set(replicas: 2, update: "RollingUpdate"))
    play.runPods()
    let old = try #require(play.revision(of: "s-0"))
    try play.change { $0["spec"]["template"]["spec"]["containers"][0, "image"] = "new" }
    #expect(play.pods == ["s-0"], "the last one goes first, and alone")
    for _ in 0..<5 { play.runPods() }
    #expect(play.pods == ["s-0", "s-1"])
    #expect(play.revision(of: "s-0") != old && play.revision(of: "s-0") == play.revision(of: "s-1"))
    let status = try #require(play.world.get(.statefulSets, "s"))["status"]
    #expect(status["currentRevision"] == status["updateRevision"])
  }

  @Test func scalingDownTakesTheHighestOrdinals() throws {
    var play = try play(Self.set(replicas: 3))
    play.runPods()
    try play.change { $0["spec"]["replicas"] = 1 }
    play.runPods()
    #expect(play.pods == ["s-0"])
    #expect(play.world.get(.statefulSets, "s")?["status"]["replicas"] == 1)
  }

  @Test func aStatusSaysWhichGenerationItIsOf() throws {
    var play = try play(Self.set(replicas: 1))
    play.runPods()
    try play.change { $0["spec"]["replicas"] = 2 }
    let set = try #require(play.world.get(.statefulSets, "s"))
    #expect(set["status"]["observedGeneration"] == 2 && set["status"]["readyReplicas"] == 1)
  }

  @Test func onlyReplicasAndTemplatesOfASetMayChange() throws {
    var play = try play(Self.set(replicas: 1))
    var set = try #require(play.world.get(.statefulSets, "s"))
    set["spec"]["serviceName"] = "other"
    let refused = failure { () throws(APIFailure) in try play.world.update(.statefulSets, set) }
    #expect(refused?.code == 422 && refused?.message.contains("updates to statefulset spec") == true)
  }

  @Test func endpointsHaveReadyPodsOnlyUnlessToldOtherwise() throws {
    var play = try play(Self.set(replicas: 1))
    for (name, publishes) in [("ready", false), ("all", true)] {
      try play.world.create(
        .services,
        [
          "metadata": ["name": JSON(name)],
          "spec": [
            "selector": ["app": "x"], "ports": [["port": 80]], "publishNotReadyAddresses": JSON(publishes),
          ],
        ])
    }
    var pod = try #require(play.world.get(.pods, "s-0"))
    pod["status"]["podIP"] = "127.9.0.1"
    play.world.store.put(.pods, play.world.key("s-0"), pod)
    play.settle()
    func addresses(_ name: String) -> [JSON] {
      play.world.get(.endpoints, name)?["subsets"][0]["addresses"].elements.map(\.["ip"]) ?? []
    }
    #expect(addresses("ready") == [] && addresses("all") == ["127.9.0.1"])
    play.runPods()
    #expect(addresses("ready") == ["127.9.0.1"])
  }

  @Test func eventsAreForgottenAfterAnHour() throws {
    var play = Play()
    for (name, time) in [("old", "2023-11-14T20:00:00Z"), ("new", "2023-11-14T22:00:00Z")] {
      try play.world.create(.events, ["metadata": ["name": JSON(name)], "lastTimestamp": JSON(time)])
    }
    play.settle()
    #expect(play.world.store.objects(.events).map(\.name) == ["new"])
  }

  @Test func aPodThatFitsNowhereIsPending() throws {
    var set = Self.set(replicas: 1)
    set["spec"]["template"]["spec"]["nodeSelector"] = ["disk": "fast"]
    let play = try play(set)
    let pod = try #require(play.world.get(.pods, "s-0"))
    #expect(pod["spec"]["nodeName"].isNull && pod["status"]["phase"] == "Pending")
    #expect(pod["status"]["conditions"][0]["reason"] == "Unschedulable")
  }
}

extension JSON {
  /// A member of an item.
  fileprivate subscript(place: Int, key: String) -> JSON {
    get { self[place][key] }
    set {
      var items = elements
      items[place][key] = newValue
      self = .array(items)
    }
  }
}
