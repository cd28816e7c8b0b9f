import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// Whether an outdated node may restart though others are not ready, because there is nobody whom it could take
  /// anything from.
  ///
  /// A cluster whose brokers do not find each other waits for ever, each pod for all others; what its spec says by now
  /// may be the cure, and reaches nobody by the gate. A cluster that has worked before is given time to come up by
  /// itself: its brokers may be reading their logs, and begin again when they restart.
  func mayRestartWhileNobodyServes(_ node: Node) -> Bool {
    guard nobodyServes, let pod = pod(of: node) else { return false }
    if !pod.hasReadyProcess { return !hasEverWorked || isLate(pod) }
    // Controllers are ready without a quorum, and a majority of them alone may be what keeps it from forming.
    guard !node.isBroker, !hasEverWorked else { return false }
    return wanted.allSatisfy { $0.isBroker || $0.id == node.id || self.pod(of: $0)?.state == .ready }
  }

  /// Whether no broker can be at work anywhere: all of the cluster is seen, and no kubelet calls one ready. That the
  /// brokers do not answer the operator is no sign of it.
  private var nobodyServes: Bool {
    guard situation.brokers.content?.leader == nil, nodes.allSatisfy({ !isUnknown($0.region) }) else { return false }
    let controllers = Set(nodes.filter { !$0.isBroker }.map { Int($0.id.value) })
    return situation.members.values.allSatisfy { member in
      guard let pods = member.content?.pods else { return false }
      return pods.allSatisfy { pod in
        (pod.state != .ready && !pod.hasReadyProcess) || pod.node.map(controllers.contains) ?? false
      }
    }
  }

  /// Whether brokers have ever said anything: it stays recorded.
  private var hasEverWorked: Bool {
    recorded.quorum != nil || situation.copies.values.contains { $0.content?.status.quorum != nil }
  }
}
