import Coordination
import Testing
import Vocabulary

/// A client of a consumer group (KIP-848): believes what it is told, and gives up what it is no longer given.
struct Consumer {
  var id: MemberID
  var instance: InstanceID?
  var epoch = MemberEpoch.joining
  var topics: [String]
  /// What it reads: its own view, which the coordinator learns with the next heartbeat.
  var owned = Assignment()
  var pattern: SubscriptionPattern?
  var assignor: String?
}

extension Bench {
  static let readers = GroupID("new readers")

  func topics(_ counts: [String: Int32]) {
    var all: [TopicName: TopicCatalogue.Topic] = [:]
    for (name, count) in counts {
      all[TopicName(name)!] = TopicCatalogue.Topic(id: Bench.id(of: name), partitions: count)
    }
    catalogue = TopicCatalogue(version: catalogue.version + 1, topics: all)
  }
  static func id(of topic: String) -> UniqueID {
    UniqueID(high: 1, low: topic.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) })
  }
  static func part(_ topic: String, _ numbers: Int32...) -> Assignment {
    Assignment(numbers.map { TopicIDPartition(id(of: topic), PartitionIndex($0)) })
  }

  func beat(_ request: ConsumerHeartbeatRequest) -> ConsumerHeartbeatAnswer {
    let catalogue = catalogue
    let token = ask { $0.consumerHeartbeat(request, $1, at: $2, topics: catalogue, into: &$3) }
    guard case .consumerHeartbeat(let answer) = answers[token] else {
      Issue.record("a heartbeat is answered at once")
      return ConsumerHeartbeatAnswer(error: .unknownServerError)
    }
    return answer
  }

  func request(
    _ member: MemberID, _ epoch: MemberEpoch, instance: InstanceID? = nil, group: GroupID = Bench.readers,
    owned: Assignment? = nil
  ) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest(
      group: group, member: member, epoch: epoch, instance: instance, owned: owned,
      client: ClientIdentity(id: "c", host: "/127.0.0.1"), nonce: nonce())
  }

  /// One heartbeat of a well-behaved client. It lets go of what it is not given any more before the next one.
  @discardableResult func beat(_ consumer: inout Consumer, group: GroupID = Bench.readers) -> ConsumerHeartbeatAnswer {
    var request = request(consumer.id, consumer.epoch, instance: consumer.instance, group: group, owned: consumer.owned)
    if consumer.epoch == .joining {
      request.rebalanceTimeout = .seconds(30)
      request.subscribedTopics = consumer.topics
      request.owned = Assignment()
      request.assignor = consumer.assignor
      if let pattern = consumer.pattern { request.subscribedPattern = .pattern(pattern) }
    }
    let answer = beat(request)
    switch answer.error {
    case .none:
      consumer.epoch = answer.epoch
      if let assignment = answer.assignment { consumer.owned = assignment }
    case .fencedMemberEpoch, .unknownMemberId, .groupIdNotFound:
      consumer.epoch = .joining
      consumer.owned = Assignment()
    default: break
    }
    return answer
  }

  func newConsumer(_ name: String, topics: [String] = ["orders"], instance: String? = nil) -> Consumer {
    Consumer(id: MemberID(name), instance: instance.map { InstanceID($0) }, topics: topics)
  }

  /// Lets everyone beat in turn until nothing changes.
  func settle(_ consumers: inout [Consumer], rounds: Int = 10) {
    for _ in 0..<rounds { for index in consumers.indices { beat(&consumers[index]) } }
  }

  func describeConsumers(_ group: GroupID = Bench.readers) -> ConsumerGroupDescription? {
    let token = ask { coordinator, token, _, effects in
      coordinator.describeConsumerGroups([group], token, into: &effects)
    }
    guard case .describeConsumer(let groups) = answers[token] else { return nil }
    return groups.first
  }
}
