import EventLoop
import JSONValue
import KubernetesAPI
import KubernetesResources
import Reconciliation
import Synchronization
import Telemetry
import Vocabulary

/// Looks, plans, and has the plan performed: once for each call.
final class Reconciler: Sendable {
  struct Pauses: Sendable {
    /// After something was done.
    var afterSteps = TimeSpan.milliseconds(100)
    /// While something is waited for that no watch shows, such as replicas that come into sync.
    var whileWaiting = TimeSpan.milliseconds(1000)
    /// When all is as it should be; between three quarters and five quarters of it.
    var whenDone = TimeSpan.seconds(15)
    /// Until a cache shows what was written.
    var untilSettled = TimeSpan.milliseconds(30)
  }
  /// No request of an operator that leads no more is on its way for longer.
  private static let goneIsKnownFor = TimeSpan.seconds(24 * 60 * 60)
  let membership: Membership
  let performer: Performer
  let pauses: Pauses
  private let loop: EventLoop
  private let pool: BlockingPool
  let log: Log
  private let state = Mutex<[ObjectKey: Conversation]>([:])
  let topicMemory = Mutex<[ObjectKey: TopicMemory]>([:])
  /// When the figures of a KafkaMirror were last written.
  let measured = Mutex<[ObjectKey: Instant]>([:])
  /// Rises with every change that the topics of a cluster depend on.
  let news: @Sendable (ObjectKey) -> Int

  init(
    _ membership: Membership, _ performer: Performer, _ pauses: Pauses, loop: EventLoop, pool: BlockingPool, log: Log,
    news: @escaping @Sendable (ObjectKey) -> Int
  ) {
    self.news = news
    self.membership = membership
    self.performer = performer
    self.pauses = pauses
    self.loop = loop
    self.pool = pool
    self.log = log
  }

  func close() {
    let all = state.withLock { state in
      defer { state = [:] }
      return state
    }
    for conversation in all.values { conversation.close() }
  }

  func conversation(_ cluster: ObjectKey) -> Conversation {
    state.withLock { state in
      if let known = state[cluster] { return known }
      let new = Conversation(loop: loop, pool: pool)
      state[cluster] = new
      return new
    }
  }

  /// Does one round about a key. Returns when it shall come again; nil for never. Throws `Undone` where it shall come
  /// again the later the more often that happened.
  func reconcile(_ key: WorkKey) async throws -> TimeSpan? {
    let sights = Sights(membership)
    // This says nothing about whether the round before was of use.
    guard performer.hasSettled(key, sights) else { throw WorkLater(pauses.untilSettled) }
    switch key {
    case .region(let name): return try await region(name, key, sights)
    case .cluster(let name): return try await cluster(name, key, sights)
    case .topics(let cluster): return try await topics(of: cluster, key, sights)
    case .mirrors(let target): return try await mirrors(into: target, key, sights)
    }
  }

  /// Something came to nothing, and may well be done in a moment. Whoever calls backs off.
  struct Undone: Error, CustomStringConvertible { let description = "a step came to nothing" }

  /// How long until the next round, after one has ended.
  func pause(after performed: Performed, _ waits: [String], _ key: WorkKey) throws(Undone) -> TimeSpan {
    // What fails in one member does not keep back what others wait for and no watch shows.
    if performed.hasFailed {
      guard performed.didSomething || !waits.isEmpty else { throw Undone() }
      return pauses.whileWaiting
    }
    if performed.didSomething { return pauses.afterSteps }
    let whole = pauses.whenDone.nanoseconds
    let rest =
      waits.isEmpty
      ? TimeSpan(nanoseconds: whole * 3 / 4 + Int64.random(in: 0...whole / 2)) : pauses.whileWaiting
    return min(rest, performer.nextTry(of: key) ?? rest)
  }

  var now: String { KubernetesTime.text(wallClockNow()) }

  /// What came late of an object that is gone.
  private func takeAway(_ plan: Plan, _ key: WorkKey, _ sights: Sights) async throws(Undone) -> TimeSpan? {
    defer { performer.endRound(key) }
    guard !plan.steps.isEmpty || !plan.waits.isEmpty else { return nil }
    return try pause(after: await performer.perform(plan.steps, for: key, sights) { _ in }, plan.waits, key)
  }

  // MARK: Regions

  private func region(_ name: ObjectKey, _ key: WorkKey, _ sights: Sights) async throws(Undone) -> TimeSpan? {
    let id = ObjectID(.region, name.namespace, name.name)
    let seen = sights.copies(of: id, mayGo: false)
    guard let truth = seen.truth else { return try await takeAway(seen.plan, key, sights) }
    let (region, mistakes) = Region.read(truth)
    let givenUp = sights.membersGivenUp(with: region, origin: seen.origin)
    let users = users(of: name, sights)
    let isUsed = !users.isEmpty
    // Who goes on without a member knows since when before the Region is gone. Our own home has us to go on.
    let leaving =
      isUsed
      ? []
      : givenUp.subtracting([membership.home.member].compactMap { $0 })
        .map { Departure($0, since: region.metadata.deletionTimestamp ?? now) }
    let records = sights.departures(leaving)
    let copies = sights.copies(
      of: id, mayGo: !isUsed && records.isEmpty, givenUp: givenUp, waitsFor: users)
    var plan = copies.plan
    plan.steps = records + plan.steps
    if !region.metadata.isBeingDeleted {
      var situation = RegionSituation(
        region, copies: sights.records(of: id, as: Region.self, without: seen.others),
        contact: contact(region, copies.origin, sights),
        now: now)
      situation.mistakes = mistakes
      situation.refused = performer.refusals(of: key).words(of: plan)
      let (others, homes) = sights.regions(in: name.namespace)
      situation.others = others.compactMap { other in homes[other.metadata.name].map { (other, $0) } }
      situation.brokers = readiness(name, sights)
      plan.steps += RegionReconciliation.plan(situation).steps
    }
    let performed = await performer.perform(plan.steps, for: key, sights) { _ in }
    performer.endRound(key)
    return try pause(after: performed, plan.waits, key)
  }

  /// The clusters that have their place in a Region, or a node there that has yet to leave: without the Region nobody
  /// would look after it. A sentence for each.
  private func users(of region: ObjectKey, _ sights: Sights) -> [String] {
    let naming = sights.keys(Kinds.clusters).sorted().filter { cluster in
      guard cluster.namespace == region.namespace else { return false }
      let id = ObjectID(.kafkaCluster, cluster.namespace, cluster.name)
      let spec = sights.copies(of: id, mayGo: false).truth?["spec"]["regions"].elements ?? []
      return spec.contains { $0["name"].string == region.name }
    }
    var nodes: Set<ObjectKey> = []
    for member in sights.doors.keys {
      let sets = sights.view(member) { $0.all(Kinds.sets) }.content ?? [:]
      for (key, set) in sets
      where key.namespace == region.namespace && ObjectMeta(set).labels[Marks.region] == region.name {
        nodes.insert(key)
      }
    }
    return naming.map {
      "The KafkaCluster \($0) has the Region in spec.regions; take it out there, or delete the KafkaCluster."
    } + nodes.sorted().map { "The node \($0) has yet to leave the Region." }
  }

  private func contact(_ region: Region, _ origin: String?, _ sights: Sights) -> RegionSituation.Contact {
    let key = DoorKey.region(namespace: region.metadata.namespace, name: region.metadata.name)
    let door: Door?
    let sight: Sight
    if region.spec.access == nil {
      door = origin.flatMap { sights.doors[$0] }
      sight =
        door?.reach ?? origin.flatMap { sights.sights[$0] } ?? .unknown(since: now, why: "its cluster is not known.")
    } else {
      door = membership.door(key)
      sight = Sights.reach(key, membership)
      if membership.refusal(key) == nil, let why = strangeness(of: region, key) { return .another(why: why) }
    }
    switch sight {
    case .unknown(let since, let why): return .failed(since: since, why: why)
    case .seen:
      guard let door, let member = door.member, let version = door.version else {
        return .failed(since: now, why: "it has not said its name yet.")
      }
      // Who it is it may tell, and still refuse what is needed.
      if case .unknown(let since, let why) = sights.sights[member] { return .failed(since: since, why: why) }
      return .reached(
        member: member, uid: door.marker?.uid, version: version.text,
        roundTripMilliseconds: Int(door.roundTrip?.milliseconds ?? 0))
    }
  }

  /// The Region's original may have recorded more than the copy at home, by which doors are told apart.
  private func strangeness(of region: Region, _ key: DoorKey) -> String? {
    if let why = membership.strangeness(key) { return why }
    guard let found = membership.door(key)?.found else { return nil }
    return MemberWay(key, found: found, recorded: .init(region.status)).mismatch(in: membership.settings.namespace)
  }

  /// Brokers of all clusters in a Region.
  private func readiness(_ region: ObjectKey, _ sights: Sights) -> Readiness {
    var readiness = Readiness()
    func isHere(_ object: JSON) -> Bool {
      let meta = ObjectMeta(object)
      return meta.namespace == region.namespace && meta.labels[Marks.region] == region.name
        && meta.labels[Marks.broker] == "true"
    }
    for door in sights.doors.values {
      readiness.desired += door.caches?.all(Kinds.sets).values.count(where: isHere) ?? 0
      readiness.ready += door.caches?.all(Kinds.pods).values.count { isHere($0) && Pod($0).state == .ready } ?? 0
    }
    return readiness
  }

  // MARK: Clusters

  func situation(_ name: ObjectKey, _ truth: JSON, _ sights: Sights) -> ClusterSituation {
    let id = ObjectID(.kafkaCluster, name.namespace, name.name)
    let (cluster, mistakes) = KafkaCluster.read(truth)
    let freshID = UniqueID(high: .random(in: 1...UInt64.max), low: .random(in: 1...UInt64.max))
    var situation = ClusterSituation(cluster: cluster, now: now, freshID: freshID)
    let longAgo = wallClockNow().milliseconds - ReconciliationLimits.comingUpSpan.milliseconds
    situation.longAgo = KubernetesTime.text(Timestamp(milliseconds: longAgo))
    situation.mistakes = mistakes
    let others = sights.copies(of: id, mayGo: false).others
    situation.copies = sights.records(of: id, as: KafkaCluster.self, without: others)
    (situation.regions, situation.homes) = sights.regions(in: name.namespace)
    situation.members = members(of: name, sights)
    return situation
  }

  private func members(of name: ObjectKey, _ sights: Sights) -> [String: View<MemberObjects>] {
    sights.views { caches in
      let content = caches.objects(of: name)
      var objects = MemberObjects()
      objects.objects = content.objects
      objects.pods = content.pods
      objects.machines = content.machines
      objects.machinesRefused = caches.offer.machinesRefused
      objects.hasPolicyV1 = caches.offer.hasPolicyV1
      objects.hasServiceExports = caches.offer.hasServiceExports
      return objects
    }
  }

  private func leftovers(of id: ObjectID, _ sights: Sights) -> Plan {
    let before = wallClockNow().milliseconds - Self.goneIsKnownFor.milliseconds
    // A member that was given up may come back at any time.
    let forgetting = sights.left.isEmpty ? KubernetesTime.text(Timestamp(milliseconds: before)) : ""
    return ClusterReconciliation.leftovers(
      of: id, in: members(of: id.key, sights), forgetting: forgetting)
  }

  func addBrokers(to situation: inout ClusterSituation, _ name: ObjectKey) async {
    let ids = [situation.cluster.status.clusterID] + situation.copies.values.map { $0.content?.status.clusterID }
    guard let id = ids.compactMap({ $0 }).first else {
      situation.brokers = .unknown(since: now, why: "the cluster has no id yet.")
      return
    }
    let conversation = conversation(name)
    let recorded = situation.copies.values.flatMap { $0.content?.status.bootstrapServers ?? [] }
    let known = ClusterReconciliation.bootstrapServers(situation)
    conversation.meet(at: known.isEmpty ? Set(recorded).sorted() : known)
    situation.brokers = await conversation.facts(of: id, now: now)
  }

  /// How the members are after the brokers were asked, which may have taken seconds: a pod that was ready before may be
  /// gone. Nil where the cluster itself is gone.
  func lookAgain(_ name: ObjectKey, after asked: ClusterSituation, _ sights: Sights) -> ClusterSituation? {
    let id = ObjectID(.kafkaCluster, name.namespace, name.name)
    guard let truth = sights.copies(of: id, mayGo: false).truth else { return nil }
    var situation = situation(name, truth, sights)
    situation.brokers = asked.brokers
    return situation
  }

  private func cluster(_ name: ObjectKey, _ key: WorkKey, _ before: Sights) async throws(Undone) -> TimeSpan? {
    let id = ObjectID(.kafkaCluster, name.namespace, name.name)
    let copies = before.copies(of: id, mayGo: false)
    guard let truth = copies.truth else {
      state.withLock { $0.removeValue(forKey: name) }?.close()
      var plan = leftovers(of: id, before)
      plan.steps += copies.plan.steps
      plan.waits += copies.plan.waits
      return try await takeAway(plan, key, before)
    }
    var asked = situation(name, truth, before)
    // Brokers that are gone for good tell nothing, and waiting for them to say nothing would hold up the end.
    if asked.hasProcesses || !asked.cluster.metadata.isBeingDeleted { await addBrokers(to: &asked, name) }
    let sights = Sights(membership)
    guard var situation = lookAgain(name, after: asked, sights) else { return pauses.afterSteps }
    let isGone = situation.cluster.metadata.isBeingDeleted && ClusterReconciliation.isGone(situation)
    var plan = sights.copies(of: id, mayGo: isGone).plan
    situation.refused = performer.refusals(of: key)
    situation.refused.besides = situation.refused.words(of: plan)
    let own = ClusterReconciliation.plan(situation)
    if situation.cluster.metadata.isBeingDeleted, !isGone {
      let waitsFor = ClusterReconciliation.waitsForItsEnd(situation, own)
      plan = sights.copies(of: id, mayGo: false, waitsFor: waitsFor).plan
    }
    plan.steps += own.steps
    plan.waits += own.waits
    let conversation = conversation(name)
    let found = situation
    let performed = await performer.perform(plan.steps, for: key, sights) { request in
      try await conversation.perform(request) { ClusterReconciliation.controllerAddress(of: $0, found) }
    }
    performer.endRound(key)
    log.debug(
      "looked at a cluster", ["cluster": name, "steps": plan.steps.count, "waits": plan.waits.joined(separator: " ")])
    return try pause(after: performed, plan.waits, key)
  }

  // MARK: Topics

  static func cluster(of topic: JSON) -> ObjectKey {
    let reference = topic["spec"]["cluster"]
    return ObjectKey(
      namespace: reference["namespace"].string ?? topic["metadata"]["namespace"].string ?? "",
      name: reference["name"].string ?? "")
  }

  static func target(of mirror: JSON) -> ObjectKey {
    ObjectKey(
      namespace: mirror["metadata"]["namespace"].string ?? "", name: mirror["spec"]["target"].string ?? "")
  }
}
