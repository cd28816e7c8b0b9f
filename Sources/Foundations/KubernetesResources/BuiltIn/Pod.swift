public import JSONValue

/// What the operator reads of a pod.
public struct Pod: Hashable, Sendable {
  /// How the pod's process is doing. Each case is worse than the one before.
  public enum State: Hashable, Sendable {
    case ready
    /// Its process runs and is not ready: it starts, or recovers its log.
    case starting
    /// Not on a machine yet, without a reason.
    case pending
    /// No machine takes it, for this reason.
    case unschedulable(String)
    /// Its process does not stay up or cannot be started, for this reason.
    case failing(String)
    /// It was asked to stop.
    case stopping

    /// Whether nothing of it serves, so that a restart takes nothing away.
    public var isDown: Bool {
      switch self {
      case .unschedulable, .failing: true
      case .ready, .starting, .pending, .stopping: false
      }
    }
  }

  public let name: String
  public let uid: String
  public let node: Int?
  /// What was applied when it was made.
  public let revision: String?
  /// What it was told of its configuration.
  public let told: String?
  public let address: String?
  public let machine: String?
  public let state: State
  /// Whether it was asked to stop and no process of it is left. Its machine may take a minute to clear up behind it.
  public let hasEnded: Bool

  public init(
    name: String, uid: String, node: Int?, revision: String?, told: String? = nil, address: String?,
    machine: String? = nil, state: State, hasEnded: Bool = false
  ) {
    self.name = name
    self.uid = uid
    self.node = node
    self.revision = revision
    self.told = told
    self.address = address
    self.machine = machine
    self.state = state
    self.hasEnded = hasEnded
  }

  public init(_ object: JSON) {
    let meta = ObjectMeta(object)
    name = meta.name
    uid = meta.uid ?? ""
    node = meta.labels[Marks.node].flatMap { Int($0) }
    revision = meta.annotations[Marks.revision]
    told = meta.annotations[Marks.told]
    let status = object["status"]
    address = status["podIP"].string.flatMap { $0.isEmpty ? nil : $0 }
    machine = object["spec"]["nodeName"].string
    state = meta.isBeingDeleted ? .stopping : Self.state(status)
    hasEnded = meta.isBeingDeleted && Self.hasEnded(status)
  }

  /// A container that ran and is removed may be shown as one that waits to be made, in a pod that is no longer pending.
  private static func hasEnded(_ status: JSON) -> Bool {
    let containers = status["containerStatuses"].elements
    guard !containers.isEmpty, status["phase"].string != "Pending" else { return false }
    return containers.allSatisfy { $0["state"] != [:] && !$0["state"].isNull && $0["state"]["running"].isNull }
  }

  /// Reasons of a waiting container that do not go away by waiting.
  private static let lasting: Set<String> = [
    "CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName",
    "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
  ]

  private static func state(_ status: JSON) -> State {
    func condition(_ type: String) -> JSON? { status["conditions"].elements.first { $0["type"].string == type } }
    if condition("Ready")?["status"].string == "True" { return .ready }
    if let scheduled = condition("PodScheduled"), scheduled["status"].string == "False" {
      return .unschedulable(scheduled["message"].string ?? "no machine takes it")
    }
    if status["phase"].string == "Failed" { return .failing(status["message"].string ?? "it has failed") }
    for container in status["initContainerStatuses"].elements + status["containerStatuses"].elements {
      let waiting = container["state"]["waiting"]
      guard let reason = waiting["reason"].string, lasting.contains(reason) else { continue }
      let last = container["lastState"]["terminated"]["message"].string ?? waiting["message"].string
      return .failing(last.map { "\(reason): \($0)" } ?? reason)
    }
    return status["phase"].string == "Running" ? .starting : .pending
  }
}
