import JSONValue
import KubernetesAPI
import KubernetesResources
import Reconciliation
import Synchronization
import Vocabulary

/// What is remembered of a cluster's topics, so that what is in order costs nothing: with the same versions in every
/// member and the same words of the brokers, a topic that was ready needs no look. It may be lost at any time.
struct TopicMemory {
  /// What everything was found to be in order with.
  struct Calm: Equatable {
    let news: Int
    let brokers: Int
  }
  struct Settled {
    /// A hash of all that the topic's plan followed from.
    let inputs: Int
    let name: String
    let created: String
  }
  var calm: Calm?
  var settled: [ObjectKey: Settled] = [:]
  /// When topics were created: many of them at the same time, as one text.
  var times: Set<String> = []
}

extension Reconciler {
  /// Topics that are decoded, planned and performed together.
  static let topicsAtOnce = 200

  func topics(of name: ObjectKey, _ key: WorkKey, _ before: Sights) async throws(Undone) -> TimeSpan? {
    let id = ObjectID(.kafkaCluster, name.namespace, name.name)
    let news = news(name)
    var situation: ClusterSituation?
    var sights = before
    if let truth = before.copies(of: id, mayGo: false).truth {
      var asked = self.situation(name, truth, before)
      await addBrokers(to: &asked, name)
      sights = Sights(membership)
      situation = lookAgain(name, after: asked, sights)
    }
    let calm = situation.map { TopicMemory.Calm(news: news, brokers: $0.brokers.hashValue) }
    var memory = topicMemory.withLock { $0.removeValue(forKey: name) } ?? TopicMemory()
    defer { topicMemory.withLock { $0[name] = memory } }
    if let calm, memory.calm == calm, !performer.hasTry(of: key) { return try pause(after: .nothing, [], key) }
    defer { performer.endRound(key) }
    memory.calm = nil
    let keys = sights.topics(of: name)
    let makers = keys.isEmpty ? [] : self.makers(in: name, sights)
    guard !keys.isEmpty else {
      memory.settled = [:]
      return nil
    }
    var round = TopicRound(situation, keys, memory, sights)
    // Who has a name is known before the first of several parts is planned.
    if round.unsettled.count > Self.topicsAtOnce {
      for key in round.unsettled {
        if let topic = self.wanted(key, of: name, sights) { round.claim(topic) }
      }
    }
    let refused = performer.refusals(of: key)
    var performed = Performed.nothing
    for chunk in round.unsettled.chunks(of: Self.topicsAtOnce) where performer.mayWrite {
      let wanted = chunk.compactMap { self.wanted($0, of: name, sights, refused) }
      let late = chunk.count == wanted.count ? Plan() : lateCopies(chunk, Kinds.topics, sights)
      let plan = plan(wanted, of: name, situation, makers, refused, &round, sights)
      let conversation = conversation(name)
      let part = await performer.perform(late.steps + plan.steps, for: key, sights) { request in
        conversation.expectChange(request)
        try await conversation.perform(request) { _ in nil }
      }
      performed = performed.and(part)
      round.add(late)
      round.settle(wanted, after: plan)
    }
    (memory.settled, memory.times) = (round.settled, round.times)
    // What is refused is as it was, and looked at when it is tried again.
    memory.calm = performed.didSomething || performed.hasFailed || !round.waits.isEmpty ? nil : calm
    return try pause(after: performed, round.waits, key)
  }

  /// What is there of objects that are gone.
  func lateCopies(_ keys: [ObjectKey], _ type: ResourceType, _ sights: Sights) -> Plan {
    var plan = Plan()
    for key in keys {
      let copies = sights.copies(of: ObjectID(type.objectKind, key.namespace, key.name), mayGo: false)
      guard copies.truth == nil else { continue }
      plan.steps += copies.plan.steps
      plan.waits += copies.plan.waits
    }
    return plan
  }

  private func wanted(
    _ topic: ObjectKey, of cluster: ObjectKey, _ sights: Sights, _ refused: RefusedSteps = RefusedSteps()
  ) -> WantedTopic? {
    let id = ObjectID(.kafkaTopic, topic.namespace, topic.name)
    let copies = sights.copies(of: id, mayGo: false)
    guard let truth = copies.truth, Self.cluster(of: truth) == cluster else { return nil }
    let (resource, mistakes) = KafkaTopic.read(truth)
    var wanted = WantedTopic(
      resource, mistakes: mistakes, created: copies.created ?? "",
      copies: sights.records(of: id, as: KafkaTopic.self, without: copies.others))
    wanted.refused = refused.words(of: copies.plan)
    return wanted
  }

  private func plan(
    _ wanted: [WantedTopic], of cluster: ObjectKey, _ situation: ClusterSituation?, _ makers: [TopicMaker],
    _ refused: RefusedSteps, _ round: inout TopicRound, _ sights: Sights
  ) -> Plan {
    var plan = Plan()
    var gone = Set(wanted.map(\.id))
    var waitsFor: [ObjectID: [String]] = [:]
    if let situation {
      var topics = TopicSituation(
        cluster: situation.cluster, regions: situation.regions, brokers: situation.brokers, now: now)
      topics.topics = wanted
      topics.claims = round.claims
      topics.makers = makers
      topics.refused = refused
      topics.movesBegun = round.movesBegun
      let result = TopicReconciliation.plan(topics)
      plan = result.plan
      (gone, waitsFor) = (result.gone, result.waitsFor)
      // What the brokers say of topics shows on no watch.
      if case .unknown(_, let why) = situation.brokers { plan.waits.append(why) }
    } else {
      for topic in wanted { plan.steps += orphaned(topic, cluster) }
    }
    var copied: [Step] = []
    for topic in wanted {
      let mayGo = gone.contains(topic.id)
      let copies = sights.copies(of: topic.id, mayGo: mayGo, waitsFor: waitsFor[topic.id] ?? []).plan
      copied += copies.steps
      plan.waits += copies.waits
    }
    plan.steps = copied + plan.steps
    round.add(plan)
    return plan
  }

  /// A topic of a cluster that is not there says so.
  private func orphaned(_ wanted: WantedTopic, _ cluster: ObjectKey) -> [Step] {
    let words = "spec.cluster names the KafkaCluster \(cluster), and there is none; apply it, or correct the name."
    return wanted.copies.keys.sorted().compactMap { member in
      guard let copy = wanted.copies[member]?.content, !wanted.topic.metadata.isBeingDeleted else { return nil }
      var status = copy.status
      status.observedGeneration = copy.generation
      status.conditions = [
        Condition("Ready", .no, "NoSuchCluster", words), Condition("Stalled", .yes, "NoSuchCluster", words),
        Condition("Reconciling", .no, "UpToDate", "Nothing is being done."),
      ].settled(after: copy.status.conditions, generation: copy.generation, now: now)
      return status == copy.status ? nil : .writeStatus(wanted.id, status.json, member: member)
    }
  }
}

/// One pass over the topics of a cluster.
struct TopicRound {
  private let isPlanned: Bool
  private let facts: [String: TopicFacts]
  private let base: Int
  /// Of all members, as a hash for each topic.
  private let versions: [ObjectKey: Int]
  private(set) var settled: [ObjectKey: TopicMemory.Settled] = [:]
  /// Topics that have to be looked at, sorted.
  private(set) var unsettled: [ObjectKey] = []
  private(set) var claims: [String: TopicClaim] = [:]
  private(set) var movesBegun = 0
  private(set) var waits: [String] = []
  private(set) var times: Set<String>

  init(_ situation: ClusterSituation?, _ keys: [ObjectKey], _ memory: TopicMemory, _ sights: Sights) {
    isPlanned = situation != nil
    // Some may be of topics that are gone.
    times = memory.times.count > keys.count ? [] : memory.times
    let topics = situation?.brokers.content?.topics ?? []
    facts = Dictionary(topics.map { ($0.name, $0) }) { first, _ in first }
    base = situation.map { Self.base($0, sights) } ?? 0
    versions = Dictionary(uniqueKeysWithValues: zip(keys, sights.versions(Kinds.topics, keys)))
    for key in keys {
      if let known = memory.settled[key], isPlanned, known.inputs == inputs(of: key, named: known.name) {
        settled[key] = known
        let id = ObjectID(.kafkaTopic, key.namespace, key.name)
        claims[known.name] = TopicClaim(id: id, created: known.created)
      } else {
        unsettled.append(key)
      }
    }
  }

  /// What the plan of every topic follows from.
  private static func base(_ situation: ClusterSituation, _ sights: Sights) -> Int {
    var hasher = Hasher()
    hasher.combine(situation.cluster.spec)
    hasher.combine(situation.cluster.metadata.annotations)
    for region in situation.regions {
      hasher.combine(region.metadata.name)
      hasher.combine(region.spec)
    }
    hasher.combine(situation.brokers.content?.brokers)
    hasher.combine(situation.brokers.content?.leader == nil)
    for member in sights.sights.keys.sorted() { hasher.combine(sights.sights[member] == .seen) }
    return hasher.finalize()
  }

  private func inputs(of key: ObjectKey, named name: String) -> Int {
    var hasher = Hasher()
    hasher.combine(base)
    hasher.combine(versions[key])
    hasher.combine(facts[name])
    return hasher.finalize()
  }

  /// The older of two has a name.
  mutating func claim(_ topic: WantedTopic) {
    let claim = TopicClaim(id: topic.id, created: topic.created)
    let name = topic.topic.topicName
    if let other = claims[name], (other.created, other.id) < (claim.created, claim.id) { return }
    claims[name] = claim
  }

  mutating func add(_ plan: Plan) {
    waits += plan.waits
    for case .ask(.reassign(let moves)) in plan.steps { movesBegun += moves.count }
  }

  /// Notes which topics were ready and had nothing to be done. All others are looked at again each time.
  mutating func settle(_ wanted: [WantedTopic], after plan: Plan) {
    guard isPlanned else { return }
    let (objects, names) = plan.subjects
    for topic in wanted {
      let (id, name) = (topic.id, topic.topic.topicName)
      let isReady = topic.copies.values.allSatisfy {
        $0.content.map { $0.status.conditions["Ready"]?.status == .yes } ?? true
      }
      guard isReady, !topic.topic.metadata.isBeingDeleted, !objects.contains(id), !names.contains(name) else {
        continue
      }
      settled[id.key] = TopicMemory.Settled(
        inputs: inputs(of: id.key, named: name), name: name == id.key.name ? id.key.name : name,
        created: times.insert(topic.created).memberAfterInsert)
      // Whom this one takes a name from has to be looked at.
      if let other = claims[name], other.id != id { settled[other.id.key] = nil }
    }
  }
}

extension Plan {
  /// The objects and the names of topics that something is done about.
  fileprivate var subjects: (objects: Set<ObjectID>, names: Set<String>) {
    var objects: Set<ObjectID> = []
    var names: Set<String> = []
    for step in steps {
      if let id = step.object { objects.insert(id) }
      guard case .ask(let request) = step else { continue }
      names.formUnion(request.topics)
    }
    return (objects, names)
  }
}
