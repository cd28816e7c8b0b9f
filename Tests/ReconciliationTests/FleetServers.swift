import JSONValue
import KubernetesResources
import Reconciliation
import Vocabulary

// What people, API servers and brokers do.
extension Fleet {
  mutating func kubectlApply<R: Resource>(_ resource: R, in member: String) {
    var resource = resource
    resource.metadata.namespace = Self.namespace
    write(resource.json, member)
  }

  mutating func kubectlEdit(_ id: ObjectID, in member: String, _ change: (inout JSON) -> Void) {
    guard var object = servers[member]?[id] else { return }
    change(&object)
    write(object, member)
  }

  mutating func kubectlDelete(_ id: ObjectID, in member: String) { remove(id, nil, member) }

  /// Server-side apply of what people apply: status and identity stay.
  private mutating func write(_ object: JSON, _ member: String) {
    guard let id = ObjectID(object) else { return world.broken.append("an object does not say what it is") }
    clock += 1
    var object = object
    if let before = servers[member]?[id] {
      let isSame = before["spec"] == object["spec"]
      let generation = (before["metadata"]["generation"].int ?? 0) + (isSame ? 0 : 1)
      for field in ["uid", "creationTimestamp", "deletionTimestamp"] where !before["metadata"][field].isNull {
        object["metadata"][field] = before["metadata"][field]
      }
      if object["metadata"]["finalizers"].isNull, !before["metadata"]["finalizers"].isNull {
        object["metadata"]["finalizers"] = before["metadata"]["finalizers"]
      }
      object["metadata"]["generation"] = JSON(generation)
      if !before["status"].isNull { object["status"] = before["status"] }
    } else {
      object["metadata"]["uid"] = JSON("uid-\(clock)")
      object["metadata"]["generation"] = 1
      object["metadata"]["creationTimestamp"] = JSON(now)
    }
    servers[member]?[id] = object
  }

  private mutating func remove(_ id: ObjectID, _ uid: String?, _ member: String) {
    guard let object = servers[member]?[id] else { return }
    if let uid, object["metadata"]["uid"].string != uid { return }
    clock += 1
    guard object["metadata"]["finalizers"].elements.isEmpty else {
      let time = JSON(now)
      servers[member]?[id]?["metadata"]["deletionTimestamp"] = time
      return
    }
    servers[member]?[id] = nil
  }

  private static let applied: [ObjectKind] = [.region, .kafkaCluster, .kafkaTopic]

  /// A request of an operator that arrives now, and for which nothing was seen when it was sent.
  mutating func arriveLate(_ step: Step) {
    guard case .apply(let object, let member) = step, let id = ObjectID(object) else { return }
    let isRefused = !Step.fenced(object, seen: nil)["metadata"]["resourceVersion"].isNull && servers[member]?[id] != nil
    if !isRefused { _ = perform(step) }
  }

  /// Returns whether it was a write; Events are none.
  mutating func perform(_ step: Step) -> Bool {
    switch step {
    case .event: return false
    case .apply(let object, let member):
      if let id = ObjectID(object), Self.applied.contains(id.kind) || Departure(object) != nil {
        write(object, member)
      } else {
        noteCopies()
        world.perform(step)
      }
    case .delete(let id, let uid, let member):
      if Self.applied.contains(id.kind) { remove(id, uid, member) } else { world.perform(step) }
    case .writeStatus(let id, let status, let member):
      guard servers[member]?[id] != nil else { return true }
      clock += 1
      servers[member]?[id]?["status"] = status
    case .setFinalizers(let id, let finalizers, let member):
      guard let object = servers[member]?[id] else { return true }
      clock += 1
      servers[member]?[id]?["metadata"]["finalizers"] = JSON(finalizers)
      if finalizers.isEmpty, !object["metadata"]["deletionTimestamp"].isNull { servers[member]?[id] = nil }
    case .restart, .tell: world.perform(step)
    case .ask(let request): ask(request)
    }
    return true
  }

  /// The world checks that nodes start only where the cluster's id is recorded.
  private mutating func noteCopies() {
    guard let id = names(of: .kafkaCluster).first else { return }
    let records = records(of: id, as: KafkaCluster.self)
    for member in members { world.members[member]?.copy = records[member]?.content }
  }

  private mutating func ask(_ request: BrokerRequest) {
    switch request {
    case .addVoter, .removeVoter, .unregister, .setHandingOver, .alterMirror:
      guard world.isStarted else { return }
      world.perform(.ask(request))
    case .reassign(let moves):
      world.perform(.ask(.reassign(moves.filter { isAccepted($0.replicas, $0.topic, nil) })))
    case .createTopics(let topics):
      for topic in topics where !world.facts.topics.contains(where: { $0.name == topic.name }) { create(topic) }
    case .addPartitions(let topics):
      for topic in topics {
        guard let place = world.facts.topics.firstIndex(where: { $0.name == topic.topic }) else { continue }
        let missing = topic.partitions - world.facts.topics[place].partitions.count
        guard missing > 0, let first = world.facts.topics[place].partitions.first else { continue }
        world.facts.topics[place].partitions += Array(repeating: first, count: missing)
      }
    case .alterTopics(let topics):
      for topic in topics {
        guard let place = world.facts.topics.firstIndex(where: { $0.name == topic.topic }) else { continue }
        let replicas = world.facts.topics[place].partitions.flatMap(\.voters)
        if let least = topic.changes["min.insync.regions"], !isAccepted(replicas, topic.topic, least) { continue }
        for (key, value) in topic.changes { world.facts.topics[place].config[key] = value }
      }
    case .deleteTopics(let topics):
      for topic in topics { world.facts.topics.removeAll { $0.name == topic.topic && $0.id == topic.id } }
    }
  }

  /// As brokers refuse a topic that could not have as many Regions in sync as it needs.
  private mutating func isAccepted(_ replicas: [NodeID], _ topic: String, _ least: String?) -> Bool {
    let present = world.facts.topics.first { $0.name == topic }?.config["min.insync.regions"]
    let needed = (least ?? present).flatMap { Int($0) } ?? 1
    let regions = Set(replicas.compactMap { id in world.facts.brokers.first { $0.id == id }?.region })
    if regions.count < needed {
      world.broken.append("brokers refuse \(replicas) for \(topic), which needs \(needed) Regions")
    }
    return regions.count >= needed
  }

  /// A replica in each Region, as many as are asked for.
  private mutating func create(_ topic: TopicCreation) {
    let count = topic.replicationFactor ?? world.facts.brokers.count
    let ids = world.facts.brokers.filter { !$0.isFenced }.map(\.id).sorted().prefix(count)
    guard ids.count == count else { return }
    clock += 1
    let partition = PartitionFacts(replicas: Array(ids), inSync: Array(ids), leader: ids.first)
    world.facts.topics.append(
      TopicFacts(
        topic.name, id: "topic-\(clock)", config: topic.config,
        partitions: Array(repeating: partition, count: topic.partitions)))
  }
}

// What is compared.
extension Fleet {
  /// Everything that there is in the end, in lines, without what may differ from run to run: ids that are drawn, times,
  /// addresses and versions. Which node has which id, and how many objects there are, may not.
  var outcome: [String] {
    var lines: [String] = []
    for member in members {
      for (id, object) in (servers[member] ?? [:]).merging(
        world.members[member]?.objects ?? [:], uniquingKeysWith: { $1 })
      {
        lines.append("\(member) \(id) \(text(object))")
      }
      for pod in (world.members[member]?.pods ?? [:]).values {
        lines.append("\(member) pod \(pod.name) of node \(pod.node.map { "\($0)" } ?? "none") \(pod.state)")
      }
    }
    let facts = world.facts
    lines.append("brokers \(facts.brokers.map { "\($0.id) \($0.region) \($0.isFenced)" }.sorted())")
    lines.append("voters \(facts.voters.map(\.id).sorted()) observers \(facts.observers.map(\.id).sorted())")
    for topic in facts.topics {
      let replicas = topic.partitions.map { $0.replicas.sorted() }
      lines.append("topic \(topic.name) \(topic.config.sorted { $0.key < $1.key }) \(replicas)")
    }
    return lines.sorted()
  }

  private func text(_ object: JSON) -> String {
    var object = object
    for field in ["uid", "creationTimestamp", "generation"] { object["metadata"].remove(field) }
    for mark in [Marks.applied, Marks.revision, Marks.originCreated, Marks.originGeneration] {
      object["metadata"]["annotations"].remove(mark)
      object["spec"]["template"]["metadata"]["annotations"].remove(mark)
    }
    object["status"] = Self.timeless(object["status"])
    // Pods that are gone leave their last address behind.
    var text = object.description.replacing(#/10\.0\.(\d)\.\d+/#) { "an address in \($0.output.1)" }
    var drawn: [(String, String)] = []
    for id in 0...operators { drawn.append(("\(UniqueID(high: UInt64(id), low: 1))", "the id")) }
    for topic in world.facts.topics { drawn.append((topic.id, "id of \(topic.name)")) }
    for (what, name) in drawn.sorted(by: { $0.0.utf8.count > $1.0.utf8.count }) {
      text = text.replacing(what, with: name)
    }
    return text
  }

  private static func timeless(_ json: JSON) -> JSON {
    switch json {
    case .array(let elements): return .array(elements.map(timeless))
    case .object(let object):
      var result = json
      for key in object.keys {
        if ["lastTransitionTime", "observedGeneration", "leader", "leaders"].contains(key) {
          result.remove(key)
        } else {
          result[key] = timeless(json[key])
        }
      }
      return result
    default: return json
    }
  }
}
