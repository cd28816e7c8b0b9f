import Coordination
import KafkaProtocol
import Vocabulary

extension Broker {
  /// EndTxn, v0–4: commits or aborts a transaction. Answered once the decision is kept; the markers follow, and until they
  /// are there the producer's next transaction gets CONCURRENT_TRANSACTIONS (KIP-98).
  ///
  /// v5 is for transactions of version 2, which this broker does not advertise.
  func endTxn(_ call: Call<EndTxnRequest>) {
    let request = call.request
    @Sendable func answer(_ code: ErrorCode) {
      var response = EndTxnResponse()
      response.errorCode = code.told(to: call, knowsFencedSince: 2)
      call.answer(response)
    }
    let end = EndTransactionRequest(
      id: TransactionalID(request.transactionalID),
      producer: ProducerIdentity(ProducerID(request.producerID), ProducerEpoch(request.producerEpoch)),
      outcome: request.committed ? .committed : .aborted)
    transactions.ask(request.transactionalID) { coordinator, token, now, effects in
      coordinator.end(end, token, at: now, into: &effects)
    } answer: { reply in
      guard case .end(let code) = reply else { unexpected(reply) }
      answer(code)
    } refused: {
      answer($0)
    }
  }
}
