/// Why a request to an API server came to nothing, with what was asked of whom: one sentence for a condition.
public struct APIError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Cause: Error, Hashable, Sendable {
    /// The server answered, and refused.
    case refused(StatusError)
    /// Nothing could be sent. What the server's state is, is unknown.
    case notConnected(String)
    /// The connection ended before the answer: the request may have been carried out or not.
    case cut(String)
    /// No answer in time: the request may have been carried out or not.
    case timedOut
    /// The answer is not what an API server says.
    case malformed(String)
    /// We could not find out how to show who we are.
    case credentials(String)
    /// Events came faster than they were taken.
    case fellBehind
    case tooLarge
    /// The task was cancelled or the client closed.
    case cancelled
  }
  /// The name that the server was given here.
  public let server: String
  /// Such as `list kafkatopics.kafka.swiftwater.dev in every namespace`.
  public let operation: String
  public let cause: Cause

  public init(server: String, operation: String, cause: Cause) {
    self.server = server
    self.operation = operation
    self.cause = cause
  }

  public var status: StatusError? { if case .refused(let status) = cause { status } else { nil } }
  public var isNotFound: Bool { status?.isNotFound == true }
  public var isConflict: Bool { status?.isConflict == true }
  public var isAlreadyExists: Bool { status?.isAlreadyExists == true }
  public var isExpired: Bool { status?.isExpired == true }
  public var isForbidden: Bool { status?.code == 403 }
  public var isCancelled: Bool { cause == .cancelled }
  /// Nothing that the server decided: its state is unknown, and nothing follows from that.
  public var isUnreachable: Bool {
    switch cause {
    case .notConnected, .cut, .timedOut, .malformed, .credentials, .fellBehind, .tooLarge: true
    case .refused(let status): status.code >= 500 || status.code == 429
    case .cancelled: false
    }
  }

  public var description: String {
    let words =
      switch cause {
      case .refused(let status) where status.code == 401:
        "\(status.description); the token or the client certificate of its kubeconfig is not known there, or has expired"
      case .refused(let status): status.description
      case .notConnected(let why): "no connection: \(why)"
      case .cut(let why): "the connection ended: \(why)"
      case .timedOut: "no answer in time"
      case .malformed(let why): "the answer cannot be understood: \(why)"
      case .credentials(let why): why
      case .fellBehind: "more events came than were taken"
      case .tooLarge: "the answer is too large"
      case .cancelled: "it was cancelled"
      }
    let may = isForbidden ? "may not" : "could not"
    return "\(server): \(may) \(operation): \(words)"
  }
}

extension TransferFailure {
  var cause: APIError.Cause {
    switch self {
    case .notConnected(let why): .notConnected(why)
    case .cut(let why): .cut(why)
    case .timedOut: .timedOut
    case .tooLarge: .tooLarge
    case .cancelled: .cancelled
    }
  }
}
