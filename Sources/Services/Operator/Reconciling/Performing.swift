import EventLoop
import JSONValue
import KubernetesAPI
import KubernetesResources
import Reconciliation
import Synchronization
import Telemetry
import Vocabulary

/// Does what plans say.
///
/// Each member has a lane of its own, and the brokers have one: a step that fails ends its lane, and the others go on. A
/// step that is refused ends less: what does not build on it goes on, and so do statuses.
final class Performer: Sendable {
  /// We may not lead any more, so that nothing is written.
  struct NotLeading: Error, CustomStringConvertible { let description = "leadership is not certain any more" }
  /// A write whose result the caches have not shown yet. Planning without it would do the same again.
  private struct Pending: Hashable {
    let member: String
    let type: ResourceType
    let key: ObjectKey
    let before: String?
    let until: Instant
  }
  /// The version of what is gone.
  private static let deleted = ""
  /// A change that a cache has not shown after this time is not waited for.
  private static let pendingMax = TimeSpan.seconds(3)

  private let leadership: Leadership
  let log: Log
  private let identity: String
  private let writes: Counter
  let failures: Counter
  /// A broker that is asked what there is may hear of a change so much later than the one that made it.
  private static let hearsayMax = TimeSpan.milliseconds(400)
  private struct State {
    var pending: [WorkKey: [Pending]] = [:]
    /// Until when the brokers may not know yet what they were asked for.
    var hearsay: [WorkKey: Instant] = [:]
    var recorders: [String: (APIServer, EventRecorder)] = [:]
  }
  private let state = Mutex(State())
  let refused = Mutex<[WorkKey: RefusalMemory]>([:])
  /// When what was refused is tried again.
  let retries: WorkQueueCore<Step>.Pauses

  init(
    _ leadership: Leadership, identity: String, log: Log, metrics: MetricRegistry,
    retries: WorkQueueCore<Step>.Pauses = .init(first: .seconds(1))
  ) {
    self.leadership = leadership
    self.retries = retries
    self.identity = identity
    self.log = log
    writes = metrics.counter("operator_writes_total", help: "Writes to API servers and brokers that changed something.")
    failures = metrics.counter("operator_steps_failed_total", help: "Steps that came to nothing.")
  }

  /// Whether it would be of use to plan now.
  var mayWrite: Bool { leadership.isLeading }

  /// Whether the caches show everything that was written for a key.
  func hasSettled(_ key: WorkKey, _ sights: Sights) -> Bool {
    let now = monotonicNow()
    return state.withLock { state in
      let left = (state.pending[key] ?? []).filter { pending in
        guard now < pending.until, let informer = sights.doors[pending.member]?.caches?.informers[pending.type] else {
          return false
        }
        return informer.resourceVersion(of: pending.key) == pending.before
      }
      state.pending[key] = left.isEmpty ? nil : left
      if let until = state.hearsay[key], now < until { return false }
      state.hearsay[key] = nil
      return left.isEmpty
    }
  }

  /// Performs the steps.
  func perform(
    _ steps: [Step], for key: WorkKey, _ sights: Sights, ask: @escaping @Sendable (BrokerRequest) async throws -> Void
  ) async -> Performed {
    note(steps, plannedFor: key)
    var lanes: [String: [Step]] = [:]
    var (first, asked): ([BrokerRequest], [BrokerRequest]) = ([], [])
    var events: [Step] = []
    for step in steps {
      switch step {
      case .apply(_, let member), .delete(_, _, let member), .restart(_, _, _, let member),
        .tell(_, _, _, let member), .writeStatus(_, _, let member), .setFinalizers(_, _, let member):
        lanes[member, default: []].append(step)
      case .ask(let request) where request.comesFirst: first.append(request)
      case .ask(let request): asked.append(request)
      case .event: events.append(step)
      }
    }
    var performed = await walk(first, key, ask)
    performed = await withTaskGroup(of: Performed.self) { group in
      for (member, steps) in lanes {
        group.addTask { await self.walk(steps, member, key, sights) }
      }
      let requests = asked
      if !requests.isEmpty {
        group.addTask { await self.walk(requests, key, ask) }
      }
      return await group.reduce(performed) { $0.and($1) }
    }
    // What is told of steps would be told again each time that these are refused again.
    guard performed.didSomething || events.count == steps.count else { return performed }
    for case .event(let id, let severity, let reason, let message) in events {
      performed = performed.and(await tell(id, severity, reason, message, sights) ? .did : .failed)
    }
    return performed
  }

  private func walk(
    _ requests: [BrokerRequest], _ key: WorkKey, _ ask: @Sendable (BrokerRequest) async throws -> Void
  ) async -> Performed {
    var performed = Performed.nothing
    for whole in requests {
      let request = whole.keeping { !isHeld(.ask($0), key) }
      if request != whole { performed = performed.and(.refusedAgain) }
      guard let request else { continue }
      guard leadership.isLeading else { return performed.and(.failed) }
      do {
        defer { state.withLock { $0.hearsay[key] = monotonicNow() + Self.hearsayMax } }
        try await ask(request)
        forget(.ask(request), key)
        writes.add()
        performed = performed.and(.did)
        log.info("asked the brokers", ["for": Self.words(request)])
      } catch {
        // Another request may be about something else: one topic that is refused holds up no other.
        failures.add()
        let refusals = (error as? RequestFailure)?.words(of: request) ?? [:]
        for (part, words) in refusals { performed = performed.and(refuse(.ask(part), words, key)) }
        let isPassing = (error as? RequestFailure).map { $0.passing != nil } ?? true
        if isPassing { performed = performed.and(.failed) }
        // The others in it were done, unless some of them failed and it is not known which.
        if error is RequestFailure, !isPassing, let done = request.keeping({ refusals[$0] == nil }) {
          forget(.ask(done), key)
          performed = performed.and(.did)
        }
        log.warning("the brokers did not do what was asked", ["for": Self.words(request), "because": "\(error)"])
      }
    }
    return performed
  }

  private static func words(_ request: BrokerRequest) -> String {
    switch request {
    case .addVoter(let node): "voter \(node) to join"
    case .removeVoter(let node): "voter \(node) to leave"
    case .unregister(let node): "broker \(node) to be forgotten"
    case .setHandingOver(let isOn): isOn ? "handing over before a stop" : "stopping without handing over"
    case .reassign(let moves): "\(moves.count) partitions to move"
    case .createTopics(let topics): "\(topics.count) new topics"
    case .addPartitions(let topics): "more partitions of \(topics.count) topics"
    case .alterTopics(let topics): "settings of \(topics.count) topics"
    case .deleteTopics(let topics): "\(topics.count) topics to go"
    case .alterMirror(let one):
      "the mirror \(one.mirror) to have \(one.changes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " "))"
    }
  }

  /// How the steps of a lane came out, and whether it is over.
  private typealias Lane = (performed: Performed, isOver: Bool)
  /// So many topics are written at one time in each member: they have nothing to do with one another.
  private static let topicsAtOnce = 8

  private func walk(_ steps: [Step], _ member: String, _ key: WorkKey, _ sights: Sights) async -> Performed {
    guard let door = sights.doors[member] else { return .failed }
    guard case .topics = key else { return await take(steps, member, door, key).performed }
    var order: [ObjectID] = []
    var byObject: [ObjectID: [Step]] = [:]
    for step in steps {
      guard let id = step.object else { continue }
      if byObject[id] == nil { order.append(id) }
      byObject[id, default: []].append(step)
    }
    var parts = order.compactMap { byObject[$0] }.makeIterator()
    return await withTaskGroup(of: Lane.self) { group in
      for _ in 0..<Self.topicsAtOnce {
        guard let part = parts.next() else { break }
        group.addTask { await self.take(part, member, door, key) }
      }
      var performed = Performed.nothing
      for await lane in group {
        performed = performed.and(lane.performed)
        // Somebody else wrote one topic, or it was refused; that is no reason to let the others wait.
        guard !lane.isOver, let part = parts.next() else { continue }
        group.addTask { await self.take(part, member, door, key) }
      }
      return parts.next() == nil ? performed : performed.and(.failed)
    }
  }

  /// What was written a moment ago, and shows in no cache yet.
  private struct JustWritten {
    var objects: [ObjectID: JSON] = [:]
    /// Whose spec may be another one than that which the plan's status is about.
    var applied: Set<ObjectID> = []
  }

  private func take(_ steps: [Step], _ member: String, _ door: Door, _ key: WorkKey) async -> Lane {
    var justWritten = JustWritten()
    var blocked = Blocked()
    var performed = Performed.nothing
    for step in steps {
      guard !blocked.holdsUp(step) else {
        performed = performed.and(.refusedAgain)
        continue
      }
      let present = step.object.flatMap { door.caches?[$0] }
      guard !isHeld(step, key) else {
        performed = performed.and(.refusedAgain)
        blocked.add(step.dependants(present: present))
        continue
      }
      do {
        try await take(step, member, door, key, &justWritten)
        forget(step, key)
        performed = performed.and(.did)
      } catch let error as APIError where error.isConflict || (error.isNotFound && !step.makesAnew) {
        // Somebody was faster; the next plan knows what they did.
        log.debug("somebody else was faster", ["member": member, "because": error])
        return (performed.and(.failed), false)
      } catch is NotLeading {
        return (performed.and(.failed), true)
      } catch let error as APIError where error.isLasting {
        failures.add()
        log.warning("a step was refused", ["member": member, "because": "\(error)"])
        performed = performed.and(refuse(step, "\(error)", key))
        blocked.add(step.dependants(present: present))
      } catch {
        failures.add()
        log.warning("a step failed", ["member": member, "because": "\(error)"])
        return (performed.and(.failed), true)
      }
    }
    return (performed, false)
  }

  private func take(
    _ step: Step, _ member: String, _ door: Door, _ key: WorkKey, _ justWritten: inout JustWritten
  ) async throws {
    let mandate = leadership.mandate
    let now = monotonicNow()
    guard let until = mandate.until, now < until else { throw NotLeading() }
    // Nothing is waited for longer than we certainly lead.
    let before = justWritten
    justWritten = try await APIServer.withPatience(atMost: until - now) {
      var justWritten = before
      try await self.write(step, member, door, key, mandate.epoch, &justWritten)
      return justWritten
    }
  }

  /// Every write of an object that we have seen is fenced by the version and the uid that were seen: what another
  /// operator wrote meanwhile, whom we may not know of, makes it a conflict, and what it deleted stays deleted (an apply
  /// that names the version alone would make the object anew). What we have not seen and make may come late: it never
  /// overwrites what somebody has applied meanwhile, and whoever leads recognizes it and takes it away.
  private func write(
    _ step: Step, _ member: String, _ door: Door, _ key: WorkKey, _ epoch: Int64, _ justWritten: inout JustWritten
  ) async throws {
    switch step {
    case .apply(var object, _):
      guard let id = ObjectID(object), let type = Kinds.type(of: id.kind) else { return }
      let seen = door.caches?[id]
      try await refuseIfNewer(seen, epoch)
      object["metadata"]["annotations"][Leadership.epochMark] = .string("\(epoch)")
      object = Step.fenced(object, seen: seen)
      let answer = try await door.server.apply(type, object, manager: Marks.fieldManager, ownership: .taken)
      justWritten.applied.insert(id)
      wrote(member, door, type, id.key, key, answer["metadata"]["resourceVersion"].string, "applied \(id)")
    case .delete(let id, let uid, _), .restart(let id, let uid as String?, _, _):
      guard let type = Kinds.type(of: id.kind) else { return }
      try await refuseIfNewer(door.caches?[id], epoch)
      try await door.server.delete(type, id.key, uid: uid, resourceVersion: door.version(of: id))
      wrote(member, door, type, id.key, key, Self.deleted, "deleted \(id)")
    case .tell(let id, let uid, let words, _):
      let patch: JSON = ["metadata": ["uid": .string(uid), "annotations": [Marks.told: .string(words)]]]
      do throws(APIError) {
        let answer = try await door.server.mergePatch(Kinds.pods, id.key, patch)
        wrote(member, door, Kinds.pods, id.key, key, answer["metadata"]["resourceVersion"].string, "told \(id)")
      } catch {
        // It sees its configuration all the same, later.
        log.debug("a pod was not told", ["pod": id, "because": "\(error)"])
      }
    case .writeStatus(let id, let status, _):
      // The next plan knows the generation that this status would have to name.
      guard !justWritten.applied.contains(id), let type = Kinds.type(of: id.kind),
        var object = justWritten.objects[id] ?? door.caches?[id]
      else { return }
      try await refuseIfNewer(object, epoch)
      object["status"] = status
      let answer = try await door.server.update(type, object, .status)
      wrote(member, door, type, id.key, key, answer["metadata"]["resourceVersion"].string, "wrote the status of \(id)")
    case .setFinalizers(let id, let finalizers, _):
      guard let type = Kinds.type(of: id.kind), let object = door.caches?[id] else { return }
      try await refuseIfNewer(object, epoch)
      let patch: JSON = [
        "metadata": ["finalizers": JSON(finalizers), "resourceVersion": object["metadata"]["resourceVersion"]]
      ]
      let answer = try await door.server.mergePatch(type, id.key, patch)
      justWritten.objects[id] = answer.trimmed
      wrote(member, door, type, id.key, key, answer["metadata"]["resourceVersion"].string, "set finalizers of \(id)")
    case .event, .ask: break
    }
  }

  private func refuseIfNewer(_ object: JSON?, _ epoch: Int64) async throws {
    guard let text = object?["metadata"]["annotations"][Leadership.epochMark].string, let other = Int64(text),
      other > epoch
    else { return }
    await leadership.saw(epoch: other)
    throw NotLeading()
  }

  private func wrote(
    _ member: String, _ door: Door, _ type: ResourceType, _ key: ObjectKey, _ work: WorkKey, _ version: String?,
    _ words: String
  ) {
    let before = door.caches?.informers[type]?.resourceVersion(of: key)
    // Nothing changed, or the cache was faster than the answer.
    guard before != version else { return }
    writes.add()
    log.info(words, ["member": member])
    // It was deleted, and the cache has shown that already: nothing more will come.
    if before == nil, version == Self.deleted { return }
    let pending = Pending(
      member: member, type: type, key: key, before: before, until: monotonicNow() + Self.pendingMax)
    state.withLock { $0.pending[work, default: []].append(pending) }
  }

  /// Tells people about an object, beside the original where that can be seen.
  private func tell(
    _ id: ObjectID, _ severity: Step.Severity, _ reason: String, _ message: String, _ sights: Sights
  ) async -> Bool {
    guard leadership.isLeading else { return false }
    let holders = sights.doors.keys.sorted().compactMap { member -> (String, Door, JSON)? in
      guard let door = sights.doors[member], sights.sights[member] == .seen, let object = door.caches?[id] else {
        return nil
      }
      return (member, door, object)
    }
    guard
      let (member, door, object) = holders.first(where: { $0.2["metadata"]["labels"][Marks.origin].isNull })
        ?? holders.first
    else { return true }
    let recorder = state.withLock { state in
      if let (server, recorder) = state.recorders[member], server === door.server { return recorder }
      let recorder = EventRecorder(door.server, component: Marks.fieldManager, instance: identity)
      state.recorders[member] = (door.server, recorder)
      return recorder
    }
    log.info(message, ["about": id, "reason": reason])
    if let error = await recorder.tell(severity == .normal ? .normal : .warning, reason, message, about: object) {
      log.debug("an Event was not written", ["because": error])
    }
    return true
  }
}
