import ClusterMetadata
import EventLoop
import KafkaProtocol
import Vocabulary

// How handlers reach the controller of this process, and what this broker asks the controller wherever it is.

extension Broker {
  /// Whether a request that the active controller must fulfil is passed on. On a listener for controllers it is not: who
  /// asks there looks for the active one itself.
  func forwards(from connection: ConnectionInfo) -> Bool {
    controller?.isActive != true && settings.listeners.contains { $0.name == connection.listener }
  }

  /// See `Controller.change`.
  func change<Answer: Sendable>(
    _ decide: @escaping @Sendable (inout MetadataDraft) -> Answer,
    then: @escaping @Sendable (Result<Answer, Refusal>) -> Void
  ) {
    guard let controller else { return then(.failure(Controller.notActive)) }
    controller.change(decide, then: then)
  }

  /// See `Controller.changeKnowingSessions`.
  func changeKnowingSessions<Answer: Sendable>(
    _ decide: @escaping @Sendable (inout MetadataDraft, inout BrokerSessions, Instant) -> Answer,
    recorded: @escaping @Sendable (Answer, inout BrokerSessions, Offset) -> Void = { _, _, _ in },
    then: @escaping @Sendable (Result<Answer, Refusal>) -> Void
  ) {
    guard let controller else { return then(.failure(Controller.notActive)) }
    controller.changeKnowingSessions(decide, recorded: recorded, then: then)
  }

  func orderProducerIDs(_ arrived: @escaping @Sendable (Range<Int64>?) -> Void) {
    var request = AllocateProducerIDsRequest()
    request.brokerID = settings.nodeID.value
    request.brokerEpoch = image.brokers[settings.nodeID]?.epoch ?? -1
    channel.ask(request, within: .seconds(5), here: Broker.allocateProducerIDs) { result in
      guard case .success(let response) = result, response.errorCode == .none,
        response.producerIDStart >= 0, response.producerIDLen > 0
      else { return arrived(nil) }
      arrived(response.producerIDStart..<response.producerIDStart + Int64(response.producerIDLen))
    }
  }
}
