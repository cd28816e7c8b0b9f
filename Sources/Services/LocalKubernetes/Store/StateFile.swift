import Glibc
import JSONValue

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

/// Files as a whole.
enum File {
  /// Nil when it cannot be read.
  static func read(_ path: String) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var found: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = part.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if count == 0 { return found }
      if count < 0 {
        if errno == EINTR { continue }
        return nil
      }
      found += part[..<count]
    }
  }

  /// Whoever reads it sees the old file or the new one. Whether it was done.
  @discardableResult static func replace(_ path: String, with bytes: [UInt8], mode: mode_t = 0o600) -> Bool {
    let new = path + ".new"
    let descriptor = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
    guard descriptor >= 0 else { return false }
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { break }
      rest = rest.dropFirst(count)
    }
    close(descriptor)
    guard rest.isEmpty, rename(new, path) == 0 else {
      unlink(new)
      return false
    }
    return true
  }

  static func remove(_ path: String) { unlink(path) }

  /// Makes a folder and those above it.
  static func makeFolder(_ path: String) {
    var made = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      made += "/" + part
      mkdir(made, 0o755)
    }
  }
}
