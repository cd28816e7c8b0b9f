import EventLoop
import JSONValue
import KubernetesAPI
import KubernetesResources
import Reconciliation

/// Every member at one moment, and what can be believed of it.
struct Sights: Sendable {
  let doors: [String: Door]
  let sights: [String: Sight]
  /// Members that were given up, and when.
  let left: [String: String]
  private let now = KubernetesTime.text(wallClockNow())
  private let membership: Membership

  init(_ membership: Membership) {
    self.membership = membership
    let doors = membership.members
    self.doors = doors
    let namespace = membership.settings.namespace
    left = Departure.all(doors.mapValues { .seen($0.caches?.departures(in: namespace) ?? [:]) })
    var sights = doors.mapValues(\.sight)
    let recorded = Self.recordedMembers(doors)
    for (key, member) in membership.strangers(recorded: { recorded[$0] }) {
      let name = member ?? "\(key)"
      if sights[name] == nil { sights[name] = Self.reach(key, membership) }
    }
    self.sights = sights
  }

  /// How many members there are, also those that cannot be reached.
  var count: Int { sights.count }

  /// What the statuses of Regions say about where they lead to.
  private static func recordedMembers(_ doors: [String: Door]) -> [DoorKey: String] {
    var found: [DoorKey: String] = [:]
    for name in doors.keys.sorted() {
      for (key, object) in doors[name]?.caches?.all(Kinds.regions) ?? [:] {
        guard let member = object["status"]["member"].string else { continue }
        let door = DoorKey.region(namespace: key.namespace, name: key.name)
        if found[door] == nil { found[door] = member }
      }
    }
    return found
  }

  static func reach(_ key: DoorKey, _ membership: Membership) -> Sight {
    if let refusal = membership.refusal(key) { return .unknown(since: refusal.since, why: refusal.why) }
    guard let door = membership.door(key) else {
      return .unknown(since: "its beginning", why: "its kubeconfig has not been read yet.")
    }
    if let why = membership.strangeness(key) { return .unknown(since: door.foundSince, why: why) }
    return door.reach
  }

  func view<Content>(_ member: String, _ read: (Caches) -> Content) -> View<Content> {
    guard case .seen = sights[member], let caches = doors[member]?.caches else {
      if case .unknown(let since, let why) = sights[member] { return .unknown(since: since, why: why) }
      return .unknown(since: "its beginning", why: "it has not answered yet.")
    }
    return .seen(read(caches))
  }

  func views<Content>(_ read: (Caches) -> Content) -> [String: View<Content>] {
    Dictionary(uniqueKeysWithValues: sights.keys.map { ($0, view($0, read)) })
  }

  /// The names of all objects of a type that any member has.
  func keys(_ type: ResourceType) -> Set<ObjectKey> {
    doors.values.reduce(into: []) { keys, door in keys.formUnion(door.caches?.informers[type]?.keys ?? []) }
  }

  /// Whether any member has an object of these types.
  func hasSome(of types: [ResourceType]) -> Bool {
    doors.values.contains { door in
      types.contains { door.caches?.informers[$0].map { $0.count > 0 } ?? false }
    }
  }

  /// The KafkaTopics that name a cluster in any member, sorted.
  func topics(of cluster: ObjectKey) -> [ObjectKey] {
    var found: Set<ObjectKey> = []
    for door in doors.values { found.formUnion(door.caches?.keys(Kinds.topics, of: cluster) ?? []) }
    return found.sorted()
  }

  /// The KafkaMirrors into a cluster in any member, sorted.
  func mirrors(into cluster: ObjectKey) -> [ObjectKey] {
    var found: Set<ObjectKey> = []
    for door in doors.values { found.formUnion(door.caches?.keys(Kinds.mirrors, of: cluster) ?? []) }
    return found.sorted()
  }

  /// A hash of the version of each object in each member, with what cannot be seen as such.
  func versions(_ type: ResourceType, _ keys: [ObjectKey]) -> [Int] {
    var hashers = Array(repeating: Hasher(), count: keys.count)
    for member in sights.keys.sorted() {
      let informer = sights[member] == .seen ? doors[member]?.caches?.informers[type] : nil
      for place in keys.indices {
        hashers[place].combine(member)
        hashers[place].combine(informer == nil)
        hashers[place].combine(informer?.resourceVersion(of: keys[place]))
      }
    }
    return hashers.map { $0.finalize() }
  }

  /// One resource as all members have it.
  func copies(
    of id: ObjectID, mayGo: Bool, givenUp: Set<String> = [], waitsFor: [String] = []
  ) -> CopyPlan {
    var situation = CopySituation(id, members: views { $0[id] }, mayGo: mayGo, givenUp: givenUp)
    situation.left = left
    situation.waitsFor = waitsFor
    situation.now = now
    return CopyReconciliation.plan(situation)
  }

  /// What is still to be written down about members that were given up, these ones too.
  func departures(_ new: [Departure]) -> [Step] {
    let namespace = membership.settings.namespace
    let known = views { $0.departures(in: namespace) }
    let all = left.map { Departure($0.key, since: $0.value) } + new
    return all.sorted { ($0.member, $0.since) < ($1.member, $1.since) }.flatMap {
      $0.steps(in: namespace, known: known)
    }
  }

  /// Since when our own home is given up; nil where it is not, or where a Region leads to it again.
  var homeLeft: String? {
    guard let home = membership.home.member, let since = left[home] else { return nil }
    let isBack = Set(keys(Kinds.regions).map(\.namespace)).contains { namespace in
      let (regions, homes) = regions(in: namespace)
      return regions.contains { region in
        guard homes[region.metadata.name] == home, !region.metadata.isBeingDeleted else { return false }
        // Another cluster may have come under our name.
        let uid = region.status.memberUID
        return uid.map { membership.home.marker?.isKnown(by: $0) ?? false } ?? true
      }
    }
    return isBack ? nil : since
  }

  /// The member that only a Region which is being deleted leads to; none otherwise.
  func membersGivenUp(with region: Region, origin: String?) -> Set<String> {
    guard region.metadata.isBeingDeleted else { return [] }
    let meta = region.metadata
    let member =
      home(of: region, origin: origin) ?? "\(DoorKey.region(namespace: meta.namespace, name: meta.name))"
    let isShared = keys(Kinds.regions).contains { key in
      guard key != ObjectKey(namespace: meta.namespace, name: meta.name) else { return false }
      let copies = copies(of: ObjectID(.region, key.namespace, key.name), mayGo: false)
      guard let other = copies.truth.map({ Region.read($0).resource }), !other.metadata.isBeingDeleted else {
        return false
      }
      return home(of: other, origin: copies.origin) == member
    }
    return isShared ? [] : [member]
  }

  /// What is recorded beside a resource in each member that has it, and not another one of that name.
  func records<R: Resource>(
    of id: ObjectID, as type: R.Type, without others: Set<String>
  ) -> [String: View<RecordedCopy<R.Status>>] {
    views { $0[id] }.filter { !others.contains($0.key) }.compactMapValues { view in
      switch view {
      case .unknown(let since, let why): return .unknown(since: since, why: why)
      case .seen(nil): return nil
      case .seen(let object?):
        let resource = R.read(object).resource
        return .seen(RecordedCopy(generation: resource.metadata.generation, status: resource.status))
      }
    }
  }

  /// The Regions of a namespace, and which member each is in, as far as that is known.
  func regions(in namespace: String) -> (regions: [Region], homes: [String: String]) {
    var regions: [Region] = []
    var homes: [String: String] = [:]
    for key in keys(Kinds.regions).sorted() where key.namespace == namespace {
      let copies = copies(of: ObjectID(.region, key.namespace, key.name), mayGo: false)
      guard let truth = copies.truth else { continue }
      let region = Region.read(truth).resource
      regions.append(region)
      homes[key.name] = home(of: region, origin: copies.origin)
    }
    return (regions, homes)
  }

  func home(of region: Region, origin: String?) -> String? {
    guard region.spec.access != nil else { return origin }
    let key = DoorKey.region(namespace: region.metadata.namespace, name: region.metadata.name)
    guard let found = membership.member(key), let recorded = region.status.member else {
      return membership.member(key) ?? region.status.member
    }
    // Doors are told apart by the copy at home, and the original may have recorded more.
    let uid = membership.door(key)?.marker
    let isSame = found == recorded && region.status.memberUID.map { uid?.isKnown(by: $0) ?? true } ?? true
    return isSame ? found : recorded
  }
}
