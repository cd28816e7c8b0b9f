import Processes
import JSONValue
import KubernetesAPI
import Vocabulary

/// The status of a pod as `kubectl` and controllers read it.
enum PodStatus {
  static func of(
    _ pod: JSON, containers: [ContainerRun], initial: [ContainerRun], address: String, start: Timestamp,
    isInitialized: Bool, now: Timestamp, previous: JSON
  ) -> JSON {
    let isReady = isInitialized && containers.allSatisfy(\.isReady)
    let unready = containers.filter { !$0.isReady }.map(\.name)
    let words = unready.isEmpty ? "" : "containers with unready status: [\(unready.joined(separator: " "))]"
    func condition(_ type: String, _ isTrue: Bool, _ reason: String = "", _ message: String = "") -> JSON {
      let status = isTrue ? "True" : "False"
      let known = previous["conditions"].elements.first { $0["type"].string == type }
      let since = known?["status"].string == status ? known?["lastTransitionTime"].string : nil
      var condition: JSON = [
        "type": JSON(type), "status": JSON(status),
        "lastTransitionTime": JSON(since ?? KubernetesTime.text(now)),
      ]
      if !isTrue && !reason.isEmpty { condition["reason"] = JSON(reason) }
      if !isTrue && !message.isEmpty { condition["message"] = JSON(message) }
      return condition
    }
    var status: JSON = [
      "phase": JSON(phase(pod, containers, isInitialized)), "podIP": JSON(address), "podIPs": [["ip": JSON(address)]],
      "hostIP": "127.0.0.1", "startTime": JSON(KubernetesTime.text(start)), "qosClass": "BestEffort",
      "containerStatuses": .array(containers.map(\.status)),
      "conditions": [
        condition("Initialized", isInitialized, "ContainersNotInitialized"),
        condition("Ready", isReady, "ContainersNotReady", words),
        condition("ContainersReady", isReady, "ContainersNotReady", words), condition("PodScheduled", true),
      ],
    ]
    if !initial.isEmpty { status["initContainerStatuses"] = .array(initial.map(\.status)) }
    return status
  }

  private static func phase(_ pod: JSON, _ containers: [ContainerRun], _ isInitialized: Bool) -> String {
    if !isInitialized { return "Pending" }
    let endings = containers.compactMap { container -> Child.Ending? in
      if case .ended(let ending, _, _) = container.phase { ending } else { nil }
    }
    if endings.count == containers.count {
      return endings.allSatisfy { $0 == .exited(0) } ? "Succeeded" : "Failed"
    }
    let hasStarted = containers.allSatisfy { $0.isRunning || $0.restarts > 0 || !$0.lastEnding.isNull }
    return hasStarted ? "Running" : "Pending"
  }
}
