import JSONValue
import KubernetesResources
import Testing

@Suite struct FieldTests {
  static let cluster: JSON = [
    "apiVersion": "kafka.swiftwater.dev/v1alpha1", "kind": "KafkaCluster",
    "metadata": ["name": "orders", "namespace": "kafka", "generation": 3],
    "spec": [
      "regions": [["name": "a", "brokers": 3, "controllers": 2, "storage": ["size": "100Gi"]], ["name": "b"]],
      "config": ["num.partitions": "3"],
    ],
  ]

  static func mistakes(_ path: String..., value: JSON) -> [String] {
    func set(_ json: inout JSON, _ path: ArraySlice<String>) {
      guard let first = path.first else { return json = value }
      if let place = Int(first) {
        var elements = json.elements
        set(&elements[place], path.dropFirst())
        json = .array(elements)
      } else {
        var inner = json[first]
        set(&inner, path.dropFirst())
        json[first] = inner
      }
    }
    var json = cluster
    set(&json, path[...])
    return KafkaCluster.read(json).mistakes.map(\.description)
  }

  @Test func whatIsReadIsWrittenAgainWithItsDefaults() {
    let (cluster, mistakes) = KafkaCluster.read(Self.cluster)
    #expect(mistakes == [])
    #expect(cluster.spec.durability.survive == .region)
    #expect(cluster.spec.regions.map(\.controllers) == [2, 0])
    let again = KafkaCluster.read(cluster.json)
    #expect(again.mistakes == [])
    #expect(again.resource.spec == cluster.spec)
  }

  @Test func eachMistakeIsOneSentenceWithPlaceValueAndWhatWouldBeRight() {
    #expect(
      Self.mistakes("spec", "regions", "0", "brokers", value: "three") == [
        "spec.regions[0].brokers is 'three', and has to be a whole number from 0 to 100."
      ])
    #expect(
      Self.mistakes("spec", "durability", "survive", value: "Planet") == [
        "spec.durability.survive is 'Planet', and has to be one of Broker, Region, Provider."
      ])
    #expect(
      Self.mistakes("spec", "regions", "1", "name", value: "a") == [
        "spec.regions[1].name is 'a' a second time; each may stand there once."
      ])
    #expect(Self.mistakes("spec", "regions", "0", "name", value: .null).first?.contains("name is missing") == true)
    #expect(Self.mistakes("spec", "regions", "0", "storage", "size", value: "much").first?.contains("100Gi") == true)
    #expect(Self.mistakes("spec", "colour", value: "red").first?.contains("no field that this version knows") == true)
    #expect(Self.mistakes("spec", "config", value: 3).first == "spec.config is 3, and has to be a map.")
    #expect(Self.mistakes("spec", value: "x").first?.contains("is a string, and has to be an object") == true)
  }

  @Test func formsAndTheirPatternsAgree() throws {
    let samples = [
      "", "a", "A", "a-b", "-a", "a-", "a.b", "a..b", "a_b", "10Gi", "1.5", "1.5Gi", "Gi", "10gi", "500m", "ä",
      "{pod}.x",
      "x y", "a/b", "0",
    ]
    for form in TextForm.allCases {
      guard let pattern = form.pattern else { continue }
      let regex = try Regex(pattern)
      for sample in samples {
        let matches = try regex.wholeMatch(in: sample) != nil
        #expect(form.accepts(sample) == matches, "\(form) and '\(sample)'")
      }
    }
  }

  @Test func quantitiesAreComparedByWhatTheyComeTo() {
    #expect(Quantity("1000m") == Quantity("1"))
    #expect(Quantity("1Gi")! < Quantity("1.5Gi")!)
    #expect(Quantity("99999999999E") == nil)
    let here: JSON = ["cpu": "1", "other": 3, "empty": [:]]
    #expect(here.holds(["cpu": "1000m", "list": []]))
    #expect(!here.holds(["cpu": "2"]))
  }

  @Test func aConditionKeepsItsTimeWhileItsStatusStays() {
    let first = [Condition("Ready", .yes, "A", "a."), Condition("Able", .no, "B", "b.")]
      .settled(after: [], generation: 1, now: "t1")
    let second = [Condition("Able", .yes, "B", "b."), Condition("Ready", .yes, "A", "a.")]
      .settled(after: first, generation: 2, now: "t2")
    #expect(second.map(\.type) == ["Able", "Ready"])
    #expect(second.map(\.lastTransitionTime) == ["t2", "t1"])
    #expect(second.map(\.observedGeneration) == [2, 2])
  }

  @Test func everyFieldOfEverySchemaHasADescriptionAndEveryTextALimit() {
    func walk(_ schema: JSON, _ path: String) -> [String] {
      var found: [String] = []
      if schema["description"].string == nil, !path.hasSuffix("metadata"), !path.hasSuffix("[]") { found.append(path) }
      if schema["type"].string == "string", schema["maxLength"].isNull, schema["enum"].isNull,
        !path.hasSuffix("apiVersion"), !path.hasSuffix("kind")
      {
        found.append("\(path) has no limit")
      }
      for member in schema["properties"].members { found += walk(member.value, "\(path).\(member.key)") }
      if !schema["items"].isNull { found += walk(schema["items"], path + "[]") }
      return found
    }
    for definition in Definitions.all {
      let schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
      #expect(walk(schema, definition["spec"]["names"]["kind"].string ?? "") == [])
    }
  }

  @Test func aPodsStateIsReadFromItsStatus() {
    let crash: JSON = ["state": ["waiting": ["reason": "CrashLoopBackOff"]]]
    let noRoom: JSON = ["type": "PodScheduled", "status": "False", "message": "no room"]
    #expect(Pod(["status": ["conditions": [["type": "Ready", "status": "True"]]]]).state == .ready)
    #expect(Pod(["status": ["phase": "Running"]]).state == .starting)
    #expect(Pod(["status": ["phase": "Pending"]]).state == .pending)
    #expect(Pod(["status": ["containerStatuses": [crash]]]).state == .failing("CrashLoopBackOff"))
    #expect(Pod(["status": ["conditions": [noRoom]]]).state == .unschedulable("no room"))
    #expect(Pod(["metadata": ["deletionTimestamp": "t"]]).state == .stopping)
  }

  @Test func aPodThatLostItsMachineMayStillHaveAReadyProcess() {
    let since: JSON = ["type": "Ready", "status": "False", "lastTransitionTime": "t"]
    var pod: JSON = ["status": ["phase": "Running", "conditions": [since], "containerStatuses": [["ready": true]]]]
    #expect(Pod(pod).state == .starting && Pod(pod).hasReadyProcess && Pod(pod).unreadySince == "t")
    pod["status"]["containerStatuses"] = [["ready": false]]
    #expect(!Pod(pod).hasReadyProcess)
  }
}
