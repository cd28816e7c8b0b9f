import EventLoop
import KafkaClient
import KafkaProtocol
import Reconciliation
import Synchronization
import Vocabulary

/// What is said between the operator and the brokers of one cluster. Everything has a deadline; who does not answer is
/// unknown, and never taken for empty.
final class Conversation: Sendable {
  enum Limits {
    static let requestSpan = TimeSpan.seconds(5)
    static let connectSpan = TimeSpan.seconds(2)
    /// Topics in one request.
    static let topicsPerRequest = 500
    /// Facts are used by several plans for so long.
    static let factsAge = TimeSpan.milliseconds(300)
    /// Topics whose settings are read each time though nobody here changed them, in turn: what others change in ten
    /// thousand topics is found within minutes, and costs next to nothing.
    static let sweptPerLook = 500
    /// Settings that are looked for among those of other topics.
    static let distinctSettingsMax = 1_000
  }
  /// Why the brokers are not known, in a sentence.
  struct Unknown: Error, CustomStringConvertible {
    let description: String
    init(_ sentence: String) { description = sentence }
  }
  private struct KnownSettings {
    /// Of the topic that had them.
    let id: UniqueID
    let config: [String: String]
  }
  private struct State {
    var client: ClusterClient?
    var addresses: [BrokerAddress] = []
    var clusterID: String?
    var facts: (BrokerFacts, at: Instant)?
    /// What topics' settings were, by name.
    var configs: [String: KnownSettings] = [:]
    /// Settings that some topic has, so that those of many topics are one value.
    var distinct: Set<[String: String]> = []
    /// Where the sweep goes on.
    var sweep = 0
    var unknownSince: String?

    mutating func share(_ config: [String: String]) -> [String: String] {
      if distinct.count > Limits.distinctSettingsMax { distinct = [] }
      return distinct.insert(config).memberAfterInsert
    }
  }
  private let state = Mutex(State())
  private let loop: EventLoop
  private let pool: BlockingPool

  init(loop: EventLoop, pool: BlockingPool) {
    self.loop = loop
    self.pool = pool
  }

  func close() { state.withLock { $0.client.take() }?.close() }

  /// Where the brokers are looked for from now on.
  func meet(at servers: [String]) {
    let addresses = servers.compactMap { BrokerAddress($0) }
    let old = state.withLock { state -> ClusterClient? in
      guard addresses != state.addresses else { return nil }
      state.addresses = addresses
      defer { state.client = nil }
      return state.client
    }
    old?.close()
  }

  func client() throws(Unknown) -> ClusterClient {
    let client = state.withLock { state -> ClusterClient? in
      if let client = state.client { return client }
      guard !state.addresses.isEmpty else { return nil }
      var settings = ClientSettings(bootstrap: state.addresses)
      settings.clientID = "swiftwater-operator"
      settings.requestSpan = Limits.requestSpan
      settings.connectSpan = Limits.connectSpan
      settings.retrySpan = Limits.requestSpan
      settings.bootstrapRoundsMax = 1
      settings.bootstrapSpan = Limits.requestSpan
      let client = ClusterClient(settings, loop: loop, pool: pool)
      state.client = client
      return client
    }
    guard let client else { throw Unknown("no broker has an address yet.") }
    return client
  }

  /// The settings of these topics have to be read again.
  func expectChange(_ request: BrokerRequest) {
    guard case .alterTopics = request else { return }
    state.withLock { state in
      for name in request.topics { state.configs[name] = nil }
    }
  }

  func forgetFacts() { state.withLock { $0.facts = nil } }
  private func forgetOldFacts() {
    let old = state.withLock { state -> BrokerFacts? in
      guard let (facts, at) = state.facts, monotonicNow() - at >= Limits.factsAge else { return nil }
      state.facts = nil
      return facts
    }
    // It ends outside of the lock.
    _ = old
  }
  /// Everything about topics is asked again, their settings too.
  func forgetTopics() {
    state.withLock { state in
      state.facts = nil
      state.configs = [:]
    }
  }
  var clusterID: String? { state.withLock { $0.clusterID } }

  /// What the brokers say now, or why that is not known. `wanted` is the cluster's id: brokers of another cluster at
  /// the same address are nobody we know.
  func facts(of wanted: String, now: String) async -> View<BrokerFacts> {
    let fresh = state.withLock { state in
      state.facts.flatMap { monotonicNow() - $0.at < Limits.factsAge ? $0.0 : nil }
    }
    if let fresh { return .seen(fresh) }
    do {
      let facts = try await ask(wanted)
      state.withLock { state in
        state.facts = (facts, monotonicNow())
        state.unknownSince = nil
      }
      // What ten thousand topics come to is kept no longer than it is used.
      loop.schedule(after: Limits.factsAge) { [weak self] in self?.forgetOldFacts() }
      return .seen(facts)
    } catch {
      let since = state.withLock { state in
        let since = state.unknownSince ?? now
        state.unknownSince = since
        return since
      }
      return .unknown(since: since, why: "\(error)")
    }
  }

  private func ask(_ wanted: String) async throws -> BrokerFacts {
    let client = try client()
    var facts = BrokerFacts()
    let metadata = try await client.refreshMetadata([], remembersTopics: false)
    guard metadata.clusterID == wanted else {
      throw Unknown("the brokers at these addresses are of the cluster \(metadata.clusterID ?? "without an id").")
    }
    state.withLock { $0.clusterID = wanted }
    facts.brokers = try await brokers(client)
    facts.handOver = try await client.handsOver()
    try await addQuorum(to: &facts, client)
    let moves = try await reassignments(client)
    var topics = try await topics(client)
    let configs = try await configs(of: topics.names, client)
    let regions = Dictionary(facts.brokers.map { ($0.id, $0.region) }) { first, _ in first }
    topics.add(moves)
    facts.topics = topics.facts(configs, observers: { Self.observers($0, $1, regions) })
    return facts
  }

  /// Which replicas only copy: the last ones of each Region that the topic's placement gives observers.
  private static func observers(_ replicas: [NodeID], _ config: [String: String], _ regions: [NodeID: String])
    -> [NodeID]
  {
    guard let text = config["placement.observers.per.region"] else { return [] }
    var found: [NodeID] = []
    for entry in text.split(separator: ",") {
      let parts = entry.split(separator: ":")
      guard parts.count == 2, let count = Int(parts[1]) else { continue }
      found += replicas.filter { regions[$0] == String(parts[0]) }.suffix(count)
    }
    return replicas.filter(found.contains)
  }

  private func brokers(_ client: ClusterClient) async throws -> [BrokerFacts.Broker] {
    let request = DescribeClusterRequest { $0.includeFencedBrokers = true }
    let response = try await client.sendToAny(request).response
    guard response.errorCode == .none else { throw Unknown("DescribeCluster: \(response.errorCode).") }
    return response.brokers.map { broker in
      let region = broker.rack?.split(separator: "/").first.map(String.init) ?? ""
      let host = broker.host.contains(":") ? "[\(broker.host)]" : broker.host
      return BrokerFacts.Broker(
        NodeID(broker.brokerID), region: region, isFenced: broker.isFenced, address: "\(host):\(broker.port)")
    }.sorted { $0.id < $1.id }
  }

  /// A follower that was at the leader's end within this time is caught up (`controller.quorum.fetch.timeout.ms`).
  private static let caughtUpWithin: Int64 = 2000

  private func addQuorum(to facts: inout BrokerFacts, _ client: ClusterClient) async throws {
    let request = DescribeQuorumRequest {
      $0.topics = [
        .init {
          $0.topicName = "__cluster_metadata"
          $0.partitions = [.init()]
        }
      ]
    }
    let response = try await client.sendToAny(request).response
    guard response.errorCode == .none, let partition = response.topics.first?.partitions.first,
      partition.errorCode == .none, partition.leaderID >= 0
    else { return }
    facts.leader = NodeID(partition.leaderID)
    let all = partition.currentVoters + partition.observers
    let newest = all.map { max($0.lastCaughtUpTimestamp, $0.lastFetchTimestamp) }.max() ?? 0
    func voter(_ replica: DescribeQuorumResponse.ReplicaState) -> BrokerFacts.Voter {
      let isCurrent =
        replica.replicaID == partition.leaderID || newest - replica.lastCaughtUpTimestamp < Self.caughtUpWithin
      return BrokerFacts.Voter(
        NodeID(replica.replicaID), directory: replica.replicaDirectoryID, isCaughtUp: isCurrent)
    }
    facts.voters = partition.currentVoters.map(voter).sorted { $0.id < $1.id }
    facts.observers = partition.observers.map(voter).sorted { $0.id < $1.id }
  }

  private func reassignments(
    _ client: ClusterClient
  ) async throws -> [String: [Int: ListPartitionReassignmentsResponse.Partition]] {
    let request = ListPartitionReassignmentsRequest {
      $0.timeoutMs = Int32(Limits.requestSpan.milliseconds)
      $0.topics = nil
    }
    let response = try await client.sendToAny(request).response
    guard response.errorCode == .none else { throw Unknown("ListPartitionReassignments: \(response.errorCode).") }
    var found: [String: [Int: ListPartitionReassignmentsResponse.Partition]] = [:]
    for topic in response.topics {
      for partition in topic.partitions { found[topic.name, default: [:]][Int(partition.partitionIndex)] = partition }
    }
    return found
  }

  /// The topics' own settings: read where they are not known or were changed, and a part of all others in turn.
  private func configs(
    of topics: [(name: String, id: UniqueID)], _ client: ClusterClient
  ) async throws -> [String: [String: String]] {
    let (known, start) = state.withLock { ($0.configs, $0.sweep) }
    func isKnown(_ topic: (name: String, id: UniqueID)) -> Bool { known[topic.name]?.id == topic.id }
    var asked = topics.filter { !isKnown($0) }.map(\.name)
    let swept = topics.indices.lazy.map { topics[($0 + start) % topics.count] }.prefix(Limits.sweptPerLook)
    asked += swept.filter(isKnown).map(\.name)
    let read = try await readConfigs(of: asked, client)
    var found: [String: [String: String]] = [:]
    found.reserveCapacity(topics.count)
    state.withLock { state in
      for topic in topics {
        guard let config = read[topic.name] else {
          if isKnown(topic) { found[topic.name] = known[topic.name]?.config }
          continue
        }
        if isKnown(topic), let same = known[topic.name]?.config, same == config {
          found[topic.name] = same
          continue
        }
        let shared = state.share(config)
        found[topic.name] = shared
        // What was expected to change meanwhile is not known any more.
        guard !isKnown(topic) || state.configs[topic.name] != nil else { continue }
        state.configs[topic.name] = KnownSettings(id: topic.id, config: shared)
      }
      if state.configs.count > topics.count { state.configs = state.configs.filter { found[$0.key] != nil } }
      state.sweep = topics.isEmpty ? 0 : (start + swept.count) % topics.count
    }
    return found
  }

  private func readConfigs(of topics: [String], _ client: ClusterClient) async throws -> [String: [String: String]] {
    var found: [String: [String: String]] = [:]
    for chunk in topics.chunks(of: Limits.topicsPerRequest) {
      let request = DescribeConfigsRequest {
        $0.resources = chunk.map { name in
          .init {
            $0.resourceType = 2
            $0.resourceName = name
            $0.configurationKeys = nil
          }
        }
      }
      for result in try await client.sendToAny(request).response.results {
        // It was deleted meanwhile.
        guard result.errorCode != .unknownTopicOrPartition else { continue }
        guard result.errorCode == .none else {
          throw Unknown("the settings of \(result.resourceName) cannot be read: \(result.errorCode).")
        }
        found[result.resourceName] = Dictionary(
          result.configs.filter { $0.configSource == 1 }.map { ($0.name, $0.value ?? "") }
        ) { first, _ in first }
      }
    }
    return found
  }
}

extension Array {
  /// These elements in their order, in pieces of at most so many.
  func chunks(of count: Int) -> [[Element]] {
    stride(from: 0, to: self.count, by: count).map { Array(self[$0..<Swift.min($0 + count, self.count)]) }
  }
}
