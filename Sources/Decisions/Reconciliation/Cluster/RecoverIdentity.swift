import JSONValue
import KubernetesResources

extension ClusterSituation {
  /// A sentence about a member that cannot be seen; nil where all can.
  var firstUnknownMember: String? {
    for share in cluster.spec.regions {
      guard let member = homes[share.name] else { return "the Region \(share.name) cannot be reached yet" }
      switch members[member] {
      case .seen: break
      case .unknown(let since, let why): return "\(member) has not answered since \(since) (\(why))"
      case nil: return "\(member) has not been asked yet"
      }
      if case .unknown(_, let why) = copies[member] { return "\(member) does not answer (\(why))" }
    }
    return nil
  }
}

extension KafkaClusterStatus {
  /// Where nothing is recorded any more, what is left of the nodes knows: a cluster never gets a second identity, and
  /// one that is applied again goes on with the volumes that its deletion left. To be called only while every member can
  /// be seen: a Region that is not would be given ids that its volumes do not have.
  mutating func recover(from members: [String: View<MemberObjects>]) {
    for member in members.keys.sorted() {
      let objects = members[member]?.content?.objects ?? [:]
      for id in objects.keys.sorted() {
        if let trace = objects[id].flatMap({ IdentityTrace($0, of: id.kind) }) { follow(trace) }
      }
    }
    initialVoters.sort()
  }

  private mutating func follow(_ trace: IdentityTrace) {
    clusterID = clusterID ?? trace.cluster
    // What another cluster left says nothing about this one.
    guard trace.cluster == clusterID else { return }
    let first = trace.node - trace.node % ResourceLimits.nodesPerRegionMax
    if !nodeIDBlocks.contains(where: { $0.region == trace.region }) {
      nodeIDBlocks.append(NodeIDBlock(region: trace.region, first: first))
    }
    for voter in trace.voters where !initialVoters.contains(voter) { initialVoters.append(voter) }
  }
}

/// What an object of a node says about the cluster that it was made for.
private struct IdentityTrace {
  let cluster: String, node: Int, region: String
  let voters: [Int]

  /// Nil for what says nothing.
  init?(_ object: JSON, of kind: ObjectKind) {
    let labels = object["metadata"]["labels"]
    guard let node = labels[Marks.node].string.flatMap({ Int($0) }), let region = labels[Marks.region].string else {
      return nil
    }
    (self.node, self.region) = (node, region)
    switch kind {
    case .configMap:
      guard let text = object["data"]["server.properties"].string else { return nil }
      let properties = PropertiesText.parse(text)
      guard let cluster = properties["cluster.id"] else { return nil }
      self.cluster = cluster
      voters = (properties["controller.quorum.voters"] ?? "").split(separator: ",").compactMap { entry in
        entry.split(separator: "@").first.flatMap { Int($0) }
      }
    case .claim:
      guard let cluster = object["metadata"]["annotations"][Marks.clusterID].string else { return nil }
      self.cluster = cluster
      voters = labels[Marks.controller].string == "true" ? [node] : []
    default: return nil
    }
  }
}
