import JSONValue
import KubernetesResources
import Reconciliation
import Vocabulary

/// Everything at once: Regions, a cluster and topics with their copies on several API servers, the nodes that come of
/// them, and an operator that may die after any write.
///
/// An operator's memory is the plan that it is performing and nothing else: one that dies takes along what is left of
/// that plan. The next one begins with what it sees.
struct Fleet {
  static let namespace = "kafka"

  /// In which order the steps of one plan come about: each member has a lane of its own, and so have the brokers.
  enum Lanes: CaseIterable {
    case asPlanned
    case brokersFirst
    case lastMemberFirst
  }

  /// Nodes, pods and brokers.
  var world: World
  /// What people apply, with the copies that operators make: by member.
  var servers: [String: [ObjectID: JSON]]
  /// Rises with every write that changed something, of whomever.
  var clock = 0
  /// Which operator this is: each would give a new cluster another id.
  var operators = 1
  var lanes = Lanes.asPlanned
  /// What the operator would do next, if it died here.
  var undone: [Step] = []
  /// How everything was after each write.
  var history: [Fleet] = []
  var isRecording = false

  init(_ names: [String]) {
    world = World(names.map { RegionShare($0, brokers: 1, controllers: 1) })
    servers = Dictionary(uniqueKeysWithValues: names.map { ($0, [:]) })
  }

  var members: [String] { servers.keys.sorted() }

  // MARK: What an operator sees

  func copies(of id: ObjectID, mayGo: Bool, waitsFor: [String] = []) -> CopyPlan {
    var situation = CopySituation(id, members: servers.mapValues { .seen($0[id]) }, mayGo: mayGo)
    situation.waitsFor = waitsFor
    situation.left = Departure.all(departures)
    situation.now = now
    return CopyReconciliation.plan(situation)
  }

  private var departures: [String: View<[String: String]>] {
    servers.mapValues { objects in
      let records = objects.values.compactMap { Departure($0) }
      return .seen(Dictionary(records.map { ($0.member, $0.since) }) { max($0, $1) })
    }
  }

  func records<R: Resource>(of id: ObjectID, as type: R.Type) -> [String: View<RecordedCopy<R.Status>>] {
    servers.compactMapValues { objects in
      objects[id].map { object in
        let resource = R.read(object).resource
        return .seen(RecordedCopy(generation: resource.metadata.generation, status: resource.status))
      }
    }
  }

  func names(of kind: ObjectKind) -> [ObjectID] {
    Set(servers.values.flatMap { $0.keys.filter { $0.kind == kind } }).sorted()
  }

  /// Clusters of which members have something, whether or not there is a KafkaCluster.
  private var leftClusters: [ObjectID] {
    world.members.values.flatMap { member in
      member.objects.values.compactMap { object in
        object["metadata"]["labels"][Marks.cluster].string.map { ObjectID(.kafkaCluster, Self.namespace, $0) }
      }
    }
  }

  /// These compare as the times do.
  var now: String { "2026-01-01T00:\(10 + world.time / 60):\(10 + world.time % 60)Z" }

  private var regions: [Region] {
    names(of: .region).compactMap { id in copies(of: id, mayGo: false).truth.map { Region.read($0).resource } }
  }

  private func situation(_ truth: JSON) -> ClusterSituation {
    let id = ObjectID(truth) ?? ObjectID(.kafkaCluster, "", "")
    var world = world
    world.regions = regions
    for member in members {
      world.members[member]?.copy = records(of: id, as: KafkaCluster.self)[member]?.content
    }
    let (cluster, mistakes) = KafkaCluster.read(truth)
    world.cluster = cluster
    var situation = world.situation
    situation.mistakes = mistakes
    situation.copies = records(of: id, as: KafkaCluster.self)
    situation.freshID = UniqueID(high: UInt64(operators), low: 1)
    return situation
  }

  /// The plans for everything there is, as an operator makes them.
  func plan(for id: ObjectID) -> Plan {
    switch id.kind {
    case .region: region(id)
    case .kafkaCluster: cluster(id)
    default: topics(of: id)
    }
  }

  private func region(_ id: ObjectID) -> Plan {
    let isUsed = names(of: .kafkaCluster).contains { cluster in
      let spec = copies(of: cluster, mayGo: false).truth?["spec"]["regions"].elements ?? []
      return spec.contains { $0["name"].string == id.name }
    }
    guard let truth = copies(of: id, mayGo: false).truth else { return copies(of: id, mayGo: false).plan }
    let region = Region.read(truth).resource
    var leaving = Departure.all(departures).map { Departure($0.key, since: $0.value) }
    if let since = region.metadata.deletionTimestamp, !isUsed { leaving.append(Departure(id.name, since: since)) }
    let told = leaving.flatMap { $0.steps(in: Self.namespace, known: departures) }
    var plan = copies(of: id, mayGo: !isUsed && told.isEmpty).plan
    plan.steps = told + plan.steps
    guard !region.metadata.isBeingDeleted else { return plan }
    var situation = RegionSituation(
      region, copies: records(of: id, as: Region.self),
      contact: .reached(member: id.name, version: "v1.33.1", roundTripMilliseconds: 1), now: now)
    situation.others = regions.map { ($0, $0.metadata.name) }
    plan.steps += RegionReconciliation.plan(situation).steps
    return plan
  }

  private func cluster(_ id: ObjectID) -> Plan {
    let copying = copies(of: id, mayGo: false)
    guard let truth = copying.truth else {
      var plan = copying.plan
      plan.steps += ClusterReconciliation.leftovers(of: id, in: world.situation.members, forgetting: "2026").steps
      return plan
    }
    let situation = situation(truth)
    let isGone = situation.cluster.metadata.isBeingDeleted && ClusterReconciliation.isGone(situation)
    let own = ClusterReconciliation.plan(situation)
    let waitsFor = ClusterReconciliation.waitsForItsEnd(situation, own)
    var plan = copies(of: id, mayGo: isGone, waitsFor: waitsFor).plan
    plan.steps += own.steps
    return plan
  }

  /// All topics of a cluster; the id is the cluster's.
  private func topics(of id: ObjectID) -> Plan {
    let cluster = ObjectID(.kafkaCluster, id.namespace, id.name)
    var late = Plan()
    for topic in names(of: .kafkaTopic) {
      let copying = copies(of: topic, mayGo: false)
      if copying.truth == nil { late.steps += copying.plan.steps }
    }
    guard let truth = copies(of: cluster, mayGo: false).truth else { return late }
    let found = situation(truth)
    var situation = TopicSituation(
      cluster: found.cluster, regions: found.regions, brokers: found.brokers, now: now)
    for topic in names(of: .kafkaTopic) {
      let copying = copies(of: topic, mayGo: false)
      guard let truth = copying.truth else { continue }
      let (resource, mistakes) = KafkaTopic.read(truth)
      situation.topics.append(
        WantedTopic(
          resource, mistakes: mistakes, created: copying.created ?? "", copies: records(of: topic, as: KafkaTopic.self))
      )
    }
    guard !situation.topics.isEmpty else { return late }
    let result = TopicReconciliation.plan(situation)
    var plan = late
    for topic in situation.topics {
      plan.steps += copies(of: topic.id, mayGo: result.gone.contains(topic.id)).plan.steps
    }
    plan.steps += result.plan.steps
    return plan
  }

  // MARK: What an operator does

  /// Everything once. Returns whether there was something to do.
  mutating func round() -> Bool {
    var hadWork = false
    let clusters = Set(names(of: .kafkaCluster) + leftClusters).sorted()
    let keys = names(of: .region) + clusters + clusters.map { ObjectID(.kafkaTopic, $0.namespace, $0.name) }
    for key in keys {
      let steps = inLanes(plan(for: key).steps)
      hadWork = hadWork || !steps.isEmpty
      for (place, step) in steps.enumerated() where perform(step) { record(steps[(place + 1)...]) }
    }
    let before = (world.facts, world.members.mapValues(\.pods))
    world.settle()
    return hadWork || world.facts != before.0 || world.members.mapValues(\.pods) != before.1
  }

  private mutating func record(_ rest: ArraySlice<Step>) {
    guard isRecording else { return }
    var now = self
    now.history = []
    now.isRecording = false
    now.undone = Array(rest)
    history.append(now)
  }

  /// Until there is nothing to do. Returns whether it came to rest.
  mutating func run(rounds: Int = 60) -> Bool { (0..<rounds).contains { _ in !round() } }

  /// The operator is dead, and another one begins.
  mutating func replaceOperator() {
    operators += 1
    world.settle()
  }

  private func inLanes(_ steps: [Step]) -> [Step] {
    func lane(_ step: Step) -> String {
      switch step {
      case .apply(_, let member), .delete(_, _, let member), .restart(_, _, _, let member),
        .tell(_, _, _, let member), .writeStatus(_, _, let member), .setFinalizers(_, _, let member):
        member
      case .ask: "brokers"
      case .event: "~"
      }
    }
    guard lanes != .asPlanned else { return steps }
    let names = members + ["brokers"]
    let order = lanes == .brokersFirst ? ["brokers"] + members : names.reversed()
    return (order + ["~"]).flatMap { name in steps.filter { lane($0) == name } }
  }
}
