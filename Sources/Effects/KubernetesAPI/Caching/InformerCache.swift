public import Vocabulary

/// What is known of the objects of one type on one server. Pure: what changed is returned in a fixed order.
struct InformerCache<Object: Sendable>: Sendable {
  struct Entry: Sendable {
    let resourceVersion: String
    let object: Object
  }
  private(set) var entries: [ObjectKey: Entry] = [:]

  /// A new list: what is not in it any more is deleted, what has the version that it had is not news.
  mutating func replace(with listed: [(key: ObjectKey, entry: Entry)]) -> [InformerChange<Object>] {
    var fresh: [ObjectKey: Entry] = [:]
    fresh.reserveCapacity(listed.count)
    for item in listed { fresh[item.key] = item.entry }
    var changes: [InformerChange<Object>] = []
    for key in entries.keys.sorted() where fresh[key] == nil {
      if let gone = entries[key] { changes.append(.deleted(key, last: gone.object)) }
    }
    for key in fresh.keys.sorted() {
      guard let new = fresh[key] else { continue }
      let old = entries[key]
      if old?.resourceVersion != new.resourceVersion { changes.append(.put(key, old: old?.object, new: new.object)) }
    }
    entries = fresh
    return changes
  }

  mutating func put(_ key: ObjectKey, _ entry: Entry) -> InformerChange<Object>? {
    let old = entries.updateValue(entry, forKey: key)
    return old?.resourceVersion == entry.resourceVersion ? nil : .put(key, old: old?.object, new: entry.object)
  }

  mutating func remake(_ remake: ([Object]) -> [Object]) {
    let old = entries
    for ((key, entry), object) in zip(old, remake(old.values.map(\.object))) {
      entries[key] = Entry(resourceVersion: entry.resourceVersion, object: object)
    }
  }

  mutating func delete(_ key: ObjectKey) -> InformerChange<Object>? {
    entries.removeValue(forKey: key).map { .deleted(key, last: $0.object) }
  }
}

/// News of an informer.
public enum InformerChange<Object: Sendable>: Sendable {
  /// The object came or changed; or a resync shows it again, with both the same.
  case put(ObjectKey, old: Object?, new: Object)
  /// It is certain that it is gone.
  case deleted(ObjectKey, last: Object)
  /// Everything that the server has was told, for the first time.
  case synced
  /// From now on what is known may be out of date. Nothing is gone because of that.
  case contactLost(String)
  case contactRegained

  /// The object that is meant, if one is.
  public var key: ObjectKey? {
    switch self {
    case .put(let key, _, _), .deleted(let key, _): key
    case .synced, .contactLost, .contactRegained: nil
    }
  }
}

/// How far what an informer knows can be trusted.
public enum InformerContact: Sendable, Hashable {
  /// The first list has not come; why, when something went wrong.
  case starting(why: String?)
  /// A watch is open.
  case current
  /// What is known was true at this moment, and may have changed since.
  case unknown(since: Instant, why: String)
}

/// How often an informer has asked its server, since its beginning.
public struct InformerAsked: Sendable, Hashable {
  /// For everything.
  public var lists = 0
  /// For what changes.
  public var watches = 0
  /// And was told that what it had is too old to go on from (410).
  public var expired = 0
}
