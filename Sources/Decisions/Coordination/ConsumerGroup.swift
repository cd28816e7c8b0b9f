import Vocabulary

struct ConsumerGroup {
  let id: GroupID
  var epoch = MemberEpoch(0)
  var wake = Instant.never
  init(id: GroupID) { self.id = id }
  var isEmpty: Bool { true }
  var publicState: GroupState { .empty }
  mutating func startSessions(_ now: Moment, _ settings: GroupSettings) {}
  func refusal(of who: Committer, by writer: RecordWriter) -> ErrorCode? { nil }
  func refusalToFetch(_ member: MemberID?, _ epoch: MemberEpoch?) -> ErrorCode? { nil }
  func isSubscribed(to topic: TopicName) -> Bool { false }
  var tombstones: [GroupRecord] { [] }
  func description(_ settings: GroupSettings) -> ConsumerGroupDescription { ConsumerGroupDescription(group: id) }
}
