import EventLoop
import KafkaProtocol
import LogStorage
import Vocabulary

/// Who asked, and how: everything a handler may want to know besides the request itself.
struct RequestContext: Sendable {
  let version: Int16
  let correlationID: Int32
  let clientID: String?
  let connection: ConnectionInfo

  /// The listener that the client came in by: it is told the addresses of the same one.
  var listener: String { connection.listener }
  /// As Kafka shows it in group descriptions: `/127.0.0.1`.
  var clientHost: String { "/\(connection.peer.host)" }
}

/// One request that waits for its answer. The answer is given once, now or later, from any thread.
struct Call<Request: RequestBody>: Sendable {
  let request: Request
  let context: RequestContext
  private let reply: Reply

  init(request: Request, context: RequestContext, reply: Reply) {
    self.request = request
    self.context = context
    self.reply = reply
  }

  func answer(_ response: Request.Response) {
    reply.send(Outgoing(response.payload(version: context.version, correlationID: context.correlationID).bytes))
  }

  /// Records go from their files straight to the socket, in the order of the response's records fields.
  func answer(_ response: Request.Response, records: [LogSlice]) {
    let message = response.payload(version: context.version, correlationID: context.correlationID)
    reply.send(records.isEmpty ? Outgoing(message.bytes) : Outgoing(parts: spliced(message, records)))
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
  func answerNothing() { reply.sendNothing() }

  /// For what Kafka answers by closing the connection.
  func close(because reason: String) { reply.close(because: reason) }
}

/// A segment's file as the event loop sends it.
private final class SegmentBytes: SendableFile {
  private let file: any DiskFile
  init(_ file: any DiskFile) { self.file = file }
  var descriptor: Int32 { file.descriptor }
}
