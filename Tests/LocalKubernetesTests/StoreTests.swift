import Processes
import JSONValue
import KubernetesAPI
import Testing
import Vocabulary

@testable import LocalKubernetes

/// A store with the namespace `a` in it, and short words for its verbs.
struct World {
  var store: LocalStore
  var time: Int64 = 1_700_000_000_000

  init() {
    store = LocalStore(seed: 7)
    Furnishing.put(into: &store, "here", now: Timestamp(milliseconds: 0))
    _ = try? store.create(.namespaces, version: "v1", namespace: nil, ["metadata": ["name": "a"]], options("tests"))
  }

  func options(_ manager: String) -> WriteOptions {
    WriteOptions(manager: manager, now: Timestamp(milliseconds: time))
  }
  func key(_ name: String) -> ObjectKey { ObjectKey(namespace: "a", name: name) }

  @discardableResult
  mutating func create(_ kind: ResourceName, _ object: JSON, version: String = "v1") throws(APIFailure) -> JSON {
    try store.create(kind, version: version, namespace: "a", object, options("tests")).object
  }
  @discardableResult
  mutating func update(
    _ kind: ResourceName, _ object: JSON, _ subresource: String = "", version: String = "v1",
    by manager: String = "tests"
  ) throws(APIFailure) -> JSON {
    try store.update(
      kind, version: version, key(object.name), object, subresource: subresource, options(manager)
    ).object
  }
  @discardableResult
  mutating func apply(
    _ kind: ResourceName, _ object: JSON, by manager: String, isForced: Bool = false, version: String = "v1"
  ) throws(APIFailure) -> JSON {
    try store.apply(
      kind, version: version, key(object.name), object, isForced: isForced, options(manager)
    ).object
  }
  @discardableResult
  mutating func delete(_ kind: ResourceName, _ name: String, _ options: DeleteOptions = .init()) throws(APIFailure)
    -> Bool
  {
    try store.delete(kind, key(name), options, now: Timestamp(milliseconds: time)).isGone
  }
  func get(_ kind: ResourceName, _ name: String) -> JSON? { store.object(kind, key(name)) }

  static func map(_ name: String, _ data: JSON = [:]) -> JSON {
    ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": JSON(name)], "data": data]
  }
}

func failure(_ body: () throws(APIFailure) -> Void) -> APIFailure? {
  do throws(APIFailure) {
    try body()
    return nil
  } catch { return error }
}

@Suite struct StoreTests {
  @Test func aNewObjectGetsAnIdentityOfItsOwn() throws {
    var world = World()
    let one = try world.create(.configMaps, World.map("one"))
    let two = try world.create(.configMaps, World.map("two"))
    #expect(one.uid.count == 36 && one.uid != two.uid)
    #expect(one["metadata"]["creationTimestamp"] == "2023-11-14T22:13:20Z")
    let versions = [one, two].compactMap { Int($0["metadata"]["resourceVersion"].string ?? "") }
    #expect(versions.count == 2 && versions[0] < versions[1])
    #expect(
      failure { () throws(APIFailure) in try world.create(.configMaps, World.map("one")) }?.reason == "AlreadyExists")
  }

  @Test func anUpdateOfAnOldStateIsAConflict() throws {
    var world = World()
    let made = try world.create(.configMaps, World.map("m", ["a": "1"]))
    var changed = made
    changed["data"]["a"] = "2"
    try world.update(.configMaps, changed)
    let refused = failure { () throws(APIFailure) in try world.update(.configMaps, changed) }
    #expect(refused?.code == 409 && refused?.reason == "Conflict")
    #expect(refused?.message.hasPrefix("Operation cannot be fulfilled on configmaps \"m\"") == true)
  }

  @Test func whatChangesNothingIsNotWritten() throws {
    var world = World()
    let made = try world.create(.configMaps, World.map("m", ["a": "1"]))
    world.time += 5000
    let same = try world.update(.configMaps, made, by: "another")
    #expect(same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"])
  }

  @Test func aGenerationCountsSpecsAndNotStatuses() throws {
    var world = World()
    var set = try world.create(.statefulSets, StatefulSetTests.set(replicas: 1))
    #expect(set["metadata"]["generation"] == 1)
    set["status"]["replicas"] = 1
    set = try world.update(.statefulSets, set, "status")
    #expect(set["metadata"]["generation"] == 1 && set["status"]["replicas"] == 1)
    set["spec"]["replicas"] = 2
    set["status"]["replicas"] = 9
    set = try world.update(.statefulSets, set)
    #expect(set["metadata"]["generation"] == 2 && set["status"]["replicas"] == 1)
  }

  @Test func aFinalizerHoldsADeletionBack() throws {
    var world = World()
    var object = World.map("m")
    object["metadata"]["finalizers"] = ["tests/held"]
    try world.create(.configMaps, object)
    #expect(try world.delete(.configMaps, "m") == false)
    var held = try #require(world.get(.configMaps, "m"))
    #expect(held.isBeingDeleted)
    held["metadata"]["finalizers"] = []
    try world.update(.configMaps, held)
    #expect(world.get(.configMaps, "m") == nil)
  }

  @Test func whatBelongsToAnOwnerGoesWithIt() throws {
    var world = World()
    let owner = try world.create(.configMaps, World.map("owner"))
    let other = try world.create(.configMaps, World.map("other"))
    func owned(_ name: String, by owners: [JSON]) -> JSON {
      var object = World.map(name)
      object["metadata"]["ownerReferences"] = .array(
        owners.map { ["apiVersion": "v1", "kind": "ConfigMap", "name": JSON($0.name), "uid": JSON($0.uid)] })
      return object
    }
    try world.create(.configMaps, owned("child", by: [owner]))
    try world.create(.configMaps, owned("shared", by: [owner, other]))
    try world.delete(.configMaps, "owner")
    #expect(world.get(.configMaps, "child") == nil)
    #expect(world.get(.configMaps, "shared")?["metadata"]["ownerReferences"].elements.count == 1)
    var options = DeleteOptions()
    options.propagation = .orphan
    try world.delete(.configMaps, "other", options)
    #expect(world.get(.configMaps, "shared")?["metadata"]["ownerReferences"].isNull == true)
  }

  @Test func aDeletionCanInsistOnWhatItDeletes() throws {
    var world = World()
    let made = try world.create(.configMaps, World.map("m"))
    let wrong = DeleteOptions(["preconditions": ["uid": "another"]])
    #expect(failure { () throws(APIFailure) in try world.delete(.configMaps, "m", wrong) }?.reason == "Conflict")
    let right = DeleteOptions(["preconditions": ["uid": JSON(made.uid)]])
    #expect(try world.delete(.configMaps, "m", right))
  }

  @Test func aNamespaceTakesEverythingWithIt() throws {
    var world = World()
    try world.create(.configMaps, World.map("m"))
    _ = try world.store.delete(.namespaces, ObjectKey(name: "a"), DeleteOptions(), now: Timestamp(milliseconds: 0))
    #expect(world.get(.configMaps, "m") == nil)
    #expect(world.store.object(.namespaces, ObjectKey(name: "a")) == nil)
    #expect(failure { () throws(APIFailure) in try world.create(.configMaps, World.map("m")) }?.code == 404)
  }

  @Test func aPageEndsWhereTheNextBegins() throws {
    var world = World()
    for number in 0..<7 { try world.create(.configMaps, World.map("m\(number)")) }
    var query = Query(namespace: "a", limit: 3)
    var names: [String] = []
    var pages = 0
    repeat {
      let page = try world.store.list(.configMaps, query)
      names += page.objects.map(\.name)
      query.token = page.token
      pages += 1
    } while !query.token.isEmpty
    #expect(names == (0..<7).map { "m\($0)" })
    #expect(pages == 3)
  }

  @Test func historyHasAnEndAndSaysSo() throws {
    var world = World()
    world.store.historyMax = 4
    let start = world.store.revision
    for number in 0..<20 { try world.create(.configMaps, World.map("m\(number)")) }
    let expired = failure { () throws(APIFailure) in _ = try world.store.events(.configMaps, after: start) }
    #expect(expired?.code == 410 && expired?.reason == "Expired")
    let recent = try world.store.events(.configMaps, after: world.store.revision - 2)
    #expect(recent.map(\.key.name) == ["m18", "m19"])
  }

  @Test(arguments: [
    ("a=b", true), ("a==b", true), ("a!=b", false), ("a", true), ("!a", false), ("a in (x,b)", true),
    ("a notin (x,b)", false), ("c!=d", true), ("a=b,c", false), ("", true),
  ])
  func aLabelSelectorSaysWhatItMeans(text: String, isMatch: Bool) throws {
    #expect(try LabelSelector(text).matches(["a": "b"]) == isMatch)
  }

  @Test func aSavedStoreComesBackAsItWas() throws {
    var world = World()
    _ = try world.store.create(
      .definitions, version: "v1", namespace: nil, SchemaTests.definition, world.options("tests"))
    try world.create(SchemaTests.topics, SchemaTests.topic(["cluster": ["name": "c"]]), version: "v1alpha1")
    let path = "/tmp/local-kubernetes-\(world.store.revision)-\(UInt32.random(in: 0...UInt32.max)).json"
    StateFile.write(world.store, to: path)
    defer { File.remove(path) }
    let back = try #require(StateFile.read(path, seed: 1))
    #expect(back.revision == world.store.revision)
    #expect(back.object(SchemaTests.topics, world.key("t")) == world.get(SchemaTests.topics, "t"))
    let tooOld = failure { () throws(APIFailure) in _ = try back.events(.configMaps, after: back.revision - 1) }
    #expect(tooOld?.code == 410)
  }
}
