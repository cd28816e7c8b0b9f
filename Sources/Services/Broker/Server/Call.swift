import EventLoop
import KafkaProtocol
import LogStorage
import Vocabulary

/// Who asked, and how: everything a handler may want to know besides the request itself.
struct RequestContext: Sendable {
  let version: Int16
  let correlationID: Int32
  let clientID: String?
  /// Nil for what this process asks itself.
  let connection: ConnectionInfo?
  /// Where whoever waits for something has its timers: the connection's own loop.
  let loop: EventLoop

  /// The listener that the client came in by: it is told the addresses of the same one.
  var listener: String { connection?.listener ?? "" }
  /// As Kafka shows it in group descriptions: `/127.0.0.1`.
  var clientHost: String { connection.map { "/\($0.peer.host)" } ?? "/" }

  /// Of a request that this process makes.
  static func own(version: Int16, on loop: EventLoop) -> RequestContext {
    RequestContext(version: version, correlationID: 0, clientID: nil, connection: nil, loop: loop)
  }
}

/// Where an answer goes.
enum AnswerPath: Sendable {
  case connection(Reply)
  /// Of a request that came inside another one, or from this process: its bytes, without their length; nil when there
  /// is none, with the reason.
  case captured(@Sendable (Result<[UInt8], AnswerMissing>) -> Void)

  func send(_ outgoing: @autoclosure () -> Outgoing, bytes: @autoclosure () -> [UInt8]) {
    switch self {
    case .connection(let reply): reply.send(outgoing())
    case .captured(let take): take(.success(bytes()))
    }
  }

  func close(because reason: String) {
    switch self {
    case .connection(let reply): reply.close(because: reason)
    case .captured(let take): take(.failure(AnswerMissing(reason: reason)))
    }
  }
}

/// What Kafka answers by closing the connection.
struct AnswerMissing: Error, Sendable, CustomStringConvertible {
  let reason: String
  var description: String { reason }
}

/// One request that waits for its answer. The answer is given once, now or later, from any thread.
struct Call<Request: RequestBody>: Sendable {
  let request: Request
  let context: RequestContext
  private let way: Way

  private enum Way: Sendable {
    case bytes(AnswerPath)
    /// Whoever asked is in this process and takes the answer as it is.
    case here(@Sendable (Result<Request.Response, AnswerMissing>) -> Void)
  }

  init(request: Request, context: RequestContext, path: AnswerPath) {
    self.request = request
    self.context = context
    way = .bytes(path)
  }

  init(
    request: Request, context: RequestContext,
    here take: @escaping @Sendable (Result<Request.Response, AnswerMissing>) -> Void
  ) {
    self.request = request
    self.context = context
    way = .here(take)
  }

  func answer(_ response: Request.Response) {
    switch way {
    case .bytes(let path):
      let bytes = response.payload(version: context.version, correlationID: context.correlationID).bytes
      path.send(Outgoing(bytes), bytes: bytes)
    case .here(let take): take(.success(response))
    }
  }

  /// And closes the connection behind the answer, where there is one.
  func answer(_ response: Request.Response, andCloseBecause reason: String) {
    guard case .bytes(.connection(let reply)) = way else { return answer(response) }
    let bytes = response.payload(version: context.version, correlationID: context.correlationID).bytes
    reply.send(Outgoing(bytes), andCloseBecause: reason)
  }

  /// Records go from their files straight to the socket, in the order of the response's records fields.
  func answer(_ response: Request.Response, records: [LogSlice]) {
    guard case .bytes(.connection(let reply)) = way, !records.isEmpty else { return answer(response) }
    let message = response.payload(version: context.version, correlationID: context.correlationID)
    reply.send(Outgoing(parts: spliced(message, records)))
  }

  private func spliced(_ message: EncodedMessage, _ records: [LogSlice]) -> [OutgoingPart] {
    precondition(message.splices.count == records.count, "a response has another number of records than it was given")
    var parts: [OutgoingPart] = []
    var start = 0
    for (splice, slice) in zip(message.splices, records) {
      parts.append(.bytes(Array(message.bytes[start..<splice.position])))
      parts.append(.file(SegmentBytes(slice.file), position: slice.position, count: slice.count))
      start = splice.position
    }
    parts.append(.bytes(Array(message.bytes[start...])))
    return parts
  }

  /// For acks=0 alone: the protocol has no answer.
  func answerNothing() {
    switch way {
    case .bytes(.connection(let reply)): reply.sendNothing()
    case .bytes(.captured), .here: close(because: "a request without an answer came inside another one")
    }
  }

  /// For what Kafka answers by closing the connection.
  func close(because reason: String) {
    switch way {
    case .bytes(let path): path.close(because: reason)
    case .here(let take): take(.failure(AnswerMissing(reason: reason)))
    }
  }
}

/// A segment's file as the event loop sends it.
private final class SegmentBytes: SendableFile {
  private let file: any DiskFile
  init(_ file: any DiskFile) { self.file = file }
  var descriptor: Int32 { file.descriptor }
  func bytes(at position: Int64, count: Int) -> [UInt8]? { try? file.bytes(at: position, count: count) }
}
