import ClusterMetadata
import KafkaProtocol
import LogStorage
import Vocabulary

extension Broker {
  /// CreatePartitions, v0–3: gives topics more partitions, each topic on its own.
  func createPartitions(_ call: Call<CreatePartitionsRequest>) {
    let request = call.request
    change { draft in
      var scratch = draft
      let repeated = repeatedNames(request.topics.lazy.map(\.name))
      let answers = request.topics.map { topic -> Result<Void, Refusal> in
        if repeated.contains(topic.name) {
          return .failure(Refusal(.invalidRequest, "Duplicate topic name."))
        }
        let assigned = topic.assignments.map { $0.map { $0.brokerIDs.map { NodeID($0) } } }
        return scratch.add(scratch.image.addPartitions(to: topic.name, total: topic.count, assigned: assigned))
      }
      if !request.validateOnly { draft = scratch }
      return answers
    } then: { result in
      var response = CreatePartitionsResponse()
      response.results = request.topics.enumerated().map { index, topic in
        var entry = CreatePartitionsResponse.Topic()
        entry.name = topic.name
        switch result.map({ $0[index] }) {
        case .success(.success): break
        case .success(.failure(let refusal)):
          entry.errorCode = refusal.code
          entry.errorMessage = refusal.message
        case .failure(let refusal):
          entry.errorCode = refusal.code
          entry.errorMessage = refusal.message
        }
        return entry
      }
      call.answer(response)
    }
  }
}
