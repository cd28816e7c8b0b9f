import JSONValue
import KubernetesResources
import Reconciliation
import Vocabulary

/// A seed's numbers, the same on every run.
struct Dice {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }
  mutating func next(_ bound: Int) -> Int {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Int(state >> 33) % max(1, bound)
  }
  mutating func chance(_ percent: Int) -> Bool { next(100) < percent }
}

/// Several Kubernetes clusters and the brokers in them, as far as plans change them.
struct World {
  struct Member {
    var objects: [ObjectID: JSON] = [:]
    var pods: [String: Pod] = [:]
    /// Its own copy of the cluster's object.
    var copy: RecordedCopy<KafkaClusterStatus>? = RecordedCopy(generation: 1, status: KafkaClusterStatus())
    /// What claims were ever made.
    var claimsMade = 0
    var isReachable = true
    var hasServiceExports = true
    var machinesRefused: String?
    /// Whether pods that are made come up.
    var isHealthy = true
  }

  var cluster: KafkaCluster
  var regions: [Region]
  var members: [String: Member] = [:]
  var facts = BrokerFacts()
  /// Those of each member, with their addresses.
  var machines = ["machine": Machine("192.0.2.7")]
  /// By the uids of pods: where they told others to come to when they were made.
  var advertised: [String: String] = [:]
  /// What has to be in the address that a broker tells, for it to be reached by others; nil where all are reached.
  var reachedAs: String?
  /// The directories of nodes that have lost a volume.
  var directories: [NodeID: UniqueID] = [:]
  /// Since when pods are not ready that come to be so, and since when that is too long.
  var unreadySince: String?
  var longAgo = ""
  var isStarted = false
  var brokersAnswer = true
  var time = 0
  var nextUID = 0
  /// What went wrong, in sentences: promises that were broken by a step.
  var broken: [String] = []
  /// Steps that changed something.
  var steps: [Step] = []

  init(_ shares: [RegionShare], survive: Durability.Loss = .region) {
    cluster = KafkaCluster()
    cluster.metadata = ObjectMeta(name: "orders", namespace: "kafka")
    cluster.metadata.generation = 1
    cluster.spec.regions = shares
    cluster.spec.durability.survive = survive
    regions = shares.map { share in
      var region = Region()
      region.metadata = ObjectMeta(name: share.name, namespace: "kafka")
      return region
    }
    for share in shares { members[share.name] = Member() }
  }

  static var three: World {
    World([
      RegionShare("central", brokers: 1, controllers: 1), RegionShare("north", brokers: 1, controllers: 1),
      RegionShare("west", brokers: 1, controllers: 1),
    ])
  }

  var situation: ClusterSituation {
    var situation = ClusterSituation(
      cluster: cluster, now: "2026-01-01T00:00:\(time)Z", freshID: UniqueID(high: 7, low: UInt64(time)))
    situation.regions = regions
    situation.longAgo = longAgo
    for (name, member) in members {
      situation.homes[name] = name
      guard member.isReachable else {
        situation.members[name] = .unknown(since: "2026-01-01T00:00:00Z", why: "no route to host")
        situation.copies[name] = .unknown(since: "2026-01-01T00:00:00Z", why: "no route to host")
        continue
      }
      var objects = MemberObjects()
      objects.machines = member.machinesRefused == nil ? machines : [:]
      objects.machinesRefused = member.machinesRefused
      objects.objects = member.objects
      objects.hasServiceExports = member.hasServiceExports
      objects.pods = member.pods.values.sorted { $0.name < $1.name }
      situation.members[name] = .seen(objects)
      if let copy = member.copy { situation.copies[name] = .seen(copy) }
    }
    if brokersAnswer, isStarted { situation.brokers = .seen(facts) }
    return situation
  }

  var plan: Plan { ClusterReconciliation.plan(situation) }

  func region(ofNode id: NodeID) -> String {
    for (name, member) in members {
      for object in member.objects.values where object["metadata"]["labels"][Marks.node].string == "\(id.value)" {
        return name
      }
    }
    return ""
  }
}

// What steps do.
extension World {
  mutating func perform(_ step: Step) {
    steps.append(step)
    switch step {
    case .apply(let object, let member): apply(object, member)
    case .delete(let id, let uid, let member): delete(id, uid, member)
    case .restart(let pod, let uid, let node, let member): restart(pod, uid, node, member)
    case .writeStatus(_, let json, let member):
      guard members[member]?.isReachable == true else {
        return broken.append("a status was written to \(member), which is unknown")
      }
      if members.values.allSatisfy({ $0.copy?.status.clusterID == nil }), json["clusterID"].string != nil,
        let missing = members.first(where: { !$0.value.isReachable })
      {
        broken.append("an id was given out while \(missing.key) is unknown")
      }
      var mistakes: [Mistake] = []
      members[member]?.copy?.status = KafkaClusterStatus(reading: json, at: "status", mistakes: &mistakes)
      broken += mistakes.map(\.description)
    case .tell(let pod, let uid, let words, let member): tell(pod, uid, words, member)
    case .setFinalizers, .event: break
    case .ask(let request): ask(request)
    }
  }

  private mutating func apply(_ object: JSON, _ member: String) {
    guard members[member]?.isReachable == true else { return broken.append("\(member) is unknown and was written to") }
    guard let id = ObjectID(object) else { return broken.append("an object does not say what it is") }
    if id.kind == .statefulSet { checkIdentity(object, member) }
    var object = object
    let before = members[member]?.objects[id]
    nextUID += 1
    // What a cloud or the API server gave to a Service stays.
    if id.kind == .service, let before, object["spec"]["type"] == before["spec"]["type"] {
      object["status"] = before["status"]
      if before["spec"]["type"] == "NodePort" { object["spec"]["ports"] = before["spec"]["ports"] }
    }
    object["metadata"]["uid"] = before?["metadata"]["uid"] ?? .string("u\(nextUID)")
    // As an API server fills in defaults.
    if id.kind == .service {
      object["spec"]["sessionAffinity"] = "None"
      if object["spec"]["clusterIP"].isNull { object["spec"]["clusterIP"] = "10.96.0.7" }
      checkReach(id, to: object, member)
      if let before, before["spec"]["clusterIP"] != object["spec"]["clusterIP"] {
        return broken.append("the Service \(id.name) cannot change its address, and the API server refuses")
      }
    }
    members[member]?.objects[id] = object
    if id.kind == .claim, before == nil { members[member]?.claimsMade += 1 }
  }

  private mutating func checkIdentity(_ object: JSON, _ member: String) {
    let ids = Set(members.values.compactMap { $0.copy?.status.clusterID })
    if ids.count > 1 { broken.append("there are two clusters: \(ids.sorted())") }
    if members[member]?.copy?.status.clusterID == nil { broken.append("\(member) starts nodes before it has the id") }
  }

  private mutating func delete(_ id: ObjectID, _ uid: String?, _ member: String) {
    guard members[member]?.isReachable == true else { return broken.append("\(member) is unknown and lost \(id)") }
    guard let object = members[member]?.objects[id], object["metadata"]["uid"].string == uid else { return }
    if id.kind == .claim { broken.append("the volume \(id.name) was deleted unasked") }
    if id.kind == .statefulSet, let node = object["metadata"]["labels"][Marks.node].string.flatMap({ Int32($0) }) {
      leave(NodeID(node))
      members[member]?.pods[id.name + "-0"] = nil
    }
    checkReach(id, to: nil, member)
    members[member]?.objects[id] = nil
  }

  /// Nobody takes away what a pod that runs has told others to come by.
  private mutating func checkReach(_ id: ObjectID, to new: JSON?, _ member: String) {
    guard let pod = members[member]?.pods[id.name + "-0"], let told = advertised[pod.uid],
      let old = members[member]?.objects[id]
    else { return }
    let (was, becomes) = (old["spec"]["type"].string, new?["spec"]["type"].string)
    let isLost =
      switch id.kind {
      case .serviceExport: told.contains("clusterset.local") && new == nil
      case .service where told.contains("clusterset.local"): old["spec"]["clusterIP"] != "None" && new == nil
      case .service where told.contains("lb-"): was == "LoadBalancer" && becomes != was
      case .service where told.contains("192.0.2.7"): was == "NodePort" && becomes != was && becomes != "LoadBalancer"
      default: false
      }
    if isLost { broken.append("\(id.name) loses \(id.kind.kind) while its pod tells \(told)") }
  }

  private mutating func leave(_ node: NodeID) {
    if facts.topics.contains(where: { $0.partitions.contains { $0.replicas.contains(node) } }) {
      broken.append("node \(node) was deleted with replicas on it")
    }
    if facts.voters.contains(where: { $0.id == node }) { broken.append("node \(node) was deleted with a vote") }
    setFenced(node, true)
  }

  private mutating func tell(_ pod: ObjectID, _ uid: String, _ words: String, _ member: String) {
    guard members[member]?.isReachable == true else { return broken.append("\(member) is unknown and a pod is told") }
    guard let present = members[member]?.pods[pod.name], present.uid == uid else { return }
    members[member]?.pods[pod.name] = Pod(
      name: present.name, uid: uid, node: present.node, revision: present.revision, told: words,
      address: present.address, state: present.state)
  }

  private mutating func restart(_ pod: ObjectID, _ uid: String, _ node: NodeID, _ member: String) {
    guard members[member]?.isReachable == true else { return broken.append("\(member) is unknown and a pod restarts") }
    guard let present = members[member]?.pods[pod.name], present.uid == uid else { return }
    members[member]?.pods[pod.name] = nil
    if present.state == .ready {
      setFenced(node, true)
      checkSafety(after: "restarting \(pod.name)")
    }
  }

  /// G8: the operator never takes a partition below its min ISR, nor the quorum below its majority.
  private mutating func checkSafety(after what: String) {
    let caughtUp = facts.voters.count { $0.isCaughtUp }
    // Voters that do not reach each other have no majority to lose.
    let isQuorum = reachedAs == nil || isStarted
    if isQuorum, facts.voters.count > 1, caughtUp < facts.voters.count / 2 + 1 {
      broken.append("no majority of voters after \(what)")
    }
    for topic in facts.topics {
      let least = topic.config["min.insync.replicas"].flatMap { Int($0) } ?? 2
      for partition in topic.partitions where partition.replicas.count > least && partition.inSync.count < least {
        broken.append("\(topic.name) is below its min ISR after \(what)")
      }
    }
  }

  private mutating func ask(_ request: BrokerRequest) {
    guard brokersAnswer, isStarted else { return broken.append("brokers were asked that do not answer") }
    switch request {
    case .addVoter(let replica):
      if facts.voters.contains(where: { $0.id == replica.id }) { broken.append("node \(replica) would vote twice") }
      guard facts.observers.contains(where: { $0.key == replica }) else {
        return broken.append("node \(replica) does not follow with the directory \(replica.directory)")
      }
      facts.observers.removeAll { $0.key == replica }
      facts.voters.append(.init(replica.id, directory: replica.directory, isCaughtUp: true))
    case .removeVoter(let replica):
      let id = replica.id
      guard facts.voters.contains(where: { $0.key == replica }) else {
        return broken.append("node \(id) does not vote with the directory \(replica.directory)")
      }
      facts.voters.removeAll { $0.key == replica }
      if replica.directory == directory(of: id) {
        facts.observers.append(.init(id, directory: replica.directory, isCaughtUp: true))
      }
      if facts.leader == id { facts.leader = facts.voters.first { $0.isCaughtUp }?.id }
      let caughtUp = facts.voters.count { $0.isCaughtUp }
      if caughtUp < facts.voters.count / 2 + 1 { broken.append("no majority of voters after node \(id) left") }
    case .unregister(let id): facts.brokers.removeAll { $0.id == id }
    case .setHandingOver(let isOn): facts.handOver = isOn
    case .reassign(let moves):
      for move in moves {
        guard let topic = facts.topics.firstIndex(where: { $0.name == move.topic }) else { continue }
        let old = facts.topics[topic].partitions[move.partition].replicas
        facts.topics[topic].partitions[move.partition].adding = move.replicas.filter { !old.contains($0) }
        facts.topics[topic].partitions[move.partition].removing = old.filter { !move.replicas.contains($0) }
        facts.topics[topic].partitions[move.partition].replicas = old + move.replicas.filter { !old.contains($0) }
      }
    case .createTopics, .addPartitions, .alterTopics, .deleteTopics, .alterMirror:
      broken.append("a cluster's plan changed topics")
    }
  }

  func directory(of id: NodeID) -> UniqueID { directories[id] ?? .zero }
  private func running(_ id: NodeID) -> ReplicaKey { ReplicaKey(id: id, directory: directory(of: id)) }

  mutating func setFenced(_ id: NodeID, _ isFenced: Bool) {
    facts.brokers = facts.brokers.map { $0.id == id ? .init(id, region: $0.region, isFenced: isFenced) : $0 }
    for place in facts.voters.indices where facts.voters[place].key == running(id) {
      facts.voters[place].isCaughtUp = !isFenced
    }
    for place in facts.observers.indices where facts.observers[place].key == running(id) {
      facts.observers[place].isCaughtUp = !isFenced
    }
    for topic in facts.topics.indices {
      for index in facts.topics[topic].partitions.indices {
        var partition = facts.topics[topic].partitions[index]
        if isFenced {
          if partition.inSync.count > 1 { partition.inSync.removeAll { $0 == id } }
        } else if partition.replicas.contains(id), !partition.inSync.contains(id) {
          partition.inSync.append(id)
        }
        facts.topics[topic].partitions[index] = partition
      }
    }
  }
}

// What the world does by itself.
extension World {
  /// As a cloud gives load balancers addresses, and an API server node ports.
  mutating func giveAddresses(_ type: RegionNetwork.Kind) {
    for (name, member) in members {
      for (id, object) in member.objects where id.kind == .service && object["spec"]["clusterIP"] != "None" {
        var object = object
        if type == .loadBalancer {
          object["status"] = ["loadBalancer": ["ingress": [["ip": .string("lb-\(id.name)")]]]]
        }
        if type == .nodePort {
          object["spec"]["ports"] = .array(
            object["spec"]["ports"].elements.map { port in
              var port = port
              port["nodePort"] = JSON(21000 + (port["port"].int ?? 0))
              return port
            })
        }
        members[name]?.objects[id] = object
      }
    }
  }

  /// StatefulSets make pods, pods come up, brokers register, reassignments end.
  mutating func settle() {
    time += 1
    for name in members.keys.sorted() { makePods(in: name) }
    finishMoves()
    if facts.leader.map({ id in !facts.voters.contains { $0.id == id && $0.isCaughtUp } }) ?? true {
      let caughtUp = facts.voters.filter(\.isCaughtUp)
      facts.leader = caughtUp.count >= facts.voters.count / 2 + 1 ? caughtUp.map(\.id).min() : nil
    }
    if !facts.brokers.isEmpty, facts.leader != nil { isStarted = true }
  }

  private mutating func makePods(in name: String) {
    guard let member = members[name] else { return }
    for (id, object) in member.objects.sorted(by: { $0.key < $1.key }) where id.kind == .statefulSet {
      let labels = object["metadata"]["labels"]
      guard let number = labels[Marks.node].string.flatMap({ Int32($0) }) else { continue }
      let podName = id.name + "-0"
      let revision = object["spec"]["template"]["metadata"]["annotations"][Marks.revision].string
      let present = member.pods[podName]
      if present == nil { nextUID += 1 }
      let properties = member.objects[ObjectID(.configMap, "kafka", id.name)]?["data"]["server.properties"].string ?? ""
      if present == nil {
        advertised["u\(nextUID)"] = properties.firstMatch(of: #/advertised.listeners=.*/#).map { "\($0.0)" }
      }
      // A pod has the configuration of when it was made, until its kubelet has a reason to look again.
      let looks = present.map { $0.state != .starting || $0.told != nil } ?? true
      let isComplete = properties.contains("controller.quorum.voters=") || properties.contains("bootstrap.servers=")
      let uid = present?.uid ?? "u\(nextUID)"
      let knowsQuorum = looks && isComplete && (labels[Marks.broker].string != "true" || isReached(uid))
      let state: Pod.State = !member.isHealthy ? .failing("CrashLoopBackOff") : knowsQuorum ? .ready : .starting
      if let present, present.state == state { continue }
      members[name]?.pods[podName] = Pod(
        name: podName, uid: uid, node: Int(number), revision: present?.revision ?? revision, told: present?.told,
        address: "10.0.\(number / 100).\(nextUID)", state: state, unreadySince: state == .ready ? nil : unreadySince)
      guard state == .ready else {
        setFenced(NodeID(number), true)
        continue
      }
      register(NodeID(number), name, labels)
    }
  }

  /// Whether a broker finds a quorum: others reach it, and a majority of the controllers reach each other.
  private func isReached(_ uid: String) -> Bool {
    guard let mark = reachedAs else { return true }
    func tells(_ uid: String) -> Bool { advertised[uid]?.contains(mark) ?? false }
    let controllers = members.values.flatMap { $0.copy?.status.initialVoters ?? [] }
    let found = members.values.flatMap(\.pods.values).count { pod in
      (pod.node.map(controllers.contains) ?? false) && tells(pod.uid)
    }
    return tells(uid) && found >= Set(controllers).count / 2 + 1
  }

  private mutating func register(_ id: NodeID, _ region: String, _ labels: JSON) {
    if labels[Marks.broker].string == "true", !facts.brokers.contains(where: { $0.id == id }) {
      facts.brokers.append(.init(id, region: region))
    }
    if labels[Marks.controller].string == "true", !facts.voters.contains(where: { $0.id == id }),
      !facts.observers.contains(where: { $0.id == id })
    {
      let initial = members[region]?.copy?.status.initialVoters ?? []
      if initial.contains(Int(id.value)), !isStarted {
        facts.voters.append(.init(id, directory: directory(of: id), isCaughtUp: true))
      } else {
        facts.observers.append(.init(id, directory: directory(of: id), isCaughtUp: true))
      }
    }
    setFenced(id, false)
  }

  private mutating func finishMoves() {
    for topic in facts.topics.indices {
      for index in facts.topics[topic].partitions.indices where facts.topics[topic].partitions[index].isMoving {
        var partition = facts.topics[topic].partitions[index]
        partition.replicas.removeAll { partition.removing.contains($0) }
        partition.inSync = partition.replicas
        partition.leader = partition.replicas.first
        partition.adding = []
        partition.removing = []
        facts.topics[topic].partitions[index] = partition
      }
    }
  }

  /// Plans and performs until a plan has no steps; how many rounds it took, or nil.
  @discardableResult
  mutating func converge(rounds: Int = 80) -> Int? {
    for round in 0..<rounds {
      let plan = self.plan
      for step in plan.steps { perform(step) }
      let before = (facts, members.mapValues(\.pods))
      settle()
      let isQuiet = facts == before.0 && members.mapValues(\.pods) == before.1
      if plan.steps.isEmpty, isQuiet { return round }
    }
    return nil
  }

  /// A topic with a replica on each of these brokers, in sync.
  mutating func addTopic(_ name: String, _ replicas: [Int32], minInSync: Int = 2) {
    let ids = replicas.map { NodeID($0) }
    facts.topics.append(
      TopicFacts(
        name, id: name, config: ["min.insync.replicas": "\(minInSync)"],
        partitions: [PartitionFacts(replicas: ids, inSync: ids, leader: ids.first)]))
  }
}
