import JSONValue
import KubernetesAPI
import KubernetesResources
import Reconciliation
import Synchronization
import Vocabulary

/// What one API server has of everything that the operator looks at.
final class Caches: Sendable {
  let informers: [ResourceType: Informer<Held>]
  let offer: Offer
  private let untidiness: Untidiness

  /// What an API server offers beyond what every one has.
  struct Offer: Sendable {
    var hasPolicyV1: Bool
    var hasServiceExports: Bool
    /// Why machines cannot be listed; nil where they can. Their addresses are only of interest where clients reach
    /// brokers through them.
    var machinesRefused: String?
  }

  /// `tell` hears that an object may have changed; nil is for news about the connection.
  init(
    _ server: APIServer, _ offer: Offer, namespace: String?, tell: @escaping @Sendable (ResourceType, JSON?) -> Void
  ) {
    self.offer = offer
    let untidiness = Untidiness()
    self.untidiness = untidiness
    var types = Kinds.applied + Kinds.owned + [Kinds.pods, offer.hasPolicyV1 ? Kinds.budgets : Kinds.oldBudgets]
    if offer.hasServiceExports { types.append(Kinds.exports) }
    if offer.machinesRefused == nil { types.append(Kinds.machines) }
    var informers: [ResourceType: Informer<Held>] = [:]
    for type in types {
      let isOurs = !Kinds.applied.contains(type) && type != Kinds.machines
      let selection = APIServer.Selection(
        namespace: type.scope == .cluster ? nil : namespace,
        labels: isOurs ? "\(Marks.managedBy)=\(Marks.managedByValue)" : nil)
      informers[type] = Informer(server, type, selection, keeping: { Held($0.trimmed) }) { change in
        switch change {
        case .put(_, let old, let new):
          let new = new.json
          // A machine says every few seconds that it lives.
          if type == Kinds.machines, let old, Machine(old.json) == Machine(new) { return }
          untidiness.note()
          tell(type, new)
        case .deleted(_, let last): tell(type, last.json)
        case .synced, .contactLost, .contactRegained: tell(type, nil)
        }
      }
    }
    self.informers = informers
  }

  func run() async {
    await withTaskGroup(of: Void.self) { group in
      for informer in informers.values { group.addTask { await informer.run() } }
    }
  }

  var isSynced: Bool { informers.values.allSatisfy(\.isSynced) }

  /// To be called now and then: lays objects together after many have come one by one, and no more do.
  func tidy() {
    guard untidiness.isDue() else { return }
    for informer in informers.values { informer.remake(Held.together) }
  }

  /// The oldest failure that still lasts, and why the first list has not come where it has not.
  var trouble: (since: Instant?, why: String)? {
    var found: (since: Instant?, why: String)?
    for informer in informers.values {
      switch informer.contact {
      case .current, .starting(nil): continue
      case .starting(let why?): found = found ?? (nil, why)
      case .unknown(let since, let why):
        if let known = found?.since, known <= since { continue }
        found = (since, why)
      }
    }
    return found
  }

  subscript(_ id: ObjectID) -> JSON? { Kinds.type(of: id.kind).flatMap { informers[$0]?[id.key]?.json } }
  /// Every object of a type; of topics there are too many for that.
  func all(_ type: ResourceType) -> [ObjectKey: JSON] { informers[type]?.objects.mapValues(\.json) ?? [:] }
  /// The KafkaClusters that KafkaTopics name, or that KafkaMirrors copy into.
  func clusters(named type: ResourceType) -> Set<ObjectKey> {
    let numbers = Set(informers[type]?.collect { $1.cluster } ?? [])
    return Set(numbers.map { ClusterNames.shared.name(of: $0) })
  }

  /// The KafkaTopics that name a cluster, or the KafkaMirrors into it, in any order.
  func keys(_ type: ResourceType, of cluster: ObjectKey) -> [ObjectKey] {
    let number = ClusterNames.shared.number(of: cluster)
    return informers[type]?.collect { $1.cluster == number ? $0 : nil } ?? []
  }

  /// Whether some Region asks for the addresses of machines.
  var hasNodePorts: Bool {
    all(Kinds.regions).values.contains {
      $0["spec"]["network"]["type"].string == RegionNetwork.Kind.nodePort.rawValue
    }
  }

  /// The members of which it is recorded here that they were given up, and when.
  func departures(in namespace: String) -> [String: String] {
    let records = informers[Kinds.configMaps]?.collect { key, held in
      key.namespace == namespace && key.name.hasPrefix(Departure.prefix) ? Departure(held.json) : nil
    }
    return Dictionary((records ?? []).map { ($0.member, $0.since) }) { max($0, $1) }
  }

  /// The KafkaClusters of which something is left that says that they are gone.
  var goneClusters: [ObjectKey] {
    all(Kinds.configMaps).compactMap { key, object in
      let id = ObjectID(Kinds.configMaps.objectKind, key.namespace, key.name)
      guard ClusterReconciliation.isGoneRecord(id, object) else { return nil }
      return object["metadata"]["labels"][Marks.cluster].string.map { ObjectKey(namespace: key.namespace, name: $0) }
    }
  }

  /// Everything that belongs to one KafkaCluster.
  func objects(of cluster: ObjectKey) -> MemberContent {
    var content = MemberContent()
    for type in Kinds.owned + [Kinds.budgets, Kinds.oldBudgets, Kinds.exports] {
      for (key, object) in all(type) where isOf(cluster, key, object) {
        content.objects[ObjectID(type.objectKind, key.namespace, key.name)] = object
      }
    }
    content.pods = all(Kinds.pods).filter { isOf(cluster, $0.key, $0.value) }.map { Pod($0.value) }
      .sorted { $0.name < $1.name }
    for (key, machine) in all(Kinds.machines) { content.machines[key.name] = Machine(machine) }
    return content
  }

  private func isOf(_ cluster: ObjectKey, _ key: ObjectKey, _ object: JSON) -> Bool {
    key.namespace == cluster.namespace && object["metadata"]["labels"][Marks.cluster].string == cluster.name
  }
}

/// What a member has of one KafkaCluster.
struct MemberContent: Sendable {
  var objects: [ObjectID: JSON] = [:]
  var pods: [Pod] = []
  var machines: [String: Machine] = [:]
}

/// One object of a cache.
struct Held: Sendable {
  private let packed: PackedObject
  /// Less than 0 where there is none: tens of thousands of these are kept, and an optional takes twice as much.
  private let clusterNumber: Int32

  init(_ object: JSON) {
    let named: ObjectKey? =
      switch object["kind"].string {
      case KafkaTopic.kind: Reconciler.cluster(of: object)
      case KafkaMirror.kind: Reconciler.target(of: object)
      default: nil
      }
    self.init(PackedObject(object), named.map { ClusterNames.shared.number(of: $0) } ?? -1)
  }

  private init(_ packed: PackedObject, _ clusterNumber: Int32) {
    self.packed = packed
    self.clusterNumber = clusterNumber
  }

  /// Of a KafkaTopic the cluster that it names, of a KafkaMirror the one that it copies into, as a number of
  /// `ClusterNames`.
  var cluster: Int32? { clusterNumber < 0 ? nil : clusterNumber }
  var json: JSON { packed.json() }

  static func together(_ objects: [Held]) -> [Held] {
    zip(PackedObject.together(objects.map(\.packed)), objects).map { Held($0, $1.clusterNumber) }
  }
}

/// How many objects of a cache came one by one, and so lie here and there.
private final class Untidiness: Sendable {
  /// It is not worth while for fewer.
  private static let least = 1_000
  private struct State {
    var count = 0
    var countBefore = 0
  }
  private let state = Mutex(State())

  func note() { state.withLock { $0.count += 1 } }

  /// Whether there are many, and no more since this was asked before. Then they are counted anew.
  func isDue() -> Bool {
    state.withLock { state in
      defer { state.countBefore = state.count }
      guard state.count >= Self.least, state.count == state.countBefore else { return false }
      state.count = 0
      return true
    }
  }
}

/// The names of clusters, each once: ten thousand topics name the same few. It never shrinks.
final class ClusterNames: Sendable {
  static let shared = ClusterNames()
  private struct State {
    var names: [ObjectKey] = []
    var numbers: [ObjectKey: Int32] = [:]
  }
  private let state = Mutex(State())

  func number(of name: ObjectKey) -> Int32 {
    state.withLock { state in
      if let known = state.numbers[name] { return known }
      let number = Int32(clamping: state.names.count)
      state.names.append(name)
      state.numbers[name] = number
      return number
    }
  }

  func name(of number: Int32) -> ObjectKey { state.withLock { $0.names[Int(number)] } }
}
