public import KubernetesResources
import Vocabulary

/// What to do next about all KafkaTopics of one cluster. Topics without a KafkaTopic are left alone.
public enum TopicReconciliation {
  public struct Result: Hashable, Sendable {
    public var plan = Plan()
    /// KafkaTopics that are being deleted and whose topic is gone, or stays on purpose: their finalizer can go.
    public var gone: Set<ObjectID> = []
    /// What others that are being deleted wait for, where it is not the next step.
    public var waitsFor: [ObjectID: [String]] = [:]
  }

  public static func plan(_ situation: TopicSituation) -> Result {
    var planning = TopicPlanning(situation)
    let owners = owners(of: situation.topics, among: situation.claims)
    for wanted in situation.topics.sorted(by: { $0.id < $1.id }) {
      planning.plan(wanted, owner: owners[wanted.topic.topicName])
    }
    return planning.result()
  }

  /// The older resource of two for one topic wins, whoever is looked at first.
  private static func owners(
    of topics: [WantedTopic], among claims: [String: TopicClaim]
  ) -> [String: ObjectID] {
    var owners = claims
    for wanted in topics {
      let claim = TopicClaim(id: wanted.id, created: wanted.created)
      let name = wanted.topic.topicName
      if let other = owners[name], (other.created, other.id) < (claim.created, claim.id) { continue }
      owners[name] = claim
    }
    return owners.mapValues(\.id)
  }
}

/// One pass over all topics, and what it has come to so far.
struct TopicPlanning {
  let situation: TopicSituation
  let durability: DurabilityNumbers
  /// By name; nil where the brokers cannot be asked.
  let facts: [String: TopicFacts]?
  let alive: [BrokerFacts.Broker]
  /// By Region, those that live.
  let brokersByRegion: [String: Int]
  /// Where every registered broker is.
  let regionsByBroker: [NodeID: String]
  /// Partitions that may begin to move.
  var room = 0
  var load: ReplicaLoad?

  var creations: [TopicCreation] = []
  var increases: [PartitionIncrease] = []
  var alterations: [TopicAlteration] = []
  var moves: [Reassignment] = []
  var deletions: [TopicDeletion] = []
  var statuses: [Step] = []
  var events: [Step] = []
  var gone: Set<ObjectID> = []
  var waits: [String] = []
  var waitsFor: [ObjectID: [String]] = [:]

  init(_ situation: TopicSituation) {
    self.situation = situation
    durability = DurabilityNumbers(situation.cluster.spec, situation.regions)
    let brokers = situation.brokers.content.flatMap { $0.leader == nil ? nil : $0 }
    facts = brokers.map { Dictionary($0.topics.map { ($0.name, $0) }) { first, _ in first } }
    alive = (brokers?.brokers ?? []).filter { !$0.isFenced }.sorted { $0.id < $1.id }
    var counts: [String: Int] = [:]
    for broker in alive { counts[broker.region, default: 0] += 1 }
    brokersByRegion = counts
    regionsByBroker = Dictionary((brokers?.brokers ?? []).map { ($0.id, $0.region) }) { first, _ in first }
    if let brokers {
      let moving = brokers.topics.reduce(0) { sum, topic in sum + topic.partitions.count { $0.isMoving } }
      room = max(0, ReconciliationLimits.partitionsMovingMax - moving - situation.movesBegun)
    }
  }

  mutating func plan(_ wanted: WantedTopic, owner: ObjectID?) {
    if wanted.topic.metadata.isBeingDeleted {
      delete(wanted, isOwner: owner == wanted.id)
      return
    }
    if let mistake = mistake(wanted, owner) {
      let condition = Condition("Stalled", .yes, mistake.reason, mistake.message)
      report(wanted, [Condition("Ready", .no, mistake.reason, mistake.message), condition])
      return
    }
    guard let facts else {
      // What was ready stays so in the eyes of others: the topic is not worse because nobody could ask.
      guard wanted.copies.values.allSatisfy({ $0.content?.status.conditions.isEmpty ?? true }) else { return }
      report(
        wanted, [Condition("Ready", .unknown, "BrokersUnknown", "The brokers have not been asked, or do not answer.")])
      return
    }
    let target = TopicTarget(wanted.topic, self)
    guard let present = facts[wanted.topic.topicName] else {
      create(wanted, target)
      return
    }
    change(wanted, target, present)
  }

  /// The reason by which a topic that appears is known to be the one that was asked for.
  static let beingCreated = "BeingCreated"
  static let refused = "Refused"

  private mutating func create(_ wanted: WantedTopic, _ target: TopicTarget) {
    // Clients would own a topic that was made here, and the mirror would leave it out.
    if let maker = situation.makers.first(where: { $0.makes(wanted.topic.topicName) }) {
      report(
        wanted,
        [
          Condition(
            "Ready", .no, "BeingMirrored",
            "The \(maker.id) makes the topic once its source has it; make it there, or take it out of spec.topics of the mirror."
          )
        ])
      return
    }
    if let missing = target.missingBrokers(brokersByRegion) {
      report(wanted, [Condition("Ready", .no, "TooFewBrokers", missing)])
      return
    }
    let creation = TopicCreation(
      name: wanted.topic.topicName, partitions: wanted.topic.spec.partitions,
      replicationFactor: target.replicas.isEmpty ? target.replicationFactor : nil, config: target.config)
    creations.append(creation)
    if let why = situation.refused.words(of: .createTopics([creation])) {
      return report(wanted, refused: ["The brokers refuse to make the topic (\(why)); correct spec."])
    }
    report(wanted, [Condition("Ready", .no, Self.beingCreated, "The topic is being created.")])
  }

  private mutating func delete(_ wanted: WantedTopic, isOwner: Bool) {
    guard wanted.topic.spec.deletionPolicy == .delete, isOwner else {
      gone.insert(wanted.id)
      return
    }
    guard !isPaused(wanted) else {
      return wait(
        wanted,
        "The annotation \(Marks.pause) is true, so that the topic is not deleted: take it away, or set spec.deletionPolicy: Retain."
      )
    }
    guard let facts else { return wait(wanted, "\(wanted.id) goes once the brokers answer.") }
    guard let present = facts[wanted.topic.topicName] else {
      gone.insert(wanted.id)
      return
    }
    // A topic that was never this resource's is not its to delete.
    let recorded = wanted.copies.keys.sorted().compactMap { wanted.copies[$0]?.content?.status.topicID }.first
    // One that a mirror writes would be made again: it goes with its source.
    guard recorded == present.id, present.mirror == nil else {
      gone.insert(wanted.id)
      return
    }
    let deletion = TopicDeletion(topic: present.name, id: present.id)
    deletions.append(deletion)
    if let why = situation.refused.words(of: .deleteTopics([deletion])) {
      waitsFor[wanted.id] = [
        "The brokers refuse to delete the topic (\(why)); set spec.deletionPolicy: Retain to keep it."
      ]
    }
  }

  private mutating func wait(_ wanted: WantedTopic, _ words: String) {
    waits.append(words)
    waitsFor[wanted.id] = [words]
  }

  func isPaused(_ wanted: WantedTopic) -> Bool { wanted.topic.metadata.annotations[Marks.pause] == "true" }

  /// What was refused needs a person, and is not waited for.
  mutating func report(_ wanted: WantedTopic, refused: [String], _ present: TopicFacts? = nil) {
    let words = RefusedSteps.text(refused)
    report(
      wanted, [Condition("Ready", .no, Self.refused, words), Condition("Stalled", .yes, Self.refused, words)], present)
  }

  /// Writes the status into each copy that can be seen and differs.
  mutating func report(_ wanted: WantedTopic, _ conditions: [Condition], _ present: TopicFacts? = nil) {
    var conditions = conditions
    if !wanted.refused.isEmpty, conditions["Stalled"] == nil {
      conditions.append(Condition("Stalled", .yes, "Refused", RefusedSteps.text(wanted.refused)))
    }
    var all = conditions
    let isReady = conditions["Ready"]?.status == .yes
    let isStalled = conditions["Stalled"]?.status == .yes
    if !isStalled { all.append(Condition("Stalled", .no, "Works", "Nothing is in the way.")) }
    all.append(
      isReady || isStalled
        ? Condition("Reconciling", .no, "UpToDate", "Nothing is being done.")
        : Condition("Reconciling", .yes, "InProgress", conditions["Ready"]?.message ?? ""))
    for member in wanted.copies.keys.sorted() {
      guard let copy = wanted.copies[member]?.content else { continue }
      var new = copy.status
      new.observedGeneration = copy.generation
      new.topicName = wanted.topic.topicName
      if let present {
        new.topicID = present.id
        new.partitions = present.partitions.count
      }
      new.conditions = all.settled(after: copy.status.conditions, generation: copy.generation, now: situation.now)
      if new != copy.status { statuses.append(.writeStatus(wanted.id, new.json, member: member)) }
    }
  }

  func result() -> TopicReconciliation.Result {
    var result = TopicReconciliation.Result()
    func ask<Item>(_ items: [Item], _ request: ([Item]) -> BrokerRequest) {
      if !items.isEmpty { result.plan.steps.append(.ask(request(items))) }
    }
    ask(creations, BrokerRequest.createTopics)
    ask(moves, BrokerRequest.reassign)
    ask(alterations, BrokerRequest.alterTopics)
    ask(increases, BrokerRequest.addPartitions)
    ask(deletions, BrokerRequest.deleteTopics)
    result.plan.steps += events + statuses
    result.plan.waits = waits
    result.gone = gone
    result.waitsFor = waitsFor
    return result
  }
}
