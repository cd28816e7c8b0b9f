import Vocabulary

/// One HTTP request, ready to be sent.
struct TransferRequest: Sendable {
  var method: String
  var url: String
  /// `Name: value` each.
  var headers: [String] = []
  var body: [UInt8]?
  /// When it is given up, whatever it waits for.
  var deadline: Instant
  /// A longer answer, or a longer part of a stream without a newline, is given up.
  var bytesMax = 256 << 20
  var security = TransferSecurity()
  /// Nil: what the environment says (`https_proxy`, `no_proxy`).
  var proxy: String?
  /// Whether libcurl may send it a second time, when a connection that was kept turns out to be closed.
  var isRepeatable = true
  /// A watch, which lasts: it does not count among the requests that may run at once.
  var isStream = false
}

/// How a connection is made secure. Requests with different values never share a connection.
struct TransferSecurity: Sendable, Hashable {
  /// PEM; nil: the system's own authorities.
  var authorities: [UInt8]?
  /// PEM, both or none.
  var certificate: [UInt8]?
  var key: [UInt8]?
  var isVerified = true
  /// The name in the server's certificate, when it is not the one of the address.
  var serverName: String?
}

struct TransferHead: Sendable {
  let status: Int
  /// Names are in lower case.
  let headers: [String: String]
}

struct TransferAnswer: Sendable {
  let head: TransferHead
  let body: [UInt8]
}

/// Why no answer came, or not all of it.
enum TransferFailure: Error, Hashable, Sendable {
  /// Nothing could be sent: no name, no connection, no trust. In libcurl's words.
  case notConnected(String)
  /// The connection ended; the request may have been carried out.
  case cut(String)
  case timedOut
  case tooLarge
  case cancelled
}

/// Who is told; always on the client's own thread, which must not be kept waiting.
enum TransferSink: Sendable {
  case whole(@Sendable (Result<TransferAnswer, TransferFailure>) -> Void)
  /// The head once, bytes as they come, and the end, which is always told.
  case parts(
    head: @Sendable (TransferHead) -> Void, bytes: @Sendable ([UInt8]) -> Void,
    end: @Sendable (TransferFailure?) -> Void)
}
