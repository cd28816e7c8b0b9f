import JSONValue
import KubernetesResources
import Vocabulary

/// One broker or controller, or both.
struct Node: Hashable, Sendable {
  let id: NodeID
  let region: String
  let ordinal: Int
  var isBroker: Bool
  var isController: Bool
  /// Of its StatefulSet, its Service, its ConfigMap.
  let name: String
  var podName: String { name + "-0" }
}

/// What a KafkaCluster comes to: which nodes there are, which leave, and what its durability means in numbers.
struct ClusterDesign {
  /// Ports that are the operator's own choice.
  static let controllerPort = 9093
  static let metricsPort = 9404
  static let controllerListener = "CONTROLLER"

  let situation: ClusterSituation
  let cluster: KafkaCluster
  let name: String
  let namespace: String
  /// What has been recorded, gathered from every copy that was seen.
  let recorded: KafkaClusterStatus
  let blocks: [NodeIDBlock]
  /// By id.
  let wanted: [Node]
  /// Nodes that exist and are no longer wanted, by id: they are emptied before they go.
  let leaving: [Node]
  let durability: DurabilityNumbers
  /// Everything that is wanted now, in the order in which it is applied; empty until `renderAll`.
  private(set) var rendered: [Rendered] = []

  struct Rendered {
    let id: ObjectID
    let member: String
    /// Nil for what a Region has besides its nodes.
    let node: NodeID?
    let object: JSON
  }

  /// Renders every Region that can be seen, once for each object of a member.
  mutating func renderAll() {
    var done: Set<String> = []
    for share in cluster.spec.regions.sorted(by: { $0.name < $1.name }) {
      guard let member = member(of: share.name), situation.members[member]?.content != nil else { continue }
      var objects = render(share).map { (NodeID?.none, $0) }
      for node in wanted where node.region == share.name { objects += render(node).map { (node.id, $0) } }
      for (node, object) in objects {
        guard let id = ObjectID(object), done.insert("\(member) \(id)").inserted else { continue }
        rendered.append(Rendered(id: id, member: member, node: node, object: object))
      }
    }
  }

  init(_ situation: ClusterSituation) {
    self.situation = situation
    cluster = situation.cluster
    name = cluster.metadata.name
    namespace = cluster.metadata.namespace
    recorded = Self.gather(situation)
    blocks = Self.blocks(for: cluster.spec.regions.map(\.name), recorded: recorded.nodeIDBlocks)
    wanted = Self.nodes(of: cluster, blocks)
    leaving = Self.leaving(situation, blocks, wanted: wanted)
    durability = DurabilityNumbers(cluster.spec, situation.regions)
  }

  var hasClusterID: Bool { recorded.clusterID != nil }
  /// Whether a copy says which cluster this is, and not only what is left of its nodes.
  var isRecorded: Bool {
    cluster.status.clusterID != nil || situation.copies.values.contains { $0.content?.status.clusterID != nil }
  }
  var listeners: [KafkaListener] { cluster.spec.listeners.isEmpty ? [KafkaListener()] : cluster.spec.listeners }
  var clusterKey: ObjectID { ObjectKind.kafkaCluster.id(cluster.metadata) }
  var isPaused: Bool { cluster.metadata.annotations[Marks.pause] == "true" }
  /// Members that hold a Region of the cluster, sorted.
  var memberNames: [String] {
    Set(situation.homes.values).union(situation.copies.keys).sorted()
  }

  func region(_ name: String) -> Region? { situation.regions.first { $0.metadata.name == name } }
  func member(of region: String) -> String? { situation.homes[region] }
  func objects(in region: String) -> MemberObjects? { member(of: region).flatMap { situation.members[$0]?.content } }
  func isUnknown(_ region: String) -> Bool { objects(in: region) == nil }
  func pod(of node: Node) -> Pod? { objects(in: node.region)?.pods.first { $0.name == node.podName } }
  func share(_ region: String) -> RegionShare? { cluster.spec.regions.first { $0.name == region } }
  var nodes: [Node] { (wanted + leaving).sorted { $0.id < $1.id } }

  /// What the members' copies have recorded. Once an id was written it is found again as long as one copy is seen.
  private static func gather(_ situation: ClusterSituation) -> KafkaClusterStatus {
    var result = situation.cluster.status
    for member in situation.copies.keys.sorted() {
      guard let copy = situation.copies[member]?.content else { continue }
      if result.clusterID == nil { result.clusterID = copy.status.clusterID }
      if result.initialVoters.isEmpty { result.initialVoters = copy.status.initialVoters }
      // What brokers said last stays while they say nothing, also where the original was made again.
      result.quorum = result.quorum ?? copy.status.quorum
      result.partitions = result.partitions ?? copy.status.partitions
      let known = Set(result.nodeIDBlocks.map(\.region))
      result.nodeIDBlocks += copy.status.nodeIDBlocks.filter { !known.contains($0.region) }
    }
    if result.clusterID == nil, situation.firstUnknownMember == nil { result.recover(from: situation.members) }
    result.nodeIDBlocks.sort()
    return result
  }

  /// A block for each Region that has none yet, behind all that were ever given out.
  private static func blocks(for regions: [String], recorded: [NodeIDBlock]) -> [NodeIDBlock] {
    var blocks = recorded
    for region in regions where !blocks.contains(where: { $0.region == region }) {
      let last = blocks.map(\.first).max() ?? 0
      blocks.append(NodeIDBlock(region: region, first: last + ResourceLimits.nodesPerRegionMax))
    }
    return blocks.sorted()
  }

  private static func nodes(of cluster: KafkaCluster, _ blocks: [NodeIDBlock]) -> [Node] {
    cluster.spec.regions.flatMap { share -> [Node] in
      guard let block = blocks.first(where: { $0.region == share.name }) else { return [] }
      return (0..<max(share.brokers, share.controllers)).map { ordinal in
        node(block, ordinal, of: cluster, isBroker: ordinal < share.brokers, isController: ordinal < share.controllers)
      }
    }.sorted { $0.id < $1.id }
  }

  private static func node(
    _ block: NodeIDBlock, _ ordinal: Int, of cluster: KafkaCluster, isBroker: Bool, isController: Bool
  ) -> Node {
    Node(
      id: NodeID(Int32(clamping: block.first + ordinal)), region: block.region, ordinal: ordinal, isBroker: isBroker,
      isController: isController, name: "\(cluster.metadata.name)-\(block.region)-\(ordinal)")
  }

  /// Nodes with a StatefulSet, a registration or a vote that the spec does not ask for any more.
  private static func leaving(_ situation: ClusterSituation, _ blocks: [NodeIDBlock], wanted: [Node]) -> [Node] {
    var roles: [Int: (broker: Bool, controller: Bool)] = [:]
    for member in situation.members.values {
      for (id, object) in member.content?.objects ?? [:] where id.kind == .statefulSet {
        let labels = object["metadata"]["labels"]
        guard let node = labels[Marks.node].string.flatMap({ Int($0) }) else { continue }
        roles[node] = (labels[Marks.broker].string == "true", labels[Marks.controller].string == "true")
      }
    }
    if let facts = situation.brokers.content {
      for broker in facts.brokers { roles[Int(broker.id.value), default: (false, false)].broker = true }
      for voter in facts.voters { roles[Int(voter.id.value), default: (false, false)].controller = true }
    }
    for node in wanted { roles[Int(node.id.value)] = nil }
    return roles.keys.sorted().compactMap { id in
      guard let role = roles[id],
        let block = blocks.first(where: { $0.first <= id && id < $0.first + ResourceLimits.nodesPerRegionMax })
      else { return nil }
      return node(block, id - block.first, of: situation.cluster, isBroker: role.broker, isController: role.controller)
    }
  }
}
