import JSONValue
import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// server.properties of a node: nothing in it depends on a path or on the pod's own address.
  func serverProperties(_ node: Node) -> [String: String] {
    var values = defaults
    for (key, value) in cluster.spec.config { values[key] = value }
    values["node.id"] = "\(node.id.value)"
    values["process.roles"] = [node.isBroker ? "broker" : nil, node.isController ? "controller" : nil]
      .compactMap { $0 }.joined(separator: ",")
    values["cluster.id"] = recorded.clusterID ?? ""
    values["broker.rack"] = zone(node).map { "\(node.region)/\($0)" } ?? node.region
    values["controller.listener.names"] = Self.controllerListener
    values["listener.security.protocol.map"] =
      (listeners.map { "\($0.name.uppercased()):PLAINTEXT" } + ["\(Self.controllerListener):PLAINTEXT"])
      .joined(separator: ",")
    if node.isBroker { values["inter.broker.listener.name"] = listeners.first?.name.uppercased() }
    if let told = advertised(node) {
      values["advertised.listeners"] = told.compactMap { listener, endpoint in
        endpoint.map { "\(listener)://\($0.text)" }
      }.joined(separator: ",")
    }
    if let (key, value) = quorumAddresses(node) { values[key] = value }
    return values
  }

  /// Settings that follow from the durability; the cluster's own config wins.
  private var defaults: [String: String] {
    [
      "default.replication.factor": "\(durability.replicationFactor)",
      "offsets.topic.replication.factor": "\(durability.replicationFactor)",
      "transaction.state.log.replication.factor": "\(durability.replicationFactor)",
      "transaction.state.log.min.isr": "\(durability.minInSync)",
      "min.insync.replicas": "\(durability.minInSync)",
      "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector",
    ]
  }

  /// The key that a node waits for before it starts, as the address of the quorum stands there.
  func quorumKey(_ node: Node) -> String {
    recorded.initialVoters.contains(Int(node.id.value))
      ? "controller.quorum.voters" : "controller.quorum.bootstrap.servers"
  }

  /// Where the quorum is. The voters that it began with name each other, with ids that never change; everybody else
  /// finds the voters of the day through any controller.
  private func quorumAddresses(_ node: Node) -> (String, String)? {
    let key = quorumKey(node)
    guard key == "controller.quorum.voters" else {
      let found = nodes.filter(\.isController).compactMap { controllerEndpoint($0)?.text }
      return found.isEmpty ? nil : (key, found.joined(separator: ","))
    }
    let initial = initialVoterNodes
    let entries = initial.compactMap { voter in controllerEndpoint(voter).map { "\(voter.id.value)@\($0.text)" } }
    // Part of the voters would be another quorum.
    guard entries.count == initial.count else { return nil }
    return (key, entries.joined(separator: ","))
  }

  /// The nodes that the quorum began with, also those that have gone since.
  private var initialVoterNodes: [Node] {
    recorded.initialVoters.map { id in
      if let node = nodes.first(where: { Int($0.id.value) == id }) { return node }
      let block = blocks.first { $0.first <= id && id < $0.first + ResourceLimits.nodesPerRegionMax }
      let (region, ordinal) = (block?.region ?? "", id - (block?.first ?? 0))
      return Node(
        id: NodeID(Int32(clamping: id)), region: region, ordinal: ordinal, isBroker: false, isController: true,
        name: "\(name)-\(region)-\(ordinal)")
    }
  }

  /// Nodes of a Region are dealt out over its zones in turn.
  func zone(_ node: Node) -> String? {
    guard let zones = region(node.region)?.spec.scheduling.zones, !zones.isEmpty else { return nil }
    return zones[node.ordinal % zones.count]
  }

  /// Settings whose change needs no restart: whoever runs learns of the quorum's changes from the quorum.
  static let keysWithoutRestart: Set<String> = ["controller.quorum.voters", "controller.quorum.bootstrap.servers"]
}
