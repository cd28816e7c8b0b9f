import JSONValue
import KubernetesAPI
import Vocabulary

/// One thing that happened to an object, as watches hear of it.
struct StoreEvent: Sendable {
  enum Kind: String, Sendable { case added = "ADDED", modified = "MODIFIED", deleted = "DELETED" }
  let revision: Int64
  let kind: Kind
  let key: ObjectKey
  /// After a deletion: what it was, with the deletion's resource version.
  let object: JSON
  /// What it was before, so that a watch with a selector can tell coming and going; null when it was not there.
  let previous: JSON
}

/// The objects of one kind, and what lately happened to them.
struct StoredKind: Sendable {
  var definition: ResourceDefinition
  var objects: [ObjectKey: JSON] = [:]
  var history: [StoreEvent] = []
  /// Watches can only begin at this revision or later.
  var compactedThrough: Int64 = 0
}

/// What one API server keeps, as a value. Verbs return results or throw `APIFailure`; what happened lands in the
/// history of the kind. Time is an argument; uids follow from a seed and a count.
struct LocalStore: Sendable {
  /// Events of a kind that watches can go back to.
  static let historyMax = 4096

  var kinds: [ResourceName: StoredKind] = [:]
  /// The number of the last write.
  private(set) var revision: Int64 = 1
  var historyMax = LocalStore.historyMax
  private let seed: UInt64
  private var uidsGiven: UInt64 = 0
  /// Names of kinds that were written since the last `takeTouched`.
  private(set) var touched: Set<ResourceName> = []

  init(seed: UInt64) {
    self.seed = seed
    for definition in BuiltInKinds.definitions { kinds[definition.name] = StoredKind(definition: definition) }
  }

  /// Begins again where a store that was saved had come to.
  init(seed: UInt64, revision: Int64) {
    self.init(seed: seed)
    self.revision = revision
    for name in kinds.keys { kinds[name]?.compactedThrough = revision }
  }

  mutating func takeTouched() -> Set<ResourceName> {
    defer { touched = [] }
    return touched
  }

  func definition(_ name: ResourceName) -> ResourceDefinition? { kinds[name]?.definition }
  func object(_ name: ResourceName, _ key: ObjectKey) -> JSON? { kinds[name]?.objects[key] }
  func objects(_ name: ResourceName) -> [JSON] {
    (kinds[name]?.objects ?? [:]).sorted { $0.key < $1.key }.map(\.value)
  }

  mutating func uid() -> String {
    uidsGiven += 1
    var generator = seed &+ (uidsGiven &+ UInt64(bitPattern: revision) << 24) &* 0x9E37_79B9_7F4A_7C15
    func next() -> UInt64 {
      generator &+= 0x9E37_79B9_7F4A_7C15
      var value = generator
      value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
      value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
      return value ^ (value >> 31)
    }
    var text = hexadecimal(next(), 16) + hexadecimal(next(), 16)
    text.replaceSubrange(
      text.index(text.startIndex, offsetBy: 12)...text.index(text.startIndex, offsetBy: 12), with: "4")
    let cuts = [0, 8, 12, 16, 20, 32]
    let characters = Array(text)
    return zip(cuts, cuts.dropFirst()).map { String(characters[$0..<$1]) }.joined(separator: "-")
  }

  /// Writes an object, gives it the next resource version and remembers the event.
  @discardableResult
  mutating func put(_ name: ResourceName, _ key: ObjectKey, _ object: JSON) -> JSON {
    revision += 1
    var object = object
    object["metadata"]["resourceVersion"] = JSON(String(revision))
    let previous = kinds[name]?.objects.updateValue(object, forKey: key)
    remember(name, previous == nil ? .added : .modified, key, object, previous ?? .null)
    if name == .definitions { installDefinition(object) }
    return object
  }

  @discardableResult
  mutating func remove(_ name: ResourceName, _ key: ObjectKey) -> JSON? {
    guard var object = kinds[name]?.objects.removeValue(forKey: key) else { return nil }
    let previous = object
    revision += 1
    object["metadata"]["resourceVersion"] = JSON(String(revision))
    remember(name, .deleted, key, object, previous)
    if name == .definitions { removeDefinition(object) }
    return object
  }

  private mutating func remember(
    _ name: ResourceName, _ kind: StoreEvent.Kind, _ key: ObjectKey, _ object: JSON, _ previous: JSON
  ) {
    touched.insert(name)
    kinds[name]?.history.append(
      StoreEvent(revision: revision, kind: kind, key: key, object: object, previous: previous))
    // Cut in large steps, because cutting moves what stays.
    guard let count = kinds[name]?.history.count, count > historyMax + historyMax / 2 else { return }
    forgetHistory(name, keeping: historyMax)
  }

  /// Who watches from before what is kept gets 410.
  mutating func forgetHistory(_ name: ResourceName, keeping kept: Int) {
    guard let count = kinds[name]?.history.count, count > kept else { return }
    let last = kept == 0 ? revision : kinds[name]?.history[count - kept - 1].revision ?? revision
    kinds[name]?.compactedThrough = last
    kinds[name]?.history.removeFirst(count - kept)
  }

  /// What happened to a kind after a revision. 410 when that is too long ago, or the kind is gone.
  func events(_ name: ResourceName, after revision: Int64) throws(APIFailure) -> ArraySlice<StoreEvent> {
    guard let kind = kinds[name] else { throw .expired("the resource is no longer served") }
    guard revision >= kind.compactedThrough else {
      throw .expired("too old resource version: \(revision) (\(kind.compactedThrough + 1))")
    }
    var low = 0
    var high = kind.history.count
    while low < high {
      let middle = (low + high) / 2
      if kind.history[middle].revision <= revision { low = middle + 1 } else { high = middle }
    }
    return kind.history[low...]
  }

  mutating func installDefinition(_ object: JSON) {
    guard let definition = ResourceDefinition(custom: object) else { return }
    if kinds[definition.name] == nil {
      kinds[definition.name] = StoredKind(definition: definition, compactedThrough: revision)
    } else if kinds[definition.name]?.definition.isCustom == true {
      kinds[definition.name]?.definition = definition
    }
  }

  private mutating func removeDefinition(_ object: JSON) {
    guard let definition = ResourceDefinition(custom: object), kinds[definition.name]?.definition.isCustom == true
    else { return }
    kinds[definition.name] = nil
  }

  /// Puts a saved object back as it was.
  mutating func restore(_ name: ResourceName, _ object: JSON) {
    guard let key = ObjectKey(of: object) else { return }
    kinds[name]?.objects[key] = object
    if name == .definitions { installDefinition(object) }
  }
}

func hexadecimal(_ value: UInt64, _ digits: Int) -> String {
  let text = String(value, radix: 16)
  return String(repeating: "0", count: max(0, digits - text.count)) + text.suffix(digits)
}

extension JSON {
  /// `metadata.name` and its like, often asked for.
  var name: String { self["metadata"]["name"].string ?? "" }
  var namespace: String { self["metadata"]["namespace"].string ?? "" }
  var uid: String { self["metadata"]["uid"].string ?? "" }
  var isBeingDeleted: Bool { self["metadata"]["deletionTimestamp"].string != nil }
}
