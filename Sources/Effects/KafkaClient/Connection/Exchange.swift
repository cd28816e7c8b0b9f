import KafkaProtocol
import Vocabulary

/// One request, and whoever waits for its answer. It is encoded when the versions of the broker are known.
struct Exchange: Sendable {
  enum Answering: Sendable {
    case awaited
    /// Produce with acks=0: it is done as soon as it is sent.
    case none
  }
  let key: APIKey
  /// What the sender can put the request in.
  let versions: ClosedRange<Int16>
  let answering: Answering
  /// How long the answer may take.
  let span: TimeSpan
  /// When it must be there.
  let deadline: Instant
  let payload: @Sendable (_ version: Int16, _ correlationID: Int32) -> [UInt8]
  /// Called exactly once.
  let finish: @Sendable (Result<Answer, ClientError>) -> Void
}

/// The frame that answers a request, without its size; empty where none is awaited.
struct Answer: Sendable {
  let frame: [UInt8]
  let version: Int16
}
