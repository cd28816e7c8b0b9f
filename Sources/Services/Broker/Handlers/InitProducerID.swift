import ClusterMetadata
import Coordination
import KafkaProtocol
import Vocabulary

extension Broker {
  /// InitProducerId, v0–5: gives an idempotent producer an id that nobody else ever had (KIP-98, KIP-360); with a
  /// transactional id, the id and the next epoch of that producer, after which the epochs before are fenced.
  func initProducerID(_ call: Call<InitProducerIDRequest>) {
    guard let id = call.request.transactionalID else { return initIdempotent(call) }
    let asked = ProducerIdentity(ProducerID(call.request.producerID), ProducerEpoch(call.request.producerEpoch))
    guard (asked.id == .none) == (asked.epoch == .none) else { return call.answer(refused(.invalidRequest)) }
    let request = InitProducerRequest(
      id: TransactionalID(id), timeout: .milliseconds(Int64(call.request.transactionTimeoutMs)),
      expected: asked.id == .none ? nil : asked, leastID: image.leastProducerID)
    transactions.ask(id) { coordinator, token, now, effects in
      coordinator.initProducer(request, token, at: now, into: &effects)
    } answer: { answer in
      guard case .initProducer(let begun) = answer else { unexpected(answer) }
      guard begun.error == .none else {
        return call.answer(self.refused(begun.error.told(to: call, knowsFencedSince: 4)))
      }
      var response = InitProducerIDResponse()
      response.producerID = begun.producer.id.value
      response.producerEpoch = begun.producer.epoch.value
      call.answer(response)
    } refused: {
      call.answer(self.refused($0))
    }
  }

  private func initIdempotent(_ call: Call<InitProducerIDRequest>) {
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

extension ErrorCode {
  /// Versions before `version` have an older word for a producer that was fenced.
  func told<Request>(to call: Call<Request>, knowsFencedSince version: Int16) -> ErrorCode {
    self == .producerFenced && call.context.version < version ? .invalidProducerEpoch : self
  }
}

func unexpected(_ answer: TransactionAnswer) -> Never {
  preconditionFailure("the transaction coordinator gave an answer of another kind: \(answer)")
}
