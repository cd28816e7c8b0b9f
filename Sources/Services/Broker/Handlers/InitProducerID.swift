import ClusterMetadata
import KafkaProtocol
import Vocabulary

extension Broker {
  /// InitProducerId, v0–5: gives an idempotent producer an id that nobody else ever had (KIP-98, KIP-360).
  ///
  /// Differs from Apache Kafka: a transactional id is refused with INVALID_REQUEST, since there are no transactions yet.
  func initProducerID(_ call: Call<InitProducerIDRequest>) {
    guard call.request.transactionalID == nil else {
      return call.answer(refused(.invalidRequest))
    }
    producerIDs.next(from: image.leastProducerID) { id in
      guard let id else { return call.answer(self.refused(.coordinatorNotAvailable)) }
      var response = InitProducerIDResponse()
      response.producerID = id.value
      response.producerEpoch = 0
      call.answer(response)
    }
  }

  private func refused(_ code: ErrorCode) -> InitProducerIDResponse {
    var response = InitProducerIDResponse()
    response.errorCode = code
    response.producerEpoch = -1
    return response
  }
}
