/// What a peer is told when what it asked for is not done: Kafka's code, and a sentence that names the thing,
/// the value and what would be right.
public struct Refusal: Error, Hashable, Sendable {
  public let code: ErrorCode
  public let message: String
  public init(_ code: ErrorCode, _ message: String) {
    self.code = code
    self.message = message
  }
}
