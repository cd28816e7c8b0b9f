import EventLoop
public import JSONValue
import Synchronization
public import Vocabulary

/// What a watch reports.
public enum WatchEvent: Sendable, Hashable {
  /// The server has accepted the watch; that can be long before the first event.
  case opened
  case added(JSON)
  case modified(JSON)
  /// With the object's last state.
  case deleted(JSON)
  /// Nothing happened up to this resource version.
  case bookmark(String)
}

/// The events of one watch, in their order. One task takes them.
public final class Watch: Sendable {
  enum Limits {
    /// Events that came and were not taken. With more the watch ends with `fellBehind`, and whoever wants to go on
    /// begins where it was: that is cheaper than memory without a bound.
    static let backlogMax = 20_000
    /// One event. API servers hold objects of at most 3 MB.
    static let eventMax = 16 << 20
  }
  private struct State {
    var events: [WatchEvent] = []
    var taken = 0
    var isEnded = false
    var failure: APIError.Cause?
    var waiting: CheckedContinuation<Void, Never>?
    var rest: [UInt8] = []
    var refusal: TransferHead?
    var ticket: UInt64?
    var isCancelled = false
  }
  private let state = Mutex(State())
  private let server: String
  private let operation: String
  private let thread: CurlThread

  init(server: String, operation: String, thread: CurlThread) {
    self.server = server
    self.operation = operation
    self.thread = thread
  }
  deinit { if let ticket = state.withLock({ $0.ticket }) { thread.cancel(ticket) } }

  /// The next event; nil when the server has ended the watch in good order, as it does from time to time. Throws what
  /// ended it otherwise: `isExpired` means that one has to list again.
  public func next() async throws(APIError) -> WatchEvent? {
    while true {
      let (event, isEnded, failure) = state.withLock { state -> (WatchEvent?, Bool, APIError.Cause?) in
        if state.taken < state.events.count {
          defer { state.taken += 1 }
          return (state.events[state.taken], false, nil)
        }
        state.events.removeAll(keepingCapacity: state.taken < 1000)
        state.taken = 0
        return (nil, state.isEnded, state.failure)
      }
      if let event { return event }
      if let failure { throw APIError(server: server, operation: operation, cause: failure) }
      if isEnded { return nil }
      await wait()
    }
  }

  /// Ends the watch; `next` throws that it was cancelled.
  public func cancel() {
    let ticket = state.withLock { state in
      state.isCancelled = true
      return state.ticket
    }
    if let ticket { thread.cancel(ticket) }
  }

  private func wait() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state in
          precondition(state.waiting == nil, "two tasks take the events of one watch")
          if state.taken < state.events.count || state.isEnded { return true }
          state.waiting = continuation
          return false
        }
        if isReady { continuation.resume() }
      }
    } onCancel: {
      cancel()
    }
  }

  /// Changes the state and wakes who waits for it, outside of the lock.
  private func change(_ body: (inout State) -> Void) {
    let waiting = state.withLock { state in
      body(&state)
      guard state.taken < state.events.count || state.isEnded else { return nil as CheckedContinuation<Void, Never>? }
      defer { state.waiting = nil }
      return state.waiting
    }
    waiting?.resume()
  }

  func start(_ request: TransferRequest, heard: @escaping @Sendable (APIError.Cause?) -> Void) {
    // The thread must not keep the watch: when nobody takes its events any more, it ends.
    weak let watch = self
    let ticket = thread.start(
      request,
      .parts(
        head: { head in
          heard(nil)
          watch?.received(head)
        }, bytes: { watch?.received($0) },
        end: { failure in
          if let cause = watch?.ended(failure) { heard(cause) }
        }))
    let isCancelled = state.withLock { state in
      state.ticket = ticket
      return state.isCancelled
    }
    if isCancelled { thread.cancel(ticket) }
  }

  func fail(_ cause: APIError.Cause) {
    change { state in
      if !state.isEnded {
        state.isEnded = true
        state.failure = cause
      }
    }
  }

  private func received(_ head: TransferHead) {
    change { state in
      if head.status == 200 { state.events.append(.opened) } else { state.refusal = head }
    }
  }

  private func received(_ bytes: [UInt8]) {
    change { state in
      if state.isEnded { return }
      state.rest += bytes
      if state.refusal != nil {
        // The body of a refusal; its beginning is enough.
        if state.rest.count > 1 << 20 { state.rest.removeLast(state.rest.count - 1 << 20) }
        return
      }
      // Only what is new can hold the end of a line.
      var start = 0
      var place = state.rest.count - bytes.count
      while place < state.rest.count {
        if state.rest[place] == 0x0A {
          if let cause = Self.read(Array(state.rest[start..<place]), into: &state.events) {
            state.isEnded = true
            state.failure = cause
            return
          }
          start = place + 1
        }
        place += 1
      }
      state.rest.removeFirst(start)
      if state.rest.count > Limits.eventMax || state.events.count - state.taken > Limits.backlogMax {
        state.failure = state.rest.count > Limits.eventMax ? .tooLarge : .fellBehind
        state.isEnded = true
      }
    }
    if let ticket = state.withLock({ $0.isEnded ? $0.ticket : nil }) { thread.cancel(ticket) }
  }

  /// Reads one line. What ends the watch is returned.
  private static func read(_ line: [UInt8], into events: inout [WatchEvent]) -> APIError.Cause? {
    if line.allSatisfy({ $0 <= 0x20 }) { return nil }
    let value: JSON
    do { value = try JSON(parsing: line) } catch { return .malformed("an event is no JSON: \(error)") }
    let object = value["object"]
    switch value["type"].string {
    case "ADDED": events.append(.added(object))
    case "MODIFIED": events.append(.modified(object))
    case "DELETED": events.append(.deleted(object))
    case "BOOKMARK":
      guard let version = object["metadata"]["resourceVersion"].string else {
        return .malformed("a bookmark has no resource version")
      }
      events.append(.bookmark(version))
    case "ERROR": return .refused(StatusError(status: object, code: 500))
    default: return .malformed("an event has the type \(value["type"].text())")
    }
    return nil
  }

  /// Returns what went wrong, if that was not ourselves.
  private func ended(_ failure: TransferFailure?) -> APIError.Cause? {
    var cause: APIError.Cause?
    change { state in
      if state.isEnded { return }
      state.isEnded = true
      if let head = state.refusal, failure == nil {
        state.failure = .refused(StatusError(head: head, body: state.rest))
      } else {
        state.failure = failure?.cause
      }
      cause = state.failure
    }
    return cause == .cancelled ? nil : cause
  }
}

extension APIServer {
  /// Watches what changes after a resource version, that of a listing or of a bookmark. The server ends the watch after
  /// about `lasting`; when nothing has come for longer than that, the connection is dead and the watch fails.
  public func watch(
    _ type: ResourceType, _ selection: Selection = Selection(), from resourceVersion: String,
    lasting: TimeSpan = .seconds(290)
  ) async -> Watch {
    var call = Call(
      verb: "watch", method: "GET", path: type.path(in: selection.namespace),
      operation: "watch \(type.name) \(selection.words)")
    call.query =
      selection.query + [
        ("watch", "true"), ("allowWatchBookmarks", "true"), ("resourceVersion", resourceVersion),
        ("timeoutSeconds", String(max(1, lasting.milliseconds / 1000))),
      ]
    let watch = Watch(server: name, operation: call.operation, thread: thread)
    switch await prepared(call, monotonicNow() + lasting + .seconds(15)) {
    case .failure(let cause): watch.fail(cause)
    case .success(var request):
      request.isStream = true
      let began = monotonicNow()
      watch.start(request) { [weak self] cause in
        guard let self else { return }
        if cause == nil { self.count("watch", "200", since: began) }
        if case .refused(let refusal)? = cause {
          self.note(failure: refusal.code >= 500 ? cause : nil)
          if refusal.code == 401 { Task { await self.credentials.forget() } }
        } else {
          self.note(failure: cause)
        }
      }
    }
    return watch
  }
}
