import EventLoop
import KafkaProtocol
import Vocabulary

/// Who asked, and how: everything a handler may want to know besides the request itself.
struct RequestContext: Sendable {
  let key: APIKey
  let version: Int16
  let correlationID: Int32
  let clientID: String?
  /// The listener that the client came in by: it is told the addresses of the same one.
  let listener: String
  /// As Kafka shows it in group descriptions: `/127.0.0.1`.
  let clientHost: String
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
    reply.send(Outgoing(bytes: response.frame(version: context.version, correlationID: context.correlationID).bytes))
  }

  /// Records go from their files straight to the socket, in the order of the response's records fields.
  func answer(_ response: Request.Response, records: [RecordsOnDisk]) {
    let frame = response.frame(version: context.version, correlationID: context.correlationID)
    reply.send(Outgoing(frame, splicing: records))
  }

  /// For acks=0 alone: the protocol has no answer.
  func answerNothing() { reply.sendNothing() }

  /// For what Kafka answers by closing the connection.
  func close(because reason: String) { reply.close(because: reason) }
}
