import JSONValue
import Processes

/// A store in a file, replaced as a whole.
enum StateFile {
  static func read(_ path: String, seed: UInt64) -> LocalStore? {
    guard let bytes = File.read(path), let saved = try? JSON(parsing: bytes),
      let revision = saved["revision"].int64
    else { return nil }
    var store = LocalStore(seed: seed, revision: revision)
    // Definitions first: they say where the rest belongs.
    for object in saved["kinds"]["customresourcedefinitions.apiextensions.k8s.io"].elements {
      store.restore(.definitions, object)
    }
    for name in store.kinds.keys.sorted(by: { $0.description < $1.description }) where name != .definitions {
      for object in saved["kinds"][name.description].elements { store.restore(name, object) }
    }
    for name in store.kinds.keys { store.kinds[name]?.compactedThrough = revision }
    return store
  }

  static func write(_ store: LocalStore, to path: String) {
    var kinds: [(String, JSON)] = []
    for (name, kind) in store.kinds where !kind.objects.isEmpty {
      kinds.append((name.description, .array(store.objects(name))))
    }
    let saved: JSON = ["revision": .integer(store.revision), "kinds": .object(JSON.Object(kinds))]
    File.replace(path, with: saved.bytes())
  }
}
