import Processes
import EventLoop
import Glibc
import JSONValue
import KubernetesAPI
import Vocabulary

/// What the thread of a pod does and knows.
struct PodWork {
  let runner: PodRunner
  private(set) var pod: JSON
  let containers: [ContainerRun]
  /// Run to their end one after another, before the others.
  let initial: [ContainerRun]
  private var startTime: Timestamp
  private var published: JSON = .null

  init(_ runner: PodRunner, _ pod: JSON) {
    self.runner = runner
    self.pod = pod
    func known(_ list: String, _ name: JSON) -> JSON {
      pod["status"][list].elements.first { $0["name"] == name } ?? .null
    }
    containers = pod["spec"]["containers"].elements.map {
      ContainerRun($0, known: known("containerStatuses", $0["name"]))
    }
    initial = pod["spec"]["initContainers"].elements.map { ContainerRun($0, known: .null) }
    startTime = pod["status"]["startTime"].string.flatMap(KubernetesTime.parse) ?? wallClockNow()
    File.makeFolder(runner.place.folder)
  }

  private var isInitialized: Bool {
    initial.allSatisfy { if case .ended(.exited(0), _, _) = $0.phase { true } else { false } }
  }
  private var policy: String { pod["spec"]["restartPolicy"].string ?? "Always" }

  mutating func run() {
    while let wanted = runner.wanted {
      pod = wanted
      if pod.isBeingDeleted {
        terminate()
        return
      }
      step()
      let open = (initial + containers).filter(\.isRunning).map(\.descriptor)
      // With several processes only one of them can be waited for: the others are looked after.
      let lookAfter: Int64 = 200
      let wait = min(nextDue(), open.count > 1 ? lookAfter : .max)
      runner.wait(open.first ?? -1, milliseconds: wait)
    }
    // What still runs is killed with the containers' values.
  }

  private mutating func step() {
    for container in initial + containers { collect(container) }
    do throws(ContainerWords.Missing) {
      try runner.place.volumes.prepare(pod, find: runner.find)
      startDue()
    } catch {
      for container in containers where !container.isRunning {
        container.phase = .waiting(reason: "CreateContainerConfigError", message: error.words)
      }
    }
    for container in containers where container.isRunning { probe(container) }
    publish()
  }

  private func collect(_ container: ContainerRun) {
    guard let ending = container.collect(now: wallClockNow()) else { return }
    let isInitial = initial.contains { $0 === container }
    let isDone = ending == .exited(0) && (isInitial || policy != "Always")
    if isDone || policy == "Never" { return }
    let backoff = runner.place.backoff
    if monotonicNow() - container.startedAt >= backoff.forgivenAfter { container.backoff = .zero }
    let doubled = TimeSpan(nanoseconds: min(container.backoff.nanoseconds * 2, backoff.longest.nanoseconds))
    container.backoff = container.backoff == .zero ? backoff.first : doubled
    container.startAt = monotonicNow() + container.backoff
    container.restarts += 1
    let words =
      "back-off \(container.backoff.milliseconds)ms restarting failed container=\(container.name) "
      + "pod=\(pod.name)_\(pod.namespace)(\(pod.uid))"
    container.phase = .waiting(reason: "CrashLoopBackOff", message: words)
    runner.tell("Warning", "BackOff", "Back-off restarting failed container \(container.name)")
  }

  private mutating func startDue() {
    let due = isInitialized ? containers : initial.first { !$0.isRunning && !hasEnded($0) }.map { [$0] } ?? []
    if !isInitialized && initial.contains(where: \.isRunning) { return }
    for container in due where !container.isRunning && !hasEnded(container) && monotonicNow() >= container.startAt {
      start(container)
    }
  }

  private func hasEnded(_ container: ContainerRun) -> Bool {
    if case .ended = container.phase { true } else { false }
  }

  private func words(_ container: ContainerRun) throws(ContainerWords.Missing) -> ContainerWords {
    try ContainerWords(
      container.declared, pod: pod, address: runner.place.address,
      mounts: runner.place.volumes.mounts(of: container.declared, pod), find: runner.find)
  }

  private func line(_ words: [String]) -> [String] {
    guard let first = words.first else { return [runner.place.program] }
    let isOurs = first == "swiftwater" || first.hasSuffix("/swiftwater")
    return isOurs ? [runner.place.program] + words.dropFirst() : words
  }

  private func environment(_ words: ContainerWords) -> [String] {
    let own = words.environment.map { "\($0.name)=\($0.value)" }
    let names = Set(words.environment.map(\.name))
    let given = runner.place.environment + ["HOSTNAME=\(pod.name)", "HOME=\(runner.place.folder)"]
    return given.filter { !names.contains(String($0.prefix { $0 != "=" })) } + own
  }

  private func start(_ container: ContainerRun) {
    do {
      let words = try words(container)
      let command = line(words.command) + words.arguments
      try container.start(
        command, environment: environment(words), folder: runner.place.folder, log: runner.log(container.name),
        now: wallClockNow())
      runner.tell("Normal", "Started", "Started container \(container.name)")
    } catch let error as ContainerWords.Missing {
      container.phase = .waiting(reason: "CreateContainerConfigError", message: error.words)
      container.startAt = monotonicNow() + .seconds(1)
      runner.tell("Warning", "Failed", "Error: \(error.words)")
    } catch {
      container.phase = .waiting(reason: "RunContainerError", message: "\(error)")
      container.startAt = monotonicNow() + runner.place.backoff.longest
      runner.tell("Warning", "Failed", "Error: \(error)")
    }
  }

  private func probe(_ container: ContainerRun) {
    let now = monotonicNow()
    if !container.declared["readinessProbe"].isNull && now >= container.readiness.next {
      let probe = probe("readinessProbe", container)
      let failure = ask(probe, container, &container.readiness)
      if container.readiness.successes >= probe.successesMin { container.isReady = true }
      if let failure, container.readiness.failures >= probe.failuresMax || !container.isReady {
        if container.isReady { runner.tell("Warning", "Unhealthy", "Readiness probe failed: \(failure)") }
        container.isReady = false
      }
      // Until it is ready it is asked every second, so that nobody waits for a whole period.
      if !container.isReady { container.readiness.next = monotonicNow() + min(probe.period, .seconds(1)) }
    }
    guard !container.declared["livenessProbe"].isNull, now >= container.liveness.next, !container.isBeingKilled else {
      return
    }
    let probe = probe("livenessProbe", container)
    guard let failure = ask(probe, container, &container.liveness) else { return }
    runner.tell("Warning", "Unhealthy", "Liveness probe failed: \(failure)")
    if container.liveness.failures >= probe.failuresMax {
      container.isBeingKilled = true
      runner.tell("Normal", "Killing", "Container \(container.name) failed liveness probe, will be restarted")
      container.send(SIGTERM)
      let grace = pod["spec"]["terminationGracePeriodSeconds"].int64 ?? 30
      if container.wait(.seconds(grace)) == nil { container.send(SIGKILL) }
    }
  }

  private func probe(_ name: String, _ container: ContainerRun) -> Probe {
    Probe(declared: container.declared[name], container: container.declared, address: runner.place.address)
  }

  private func ask(_ probe: Probe, _ container: ContainerRun, _ state: inout ContainerRun.ProbeState) -> String? {
    let failure = probe.failure { words, patience in execute(words, in: container, patience) }
    state.next = monotonicNow() + probe.period
    if failure == nil {
      state.successes += 1
      state.failures = 0
    } else {
      state.failures += 1
      state.successes = 0
    }
    return failure
  }

  /// Runs a command beside a container; nil when it took too long.
  private func execute(_ command: [String], in container: ContainerRun, _ patience: TimeSpan) -> Child.Ending? {
    guard let words = try? words(container) else { return .exited(127) }
    let mounts = runner.place.volumes.mounts(of: container.declared, pod)
    let expanded = command.map {
      ContainerWords.relocated(ContainerWords.expanded($0, words.environment), mounts)
    }
    do {
      let child = try Child(
        line(expanded), environment: environment(words), folder: runner.place.folder, log: runner.log(container.name))
      return child.wait(patience)
    } catch { return .exited(127) }
  }

  /// When there is something to do without news; milliseconds from now.
  private func nextDue() -> Int64 {
    var due = Instant.never
    for container in containers {
      if container.isRunning {
        if !container.declared["readinessProbe"].isNull { due = min(due, container.readiness.next) }
        if !container.declared["livenessProbe"].isNull { due = min(due, container.liveness.next) }
      } else if !hasEnded(container) {
        // What misses an object hears of it by the bell.
        due = min(due, max(container.startAt, monotonicNow() + .milliseconds(isInitialized ? 1 : 200)))
        if case .waiting("CreateContainerConfigError", _) = container.phase { due = monotonicNow() + .seconds(1) }
      }
    }
    let longest: Int64 = 60_000
    return due == .never ? longest : max(1, min(longest, (due - monotonicNow()).milliseconds + 1))
  }

  /// preStop, SIGTERM, patience, SIGKILL; then the object goes.
  private mutating func terminate() {
    let grace = pod["metadata"]["deletionGracePeriodSeconds"].int64 ?? 30
    let deadline = monotonicNow() + .seconds(grace)
    for container in containers where container.isRunning {
      runner.tell("Normal", "Killing", "Stopping container \(container.name)")
      guard let words = container.declared["lifecycle"]["preStop"]["exec"]["command"].strings, runner.wanted != nil
      else {
        continue
      }
      let ending = execute(words, in: container, deadline - monotonicNow())
      if ending != .exited(0) {
        runner.tell("Warning", "FailedPreStopHook", "PreStopHook failed: \(ending.map { "\($0.code)" } ?? "timed out")")
      }
    }
    for container in initial + containers { container.send(SIGTERM) }
    while let container = (initial + containers).first(where: { $0.isRunning && $0.collect(now: wallClockNow()) == nil }
    ) {
      let left = (deadline - monotonicNow()).milliseconds
      if left <= 0 || runner.wanted == nil {
        for container in initial + containers { container.send(SIGKILL) }
        _ = container.wait(.seconds(10))
      } else {
        runner.wait(container.descriptor, milliseconds: left + 1)
      }
    }
    guard runner.wanted != nil else { return }
    publish()
    runner.remove()
  }

  private mutating func publish() {
    let status = PodStatus.of(
      pod, containers: containers, initial: initial, address: runner.place.address, start: startTime,
      isInitialized: isInitialized, now: wallClockNow(), previous: published.isNull ? pod["status"] : published)
    if status == published { return }
    published = status
    runner.publish(status)
  }
}
