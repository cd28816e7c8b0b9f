import JSONValue
import Testing

@testable import LocalKubernetes

@Suite struct ApplyTests {
  private func owners(_ object: JSON) -> [String: [String]] {
    var found: [String: [String]] = [:]
    for entry in ManagedFields(object["metadata"]["managedFields"].elements).entries {
      found["\(entry.manager) \(entry.operation)"] = entry.fields.paths
    }
    return found
  }

  @Test func whoAppliesAFieldOwnsIt() throws {
    var world = World()
    let made = try world.apply(.configMaps, World.map("m", ["x": "1", "y": "2"]), by: "one")
    #expect(owners(made) == ["one Apply": [".data.x", ".data.y"]])
    world.time += 5000
    let same = try world.apply(.configMaps, World.map("m", ["x": "1", "y": "2"]), by: "one")
    #expect(same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"])
  }

  @Test func anothersFieldIsAConflictUnlessForced() throws {
    var world = World()
    try world.apply(.configMaps, World.map("m", ["x": "1", "y": "2"]), by: "one")
    let refused = failure { () throws(APIFailure) in
      try world.apply(.configMaps, World.map("m", ["x": "9"]), by: "two")
    }
    #expect(refused?.code == 409)
    #expect(refused?.message == "Apply failed with 1 conflict: conflict with \"one\" using v1: .data.x")
    #expect(refused?.details["causes"][0]["reason"] == "FieldManagerConflict")
    let taken = try world.apply(.configMaps, World.map("m", ["x": "9"]), by: "two", isForced: true)
    #expect(taken["data"] == ["x": "9", "y": "2"])
    #expect(owners(taken) == ["one Apply": [".data.y"], "two Apply": [".data.x"]])
  }

  @Test func theSameValueIsSharedWithoutAConflict() throws {
    var world = World()
    try world.apply(.configMaps, World.map("m", ["x": "1"]), by: "one")
    try world.apply(.configMaps, World.map("m", ["x": "1"]), by: "two")
    let left = try world.apply(.configMaps, World.map("m"), by: "one")
    #expect(left["data"] == ["x": "1"], "the other one still wants it")
    let gone = try world.apply(.configMaps, World.map("m"), by: "two")
    #expect(gone["data"]["x"].isNull)
  }

  @Test func whatIsNoLongerAppliedIsTakenAway() throws {
    var world = World()
    try world.apply(.configMaps, World.map("m", ["x": "1", "y": "2"]), by: "one")
    let after = try world.apply(.configMaps, World.map("m", ["y": "2"]), by: "one")
    #expect(after["data"] == ["y": "2"])
  }

  @Test func anUpdateTakesTheFieldsThatItChanges() throws {
    var world = World()
    var object = try world.apply(.configMaps, World.map("m", ["x": "1", "y": "2"]), by: "one")
    object["data"]["x"] = "7"
    let updated = try world.update(.configMaps, object, by: "editor")
    #expect(owners(updated) == ["one Apply": [".data.y"], "editor Update": [".data.x"]])
    let refused = failure { () throws(APIFailure) in
      try world.apply(.configMaps, World.map("m", ["x": "1", "y": "2"]), by: "one")
    }
    #expect(refused?.message.contains("conflict with \"editor\"") == true)
  }

  @Test func listsWithKeysAreSharedItemByItem() throws {
    var world = World()
    var set = StatefulSetTests.set(replicas: 1)
    set["metadata"]["namespace"] = "a"
    try world.apply(.statefulSets, set, by: "one")
    var other: JSON = ["apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": ["name": "s", "namespace": "a"]]
    let variable: JSON = ["name": "B", "value": "2"]
    other["spec"]["template"]["spec"]["containers"] = [["name": "c", "env": [variable]]]
    let after = try world.apply(.statefulSets, other, by: "two")
    #expect(after["spec"]["template"]["spec"]["containers"][0]["env"] == [["name": "A", "value": "1"], variable])
    let path = ".spec.template.spec.containers[name=\"c\"].env[name=\"B\"].value"
    #expect(owners(after)["two Apply"]?.contains(path) == true)
    other["spec"]["template"]["spec"]["containers"] = [["name": "c"]]
    let back = try world.apply(.statefulSets, other, by: "two")
    #expect(back["spec"]["template"]["spec"]["containers"][0]["env"] == [["name": "A", "value": "1"]])
  }

  @Test func aFieldSetIsItsJSONForm() throws {
    let form: JSON = [
      "f:a": [:], "f:b": [".": [:], "k:{\"name\":\"x\"}": [".": [:], "f:v": [:]]], "f:c": ["v:\"one\"": [:]],
    ]
    #expect(FieldSet(fieldsV1: form).fieldsV1 == form)
    #expect(FieldSet(fieldsV1: form).paths == [".a", ".b", ".b[name=\"x\"]", ".b[name=\"x\"].v", ".c[=\"one\"]"])
  }

  @Test func aJSONPatchDoesWhatItSaysOrNothing() throws {
    let object: JSON = ["a": ["b": [1, 2, 3]], "x/y": "z"]
    let patch: JSON = [
      ["op": "test", "path": "/x~1y", "value": "z"], ["op": "remove", "path": "/a/b/1"],
      ["op": "add", "path": "/a/b/-", "value": 4], ["op": "move", "from": "/x~1y", "path": "/c"],
    ]
    #expect(try JSONPatch.apply(patch, to: object) == ["a": ["b": [1, 3, 4]], "c": "z"])
    let wrong: JSON = [["op": "test", "path": "/a/b/0", "value": 2]]
    #expect(failure { () throws(APIFailure) in _ = try JSONPatch.apply(wrong, to: object) }?.code == 422)
    let nowhere: JSON = [["op": "replace", "path": "/q", "value": 2]]
    #expect(failure { () throws(APIFailure) in _ = try JSONPatch.apply(nowhere, to: object) }?.code == 422)
  }

  @Test func aStrategicMergeKnowsItemsByTheirKeys() {
    let pod: JSON = [
      "containers": [["name": "a", "image": "1", "env": [["name": "X", "value": "1"]]], ["name": "b"]]
    ]
    let patch: JSON = [
      "containers": [["name": "a", "env": [["name": "Y", "value": "2"]]], ["name": "b", "$patch": "delete"]]
    ]
    let env: JSON = [["name": "X", "value": "1"], ["name": "Y", "value": "2"]]
    #expect(pod.strategicallyMerged(with: patch) == ["containers": [["name": "a", "image": "1", "env": env]]])
    let list: JSON = ["args": ["a", "b"]]
    #expect(list.strategicallyMerged(with: ["args": ["c"]]) == ["args": ["c"]])
  }
}
