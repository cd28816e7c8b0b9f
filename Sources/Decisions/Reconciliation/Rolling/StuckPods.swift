import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// Pods that do not come up by waiting, with their reasons. The words stay the same as long as the trouble does: each
  /// change of a status is a write in every member.
  var stuckPods: [String] {
    wanted.compactMap { node in
      guard let pod = pod(of: node), !isOutdated(node) else { return nil }
      switch pod.state {
      case .failing(let why): return "\(pod.name) does not stay up (\(why))"
      case .unschedulable(let why): return "\(pod.name) finds no machine (\(why))"
      case .starting, .pending:
        if let crashes = pod.crashes, crashesAgain(crashes) { return "\(pod.name) does not stay up (\(crashes.text))" }
        guard let since = pod.unreadySince, isLate(pod) else { return nil }
        let reason = pod.waitingFor ?? (pod.state == .starting ? "its process runs" : "its process was not started")
        return "\(pod.name) is not ready since \(since) (\(reason))"
      case .ready, .stopping: return nil
      }
    }
  }

  /// Whether a pod should have come up long since.
  func isLate(_ pod: Pod) -> Bool { pod.unreadySince.map { $0 < situation.longAgo } ?? false }

  /// Whether a process that crashed more than once runs only until its next crash, as far as anybody can tell.
  private func crashesAgain(_ crashes: Pod.Crashes) -> Bool {
    guard crashes.restarts >= ReconciliationLimits.crashesMin else { return false }
    return crashes.runsSince.map { $0 >= situation.longAgo } ?? true
  }
}
