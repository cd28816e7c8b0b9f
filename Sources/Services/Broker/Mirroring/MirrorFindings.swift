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

  /// Those that have stopped copying, and whose copies are committed as far as they go. A broker that does not answer
  /// says nothing.
  ///
  /// - Parameter isFinal: whether only those count that have stopped. Otherwise what is committed counts.
  func gather(isFinal: Bool = true, then: @escaping @Sendable ([TopicPartition: PartitionFinding]) -> Void) {
    let brokers = broker.image.liveBrokers
    let gathering = Gathering<[TopicPartition: PartitionFinding]>(count: brokers.count) { parts in
      then(parts.reduce(into: [:]) { all, part in all.merge(part) { first, _ in first } })
    }
    for (index, one) in brokers.enumerated() { ask(one, isFinal) { gathering.put($0, at: index) } }
  }

  private func ask(
    _ one: BrokerRegistration, _ isFinal: Bool, then: @escaping @Sendable ([TopicPartition: PartitionFinding]) -> Void
  ) {
    if one.id == broker.settings.nodeID {
      return then(Self.findings(broker.mirrors.status(of: name).map { ($0.key, $0.value) }, isFinal))
    }
    let listener = broker.settings.interBrokerListener
    guard let endpoint = one.endpoints.first(where: { $0.name == listener }) ?? one.endpoints.first else {
      return then([:])
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
      else { return then([:]) }
      then(Self.findings(found.configs.map { ($0.name, $0.value ?? "") }, isFinal))
    }
  }

  private static func findings(_ lines: [(String, String)], _ isFinal: Bool) -> [TopicPartition: PartitionFinding] {
    var found: [TopicPartition: PartitionFinding] = [:]
    for (key, value) in lines {
      guard let partition = TopicPartition(statusKey: key), let status = PartitionStatus(text: value),
        !isFinal || status.state == .stopped && status.mark == status.end
      else { continue }
      found[partition] = PartitionFinding(end: status.mark, sourceEnd: status.sourceEnd, age: status.age)
    }
    return found
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
