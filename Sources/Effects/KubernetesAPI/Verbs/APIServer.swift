import EventLoop
import JSONValue
import Synchronization
public import Telemetry
public import Vocabulary

/// The client of one API server: its connections, its thread, its credentials, its deadlines.
///
/// Functions are `async`, because the operator is no hot path and what it does is a sequence of requests that may
/// each take long; a test reads the same way. Nothing is shared between two of these objects, so a server that is slow
/// or dead delays nobody but its own callers. An error says what was asked of whom.
public final class APIServer: Sendable {
  public struct Settings: Sendable {
    /// For a request with all its attempts; a watch has its own.
    public var patience = TimeSpan.seconds(15)
    public var retry = RetryPolicy()
    /// Objects in one answer of a list.
    public var pageSize = 500
    /// Larger answers are given up.
    public var answerMax = ByteCount.mebibytes(64)
    public init() {}
  }

  /// When the server was last heard, and what has gone wrong since.
  public struct Contact: Sendable, Hashable {
    /// Any answer, refusals too.
    public var lastAnswer: Instant?
    /// Since when nothing but failures came; nil while it answers.
    public var failingSince: Instant?
    public var failure: String?
  }

  /// For messages and metrics, such as the Region's name.
  public let name: String
  public let target: ServerTarget
  public let settings: Settings
  let credentials: Credentials
  let thread: CurlThread
  private let contactState = Mutex(Contact())
  private let registry: MetricRegistry?

  /// Makes the thread and nothing else: the server need not be there. Fails when the process has no descriptor or
  /// thread left.
  public init(
    name: String, target: ServerTarget, settings: Settings = Settings(), metrics: MetricRegistry? = nil
  ) throws(APIError) {
    self.name = name
    self.target = target
    self.settings = settings
    credentials = Credentials(target)
    registry = metrics
    do { thread = try CurlThread(name: "api-\(name)") } catch {
      throw APIError(server: name, operation: "start the client", cause: .notConnected("\(error)"))
    }
  }

  /// Ends every request and watch; further ones fail as cancelled.
  public func close() { thread.stop() }

  public var contact: Contact { contactState.withLock { $0 } }

  /// One request as it is meant, before it is one of HTTP.
  struct Call: Sendable {
    var verb: String
    var method: String
    var path: String
    var query: [(String, String)] = []
    var body: JSON?
    var contentType = "application/json"
    var safety = RetryPolicy.Safety.repeatable
    /// For messages: `get pods a/b`.
    var operation: String
  }

  /// Shortens the patience of the requests of a task, for what has a deadline of its own.
  @TaskLocal static var patienceMax: TimeSpan?

  /// Runs `body`, in which no request takes longer than this with all its attempts.
  public static func withPatience<Result: Sendable>(
    atMost patience: TimeSpan, _ body: () async throws -> Result
  ) async rethrows -> Result {
    try await $patienceMax.withValue(patience) { try await body() }
  }

  /// Sends a request until it is answered, refused for good, or out of time.
  func perform(_ call: Call) async throws(APIError) -> JSON {
    let deadline = monotonicNow() + min(settings.patience, Self.patienceMax ?? settings.patience)
    var attempt = 1
    var hasAskedAgain = false
    while true {
      let cause: APIError.Cause
      switch await once(call, deadline) {
      case .success(let value): return value
      case .failure(let failure): cause = failure
      }
      // The token may have been renewed since it was read.
      if case .refused(let status) = cause, status.code == 401, !hasAskedAgain {
        hasAskedAgain = true
        await credentials.forget()
        continue
      }
      let chance = Double.random(in: 0..<1)
      guard
        let pause = settings.retry.pause(after: cause, attempt: attempt, safety: call.safety, chance: chance),
        monotonicNow() + pause < deadline
      else { throw APIError(server: name, operation: call.operation, cause: cause) }
      attempt += 1
      do { try await Task.sleep(nanoseconds: UInt64(pause.nanoseconds)) } catch {
        throw APIError(server: name, operation: call.operation, cause: .cancelled)
      }
    }
  }

  private func once(_ call: Call, _ deadline: Instant) async -> Result<JSON, APIError.Cause> {
    let began = monotonicNow()
    let request: TransferRequest
    switch await prepared(call, deadline) {
    case .success(let ready): request = ready
    case .failure(let cause): return .failure(cause)
    }
    let result: Result<TransferAnswer, TransferFailure> = await exchange(request)
    switch result {
    case .failure(let failure):
      count(call.verb, "none", since: began)
      note(failure: failure.cause)
      return .failure(failure.cause)
    case .success(let answer):
      count(call.verb, String(answer.head.status), since: began)
      guard (200..<300).contains(answer.head.status) else {
        let refusal = StatusError(head: answer.head, body: answer.body)
        note(failure: refusal.code >= 500 ? .refused(refusal) : nil)
        return .failure(.refused(refusal))
      }
      do {
        let value = try JSON(parsing: answer.body)
        note(failure: nil)
        return .success(value)
      } catch {
        note(failure: .malformed("\(error)"))
        return .failure(.malformed("\(error)"))
      }
    }
  }

  func prepared(_ call: Call, _ deadline: Instant) async -> Result<TransferRequest, APIError.Cause> {
    let access: Access
    do { access = try await credentials.current() } catch {
      note(failure: .credentials("\(error)"))
      return .failure(.credentials("\(error)"))
    }
    let query = call.query.map { "\(escaped($0.0))=\(escaped($0.1))" }.joined(separator: "&")
    var request = TransferRequest(
      method: call.method, url: target.url + call.path + (query.isEmpty ? "" : "?" + query), deadline: deadline)
    request.headers = ["Accept: application/json"]
    if let token = access.token { request.headers.append("Authorization: Bearer \(token)") }
    if let body = call.body {
      request.body = body.bytes()
      request.headers.append("Content-Type: \(call.contentType)")
    }
    request.isRepeatable = call.safety == .repeatable
    request.security = access.security
    request.proxy = target.proxy
    request.bytesMax = settings.answerMax.value
    return .success(request)
  }

  private func exchange(_ request: TransferRequest) async -> Result<TransferAnswer, TransferFailure> {
    let ticket = Mutex<(id: UInt64?, isCancelled: Bool)>((nil, false))
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let id = thread.start(request, .whole { continuation.resume(returning: $0) })
        let isCancelled = ticket.withLock { ticket in
          ticket.id = id
          return ticket.isCancelled
        }
        if isCancelled { thread.cancel(id) }
      }
    } onCancel: {
      let id = ticket.withLock { ticket in
        ticket.isCancelled = true
        return ticket.id
      }
      if let id { thread.cancel(id) }
    }
  }

  /// Remembers whether the server is there. A refusal shows that it is.
  func note(failure cause: APIError.Cause?) {
    if cause == .cancelled { return }
    let now = monotonicNow()
    contactState.withLock { contact in
      guard let cause else {
        contact = Contact(lastAnswer: now)
        return
      }
      if contact.failingSince == nil { contact.failingSince = now }
      contact.failure = APIError(server: name, operation: "talk to the API server", cause: cause).description
    }
  }

  func count(_ verb: String, _ code: String, since began: Instant) {
    guard let registry else { return }
    registry.counter(
      "kubernetes_requests_total", help: "Requests to API servers, by verb and HTTP status.",
      labels: ["server": name, "verb": verb, "code": code]
    ).add()
    registry.histogram(
      "kubernetes_request_seconds", help: "Time until the answer of an API server.",
      labels: ["server": name, "verb": verb], bounds: [0.005, 0.025, 0.1, 0.5, 1, 5, 15]
    ).observe(Double((monotonicNow() - began).nanoseconds) / 1e9)
  }
}
