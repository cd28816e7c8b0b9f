import KafkaProtocol
import Vocabulary

/// What one member of a consumer group knows of itself (KIP-848). It says what the next heartbeat has to tell, and
/// what an answer changes.
///
/// The coordinator says which partitions are the member's; the member gives back those that are not, takes the others,
/// and says so. A partition is given to another member only when its last owner has said that it gave it back.
struct Membership: Sendable, Equatable {
  /// One partition as the coordinator names it.
  struct Place: Hashable, Comparable, Sendable {
    let topic: UniqueID
    let partition: Int32
    static func < (a: Self, b: Self) -> Bool { (a.topic, a.partition) < (b.topic, b.partition) }
  }
  enum Change: Hashable, Sendable {
    case none
    /// From now on exactly these are the member's.
    case assigned(Set<Place>)
    /// The coordinator has given the member up: nothing is its own any more, and it must join again.
    case lost
  }

  let group: String
  let id: String
  let topic: TopicName
  let rebalanceSpan: TimeSpan
  /// 0 until the coordinator has let the member in.
  private(set) var epoch: Int32 = 0
  private(set) var owned: Set<Place> = []
  /// How long until the next heartbeat.
  private(set) var interval = TimeSpan.zero
  /// Whether the coordinator has to hear what the member owns.
  private var mustReport = true

  init(group: String, id: String, topic: TopicName, rebalanceSpan: TimeSpan) {
    self.group = group
    self.id = id
    self.topic = topic
    self.rebalanceSpan = rebalanceSpan
  }

  var heartbeat: ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest { request in
      request.groupID = group
      request.memberID = id
      request.memberEpoch = epoch
      // What has not changed is left out, except for a member that joins.
      if epoch == 0 {
        request.subscribedTopicNames = [topic.text]
        request.rebalanceTimeoutMs = Int32(clamping: rebalanceSpan.milliseconds)
      }
      if mustReport || epoch == 0 { request.topicPartitions = ownedByTopic }
    }
  }

  var leaving: ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
      $0.groupID = group
      $0.memberID = id
      $0.memberEpoch = -1
    }
  }

  private var ownedByTopic: [ConsumerGroupHeartbeatRequest.TopicPartitions] {
    var list: [ConsumerGroupHeartbeatRequest.TopicPartitions] = []
    for place in owned.sorted() {
      if list.last?.topicID != place.topic { list.append(.init { $0.topicID = place.topic }) }
      list[list.count - 1].partitions.append(place.partition)
    }
    return list
  }

  /// Takes in an answer to `heartbeat`. Codes other than those of a lost membership are for the caller.
  mutating func learn(_ response: ConsumerGroupHeartbeatResponse) -> Change {
    switch response.errorCode {
    case .fencedMemberEpoch, .unknownMemberId:
      epoch = 0
      owned = []
      mustReport = true
      interval = .zero
      return .lost
    default: break
    }
    epoch = response.memberEpoch
    interval = .milliseconds(Int64(max(0, response.heartbeatIntervalMs)))
    mustReport = false
    guard let assignment = response.assignment else { return .none }
    let places = Set(
      assignment.topicPartitions.flatMap { topic in
        topic.partitions.map { Place(topic: topic.topicID, partition: $0) }
      })
    guard places != owned else { return .none }
    owned = places
    // The coordinator waits to hear it.
    mustReport = true
    interval = .zero
    return .assigned(places)
  }
}
