public import Vocabulary

extension GroupCoordinator {
  /// ConsumerGroupHeartbeat (KIP-848).
  public mutating func consumerHeartbeat(
    _ request: ConsumerHeartbeatRequest, _ token: Token, at now: Moment, topics: TopicCatalogue,
    into effects: inout [GroupEffect]
  ) {
    turn(at: now, into: &effects) { _, turn in
      turn.answer(token, .consumerHeartbeat(ConsumerHeartbeatAnswer(error: .unsupportedVersion)))
    }
  }

  /// The result of a `.resolve` effect: the topics whose names match, out of this version of the catalogue.
  public mutating func resolved(
    _ pattern: SubscriptionPattern, to names: [TopicName], version: Int64, at now: Moment,
    into effects: inout [GroupEffect]
  ) {}

  mutating func replaceEmptyConsumerGroup(_ id: GroupID, _ turn: inout Turn) {
    guard let group = consumer[id], group.isEmpty else { return }
    write(group.tombstones, &turn)
  }
  mutating func tickConsumer(_ id: GroupID, _ topics: TopicCatalogue, _ turn: inout Turn) {}
  mutating func applyToConsumer(_ id: GroupID, _ record: GroupRecord) {}
}
