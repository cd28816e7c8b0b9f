import ClusterMetadata
import EventLoop
import KafkaClient
import KafkaProtocol
import MirrorPlanning
import Vocabulary

/// Asks every broker of this cluster how far the partitions of a mirror are that it leads.
struct MirrorFindings: Sendable {
  private static let span = TimeSpan.seconds(2)
  private let broker: Broker
  private let name: String

  init(_ broker: Broker, _ name: String) {
    self.broker = broker
    self.name = name
  }

  /// What the brokers say. One that does not answer says nothing.
  func survey(then: @escaping @Sendable (MirrorSurvey) -> Void) {
    let brokers = broker.image.liveBrokers
    let gathering = Gathering<MirrorSurvey>(count: brokers.count) { parts in
      then(parts.reduce(into: MirrorSurvey()) { $0.add($1) })
    }
    for (index, one) in brokers.enumerated() { ask(one) { gathering.put($0, at: index) } }
  }

  private func ask(_ one: BrokerRegistration, then: @escaping @Sendable (MirrorSurvey) -> Void) {
    if one.id == broker.settings.nodeID {
      return then(MirrorSurvey(broker.mirrors.status(of: name).map { ($0.key, $0.value) }, of: one.id))
    }
    let listener = broker.settings.interBrokerListener
    guard let endpoint = one.endpoints.first(where: { $0.name == listener }) ?? one.endpoints.first else {
      return then(MirrorSurvey(silent: one.id))
    }
    let peer = Peer(
      BrokerAddress(host: endpoint.host, port: endpoint.port), clientID: "mirror-\(name)", loop: broker.loops[0],
      pool: broker.pool)
    var request = DescribeConfigsRequest()
    var resource = DescribeConfigsRequest.Resource()
    resource.resourceType = ConfigResourceType.mirror.rawValue
    resource.resourceName = name
    resource.configurationKeys = nil
    request.resources = [resource]
    peer.ask(request, within: Self.span) { result in
      defer { peer.close() }
      guard case .success(let answer) = result, let found = answer.response.results.first, found.errorCode == .none
      else { return then(MirrorSurvey(silent: one.id)) }
      then(MirrorSurvey(found.configs.map { ($0.name, $0.value ?? "") }, of: one.id))
    }
  }
}

/// What brokers of this cluster say about a mirror.
struct MirrorSurvey: Sendable {
  /// Of the partitions that they lead.
  private(set) var statuses: [TopicPartition: PartitionStatus] = [:]
  /// Of each broker that was asked; one that does not answer has done nothing.
  private(set) var groups: [NodeID: GroupsPass] = [:]

  init() {}
  init(silent broker: NodeID) { groups[broker] = GroupsPass() }

  init(_ lines: [(String, String)], of broker: NodeID) {
    groups[broker] = GroupsPass(lines)
    for (key, value) in lines {
      if let partition = TopicPartition(statusKey: key), let status = PartitionStatus(text: value) {
        statuses[partition] = status
      }
    }
  }

  mutating func add(_ other: MirrorSurvey) {
    statuses.merge(other.statuses) { first, _ in first }
    groups.merge(other.groups) { first, _ in first }
  }

  /// Those that have stopped copying, and whose copies are committed as far as they go.
  ///
  /// - Parameter isFinal: whether only those count that have stopped. Otherwise what is committed counts, of
  ///   those that go on.
  /// - Parameter asIfNothingWereOpen: a mistake, which simulations have to find.
  func findings(isFinal: Bool, asIfNothingWereOpen: Bool = false) -> [TopicPartition: PartitionFinding] {
    statuses.compactMapValues { status in
      guard
        isFinal
          ? status.state == .stopped && status.mark == status.end
          : status.state == .copying || status.state == .waiting && status.cut == nil && status.saved == nil
      else { return nil }
      return PartitionFinding(
        end: status.mark, sourceEnd: status.sourceEnd, age: status.age,
        open: asIfNothingWereOpen ? 0 : status.mark == status.end ? status.open : nil)
    }
  }
}

extension GroupsPass {
  private static let ageKey = "status.groups.age.ms"
  private static let shardsKey = "status.groups.shards"
  private static let pendingKey = "status.groups.pending."
  private static let failedKey = "status.groups.failed."
  /// How many are named of each kind.
  private static let namesMax = 16

  /// As a broker says it in its status. A name of a group may have any letters in it, and stands in a key by itself.
  var lines: [(key: String, value: String)] {
    var lines: [(key: String, value: String)] = []
    if let age { lines.append((Self.ageKey, "\(age.milliseconds)")) }
    if !shards.isEmpty { lines.append((Self.shardsKey, shards.sorted().map { "\($0)" }.joined(separator: ","))) }
    lines += pending.prefix(Self.namesMax).map { (Self.pendingKey + $0, "a transaction has no outcome") }
    lines += failed.prefix(Self.namesMax).map { (Self.failedKey + $0, "not carried") }
    return lines
  }

  init(_ lines: [(String, String)]) {
    self.init()
    for (key, value) in lines {
      if key == Self.ageKey {
        age = Int64(value).map { .milliseconds($0) }
      } else if key == Self.shardsKey {
        shards = Set(value.split(separator: ",").compactMap { Int($0) })
      } else if key.hasPrefix(Self.pendingKey) {
        pending.append(String(key.dropFirst(Self.pendingKey.count)))
      } else if key.hasPrefix(Self.failedKey) {
        failed.append(String(key.dropFirst(Self.failedKey.count)))
      }
    }
  }
}

extension TopicPartition {
  /// From `status.partition.orders-3`.
  init?(statusKey key: String) {
    let prefix = "status.partition."
    guard key.hasPrefix(prefix) else { return nil }
    let rest = key.dropFirst(prefix.count)
    guard let dash = rest.lastIndex(of: "-"), let name = TopicName(String(rest[..<dash])),
      let index = Int32(rest[rest.index(after: dash)...]), index >= 0
    else { return nil }
    self.init(name, PartitionIndex(index))
  }
}
