import EventLoop
import KubernetesAPI
import Reconciliation
import Synchronization
import Vocabulary

/// How steps came out.
struct Performed: Sendable {
  /// Whether anything was done, or something new was learned from a refusal: the next plan is another one.
  var didSomething = false
  /// Whether something came to nothing that may well be done in a moment.
  var hasFailed = false
  /// Whether something was refused, now or a while ago.
  var isRefused = false

  static let nothing = Performed()
  static let did = Performed(didSomething: true)
  static let failed = Performed(hasFailed: true)
  static let refusedAgain = Performed(isRefused: true)

  var isDone: Bool { !hasFailed && !isRefused }

  func and(_ other: Performed) -> Performed {
    Performed(
      didSomething: didSomething || other.didSomething, hasFailed: hasFailed || other.hasFailed,
      isRefused: isRefused || other.isRefused)
  }
}

/// Steps that were refused, and when each of them is tried again. It may be lost at any time: then they are tried at
/// once.
struct RefusalMemory {
  struct Held {
    var words: String
    var count: Int
    var until: Instant
  }
  var steps: [Step: Held] = [:]
  /// Those of them that the plans of this round still have.
  var planned: Set<Step> = []
}

/// What must not come about in a lane any more.
struct Blocked {
  private var groups: Set<String> = []
  private var isAll = false

  mutating func add(_ dependants: Step.Dependants) {
    switch dependants {
    case .none: break
    case .group(let group): groups.insert(group)
    case .all: isAll = true
    }
  }

  /// Statuses are always written: they say what was refused.
  func holdsUp(_ step: Step) -> Bool {
    if case .writeStatus = step { return false }
    return isAll || step.group.map(groups.contains) ?? false
  }
}

extension Performer {
  /// What was refused when it was last tried.
  func refusals(of key: WorkKey) -> RefusedSteps {
    var found = RefusedSteps()
    found.words = refused.withLock { $0[key]?.steps.mapValues(\.words) } ?? [:]
    return found
  }

  /// Until something that was refused is tried again; nil where nothing was.
  func nextTry(of key: WorkKey) -> TimeSpan? {
    let now = monotonicNow()
    // What could be tried now, and was not, waits for what it builds on.
    return refused.withLock { refused in
      refused[key].map { $0.steps.values.map { $0.until - now }.filter { $0 > .zero }.min() ?? retries.first }
    }
  }

  /// Whether something that was refused may be tried now.
  func hasTry(of key: WorkKey) -> Bool {
    let now = monotonicNow()
    return refused.withLock { $0[key]?.steps.values.contains { $0.until <= now } ?? false }
  }

  /// Forgets what no plan of this round has asked for.
  func endRound(_ key: WorkKey) {
    refused.withLock { refused in
      guard var memory = refused[key] else { return }
      memory.steps = memory.steps.filter { memory.planned.contains($0.key) }
      memory.planned = []
      refused[key] = memory.steps.isEmpty ? nil : memory
    }
  }

  /// Notes which of the steps that were refused are still asked for.
  func note(_ steps: [Step], plannedFor key: WorkKey) {
    refused.withLock { refused in
      guard let known = refused[key]?.steps, !known.isEmpty else { return }
      for step in steps.flatMap(\.parts) where known[step] != nil {
        refused[key]?.planned.insert(step)
      }
    }
  }

  /// Whether a step was refused and is not tried yet.
  func isHeld(_ step: Step, _ key: WorkKey) -> Bool {
    let now = monotonicNow()
    return refused.withLock { refused in refused[key]?.steps[step.kept].map { now < $0.until } ?? false }
  }

  /// A step that was done is refused no more.
  func forget(_ step: Step, _ key: WorkKey) {
    refused.withLock { refused in
      guard refused[key] != nil else { return }
      for part in step.parts { refused[key]?.steps[part] = nil }
    }
  }

  /// Notes that a step was refused.
  func refuse(_ step: Step, _ words: String, _ key: WorkKey) -> Performed {
    let isNew = refused.withLock { refused in
      var memory = refused[key] ?? RefusalMemory()
      let step = step.kept
      let before = memory.steps[step]
      let count = (before?.count ?? 0) + 1
      memory.steps[step] = .init(words: words, count: count, until: monotonicNow() + retries.pause(after: count))
      memory.planned.insert(step)
      refused[key] = memory
      return before?.words != words
    }
    return Performed(didSomething: isNew, isRefused: true)
  }
}

extension Step {
  /// Whether it needs nothing to be there.
  var makesAnew: Bool { if case .apply = self { true } else { false } }
}

extension APIError {
  /// Whether the same will be refused again until somebody changes something: a right, a quota, a webhook, the object.
  /// Who is asked to show who they are, to wait or to look again is not refused for good.
  var isLasting: Bool {
    guard let code = status?.code else { return false }
    return (400..<500).contains(code) && ![401, 408, 409, 410, 425, 429].contains(code)
  }
}
