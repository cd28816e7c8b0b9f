import JSONValue
import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// What a Region has besides its nodes.
  func render(_ share: RegionShare) -> [JSON] {
    guard let objects = objects(in: share.name) else { return [] }
    var account = meta(name, share.name)
    // Regions that share a Kubernetes cluster share the account.
    account.labels[Marks.region] = nil
    let budget = objects.hasPolicyV1 ? ObjectKind.disruptionBudget : .oldDisruptionBudget
    let regionName = "\(name)-\(share.name)"
    let ports = listeners.map(\.port) + [Self.controllerPort, Self.metricsPort]
    return [
      Build.serviceAccount(account),
      Build.service(
        meta(regionName, share.name), type: nil,
        selector: selector(share.name).merging([Marks.broker: "true"]) { $1 },
        ports: listeners.map { Build.Port($0.name, $0.port) }),
      Build.networkPolicy(meta(regionName, share.name), selector: selector(share.name), ports: ports),
      Build.disruptionBudget(
        budget, meta(regionName, share.name), maxUnavailable: isClosed(share.name) ? 0 : 1,
        selector: selector(share.name)),
    ]
  }

  /// Nobody may evict a pod here while another Region is degraded: one disruption at a time, over all Regions.
  private func isClosed(_ region: String) -> Bool {
    wanted.contains { $0.region != region && !serves($0) }
  }

  /// Whether a node is up: by its pod where that can be seen, else by what the other nodes say of it.
  func serves(_ node: Node) -> Bool {
    if !isUnknown(node.region) { return pod(of: node)?.state == .ready }
    guard let facts = situation.brokers.content else { return false }
    if node.isBroker, !facts.brokers.contains(where: { $0.id == node.id && !$0.isFenced }) { return false }
    if node.isController, !(facts.voters + facts.observers).contains(where: { $0.id == node.id && $0.isCaughtUp }) {
      return false
    }
    return true
  }
}
