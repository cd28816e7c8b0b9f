import Processes
import EventLoop
import JSONValue
import KubernetesAPI
import Vocabulary

/// A container of a pod: the process that it is now, and what is known of those it was. Only the pod's thread has it.
final class ContainerRun {
  enum Phase {
    /// Not started, because of this.
    case waiting(reason: String, message: String)
    case running(since: Timestamp)
    case ended(Child.Ending, started: Timestamp, at: Timestamp)
  }
  let name: String
  let declared: JSON
  var phase = Phase.waiting(reason: "ContainerCreating", message: "")
  private(set) var child: Child?
  var lastEnding: JSON = .null
  var restarts = 0
  var isReady = false
  /// When it may be started, again or for the first time.
  var startAt = Instant(nanoseconds: 0)
  var backoff = TimeSpan.zero
  var startedAt = Instant(nanoseconds: 0)
  /// Why liveness killed it, until it is gone.
  var isBeingKilled = false
  var readiness = ProbeState()
  var liveness = ProbeState()

  struct ProbeState {
    var next = Instant(nanoseconds: 0)
    var failures = 0
    var successes = 0
  }

  init(_ declared: JSON, known: JSON) {
    name = declared["name"].string ?? ""
    self.declared = declared
    restarts = known["restartCount"].int ?? 0
    // What ran when the node went down was ended by that.
    if known["state"]["running"].object != nil { restarts += 1 }
  }

  var process: Int32? { child?.process }
  var descriptor: Int32 { child?.descriptor ?? -1 }
  var isRunning: Bool { child != nil }

  func start(_ words: [String], environment: [String], folder: String, log: String, now: Timestamp) throws(SystemError)
  {
    child = try Child(words, environment: environment, folder: folder, log: log)
    phase = .running(since: now)
    startedAt = monotonicNow()
    isReady = declared["readinessProbe"].isNull
    isBeingKilled = false
    readiness = ProbeState(next: startedAt + delay("readinessProbe"))
    liveness = ProbeState(next: startedAt + delay("livenessProbe"))
  }

  private func delay(_ probe: String) -> TimeSpan { .seconds(declared[probe]["initialDelaySeconds"].int64 ?? 0) }

  func send(_ signal: Int32) { child?.send(signal) }
  func wait(_ span: TimeSpan) -> Child.Ending? { child?.wait(span) }

  /// Takes note of the process's end; nil while it runs.
  func collect(now: Timestamp) -> Child.Ending? {
    guard let ending = child?.ending() else { return nil }
    var since = now
    if case .running(let start) = phase { since = start }
    child = nil
    isReady = false
    phase = .ended(ending, started: since, at: now)
    lastEnding = terminated(ending, since, now)
    return ending
  }

  private func terminated(_ ending: Child.Ending, _ start: Timestamp, _ end: Timestamp) -> JSON {
    var state: JSON = [
      "exitCode": JSON(ending.code), "reason": ending.code == 0 ? "Completed" : "Error",
      "startedAt": JSON(KubernetesTime.text(start)), "finishedAt": JSON(KubernetesTime.text(end)),
    ]
    if case .signalled(let signal) = ending { state["signal"] = JSON(signal) }
    return ["terminated": state]
  }

  /// As the pod's status has it.
  var status: JSON {
    var status: JSON = [
      "name": JSON(name), "image": declared["image"], "imageID": "", "restartCount": JSON(restarts),
      "ready": JSON(isReady), "started": JSON(isRunning),
    ]
    switch phase {
    case .waiting(let reason, let message):
      status["state"]["waiting"]["reason"] = JSON(reason)
      if !message.isEmpty { status["state"]["waiting"]["message"] = JSON(message) }
    case .running(let since): status["state"]["running"]["startedAt"] = JSON(KubernetesTime.text(since))
    case .ended(let ending, let start, let end): status["state"] = terminated(ending, start, end)
    }
    status["lastState"] = lastEnding.isNull ? [:] : lastEnding
    if let process { status["containerID"] = JSON("process://\(process)") }
    return status
  }
}
