import KafkaProtocol
import Vocabulary

/// A batch that is to be appended, as bytes that do not change when it is sent again.
struct ReadyBatch: Sendable {
  let partition: TopicPartition
  let bytes: [UInt8]
  let records: Int
}

/// What became of one batch.
enum BatchOutcome: Sendable, Hashable {
  case appended(at: Offset)
  /// It is there already: an earlier answer was lost.
  case wasAppended
  /// In smaller pieces it may be accepted.
  case tooLarge(ClientError)
  /// It is to be sent again, with the same bytes.
  case again(Remedy, ClientError)
  case failed(ClientError)

  init(_ partition: ProduceResponse.Partition, for batch: ReadyBatch, from broker: BrokerAddress) {
    switch partition.errorCode {
    case .none: self = .appended(at: Offset(partition.baseOffset))
    case .duplicateSequenceNumber: self = .wasAppended
    case let code:
      let records = partition.recordErrors.prefix(3).map {
        "record \($0.batchIndex): \($0.batchIndexErrorMessage ?? "refused")"
      }
      let words = ([partition.errorMessage].compactMap { $0 } + records).joined(separator: "; ")
      self.init(
        .refused(broker, .produce, subject: batch.partition.description, code, words.isEmpty ? nil : words))
    }
  }

  init(_ error: ClientError) {
    switch (Remedy(for: error), error.code) {
    // A topic that was just made may not be known to its leader yet.
    case (.none, .unknownTopicOrPartition): self = .again(.refreshMetadata, error)
    case (.none, .messageTooLarge), (.none, .recordListTooLarge): self = .tooLarge(error)
    case (.none, _): self = .failed(error)
    case (let remedy, _): self = .again(remedy, error)
    }
  }
}
