import EventLoop
import KafkaProtocol
import Vocabulary
import Wire

/// What the broker answers: an API, the versions that are served, and the function that serves them.
///
/// Clients switch their behaviour on the mere presence of a key, so that a key stands here only when it works.
struct Route: Sendable {
  let key: APIKey
  let served: ClosedRange<Int16>
  /// What ApiVersions says. Kafka advertises Produce from 0 although it closes such requests, because librdkafka
  /// before 2.8 turns compression off when 0 is missing (KAFKA-18659).
  let advertised: ClosedRange<Int16>
  let order: Concurrency
  let handle:
    @Sendable (Broker, UnsafeMutableRawBufferPointer, RequestContext, Reply) throws(WireError) -> Void

  /// Whether later requests of the same connection may start before this one is answered.
  enum Concurrency: Sendable { case concurrent, exclusive }

  static func route<Request: RequestBody>(
    _: Request.Type, _ versions: ClosedRange<Int16>, advertisedFrom first: Int16? = nil,
    order: Concurrency = .exclusive, _ handler: @escaping @Sendable (Broker) -> @Sendable (Call<Request>) -> Void
  ) -> Route {
    route(Request.self, versions, advertisedFrom: first, order: order) { broker, call, _ in handler(broker)(call) }
  }

  /// For the handler that needs the frame's bytes as well; they are valid only while it runs.
  static func route<Request: RequestBody>(
    _: Request.Type, _ versions: ClosedRange<Int16>, advertisedFrom first: Int16? = nil,
    order: Concurrency = .exclusive,
    withBody handler: @escaping @Sendable (Broker, Call<Request>, UnsafeMutableRawBufferPointer) -> Void
  ) -> Route {
    Route(
      key: Request.key, served: versions, advertised: (first ?? versions.lowerBound)...versions.upperBound,
      order: order
    ) { broker, body, context, reply throws(WireError) in
      let request = try Request.decode(UnsafeRawBufferPointer(body), version: context.version)
      handler(broker, Call(request: request, context: context, reply: reply), body)
    }
  }

  private static func route<Request: RequestBody>(
    _ type: Request.Type, _ versions: ClosedRange<Int16>, advertisedFrom first: Int16?, order: Concurrency,
    _ handler: @escaping @Sendable (Broker, Call<Request>, UnsafeMutableRawBufferPointer) -> Void
  ) -> Route {
    route(type, versions, advertisedFrom: first, order: order, withBody: handler)
  }
}
