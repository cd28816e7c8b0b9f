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
  /// Whether its kubelet last said that its process is ready. It may be so in a pod that is not: when a machine is no
  /// longer heard of, Kubernetes takes the pod's readiness away, and what runs there may serve all the same.
  public let hasReadyProcess: Bool
  /// Since when it is not ready (RFC 3339); nil where it is, or where nobody says.
  public let unreadySince: String?
  /// What its container waits for, such as ContainerCreating.
  public let waitingFor: String?
  /// How its process has ended before; nil where it never has.
  public let crashes: Crashes?
  /// Whether it was asked to stop and no process of it is left. Its machine may take a minute to clear up behind it.
  public let hasEnded: Bool

  /// A process that has ended, and was or will be started again by its kubelet.
  public struct Crashes: Hashable, Sendable {
    public let restarts: Int
    /// How it ended the last time; the same text while it waits for its next start and while it runs again.
    public let why: String
    /// When it was started again (RFC 3339); nil while it is not running.
    public let runsSince: String?
    public init(restarts: Int, why: String, runsSince: String? = nil) {
      self.restarts = restarts
      self.why = why
      self.runsSince = runsSince
    }
    public var text: String { why.isEmpty ? crashLoop : "\(crashLoop): \(why)" }
  }

  public init(
    name: String, uid: String, node: Int?, revision: String?, told: String? = nil, address: String?,
    machine: String? = nil, state: State, hasReadyProcess: Bool = false, unreadySince: String? = nil,
    waitingFor: String? = nil, crashes: Crashes? = nil, hasEnded: Bool = false
  ) {
    self.name = name
    self.uid = uid
    self.node = node
    self.revision = revision
    self.told = told
    self.address = address
    self.machine = machine
    self.state = state
    self.hasReadyProcess = hasReadyProcess || state == .ready
    self.unreadySince = unreadySince
    self.waitingFor = waitingFor
    self.crashes = crashes
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
    let state = Self.state(status)
    self.state = meta.isBeingDeleted ? .stopping : state
    let containers = status["containerStatuses"].elements
    hasReadyProcess = state == .ready || containers.contains { $0["ready"].bool == true }
    let created = object["metadata"]["creationTimestamp"].string
    unreadySince = state == .ready ? nil : Self.condition("Ready", status)?["lastTransitionTime"].string ?? created
    let all = status["initContainerStatuses"].elements + containers
    waitingFor = all.lazy.compactMap { $0["state"]["waiting"]["reason"].string }.first
    crashes = all.lazy.compactMap(Self.crashes).first
    hasEnded = meta.isBeingDeleted && Self.hasEnded(status)
  }

  /// A container that ran and is removed may be shown as one that waits to be made, in a pod that is no longer pending.
  private static func hasEnded(_ status: JSON) -> Bool {
    let containers = status["containerStatuses"].elements
    guard !containers.isEmpty, status["phase"].string != "Pending" else { return false }
    return containers.allSatisfy { $0["state"] != [:] && !$0["state"].isNull && $0["state"]["running"].isNull }
  }

  private static let crashLoop = "CrashLoopBackOff"
  /// Reasons of a waiting container that do not go away by waiting.
  private static let lasting: Set<String> = [
    crashLoop, "ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName",
    "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
  ]

  private static func condition(_ type: String, _ status: JSON) -> JSON? {
    status["conditions"].elements.first { $0["type"].string == type }
  }

  /// Nothing in it changes between one crash and the next: kubelets count their pauses in the words for waiting.
  private static func crashes(_ container: JSON) -> Crashes? {
    let restarts = container["restartCount"].int ?? 0
    let now = container["state"]["terminated"]
    let end = now.isNull ? container["lastState"]["terminated"] : now
    guard restarts > 0, !end.isNull else { return nil }
    let code = end["exitCode"].int.map { "exit code \($0)" }
    let why = end["message"].string ?? [end["reason"].string, code].compactMap { $0 }.joined(separator: ", ")
    return Crashes(restarts: restarts, why: why, runsSince: container["state"]["running"]["startedAt"].string)
  }

  private static func state(_ status: JSON) -> State {
    if condition("Ready", status)?["status"].string == "True" { return .ready }
    if let scheduled = condition("PodScheduled", status), scheduled["status"].string == "False" {
      return .unschedulable(scheduled["message"].string ?? "no machine takes it")
    }
    if status["phase"].string == "Failed" { return .failing(status["message"].string ?? "it has failed") }
    for container in status["initContainerStatuses"].elements + status["containerStatuses"].elements {
      let waiting = container["state"]["waiting"]
      guard let reason = waiting["reason"].string, lasting.contains(reason) else { continue }
      if let crashes = crashes(container), reason == crashLoop { return .failing(crashes.text) }
      let last = container["lastState"]["terminated"]["message"].string ?? waiting["message"].string
      return .failing(last.map { "\(reason): \($0)" } ?? reason)
    }
    return status["phase"].string == "Running" ? .starting : .pending
  }
}
