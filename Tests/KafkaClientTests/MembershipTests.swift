import KafkaProtocol
import Synchronization
import Testing
import Vocabulary

@testable import KafkaClient

@Suite struct MembershipTests {
  static let topicID = UniqueID(high: 1, low: 1)

  static func answer(
    epoch: Int32, assigned: [Int32]? = nil, _ code: ErrorCode = .none
  ) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse { response in
      response.errorCode = code
      response.memberEpoch = epoch
      response.heartbeatIntervalMs = 5000
      response.assignment = assigned.map { partitions in
        .init { assignment in
          guard !partitions.isEmpty else { return }
          assignment.topicPartitions = [
            .init {
              $0.topicID = topicID
              $0.partitions = partitions
            }
          ]
        }
      }
    }
  }

  private func places(_ partitions: Int32...) -> Set<Membership.Place> {
    Set(partitions.map { Membership.Place(topic: Self.topicID, partition: $0) })
  }

  @Test func aMemberSaysEverythingWhenItJoinsAndThenOnlyWhatChanged() {
    var member = Membership(group: "g", id: "m", topic: FakeCluster.topic, rebalanceSpan: .seconds(45))
    #expect(member.heartbeat.memberEpoch == 0)
    #expect(member.heartbeat.subscribedTopicNames == ["t"] && member.heartbeat.topicPartitions == [])
    #expect(member.learn(Self.answer(epoch: 1)) == .none)
    #expect(member.heartbeat.memberEpoch == 1)
    #expect(member.heartbeat.subscribedTopicNames == nil && member.heartbeat.topicPartitions == nil)
    #expect(member.interval == .seconds(5))
  }

  @Test func aNewAssignmentIsReportedAtOnceAndOnce() {
    var member = Membership(group: "g", id: "m", topic: FakeCluster.topic, rebalanceSpan: .seconds(45))
    #expect(member.learn(Self.answer(epoch: 1, assigned: [1, 0])) == .assigned(places(0, 1)))
    #expect(member.interval == .zero)
    #expect(member.heartbeat.topicPartitions?.first?.partitions == [0, 1])
    #expect(member.learn(Self.answer(epoch: 1)) == .none)
    #expect(member.heartbeat.topicPartitions == nil)
    #expect(member.learn(Self.answer(epoch: 2, assigned: [])) == .assigned([]))
    #expect(member.heartbeat.topicPartitions == [])
  }

  @Test(arguments: [ErrorCode.fencedMemberEpoch, .unknownMemberId])
  func aMemberThatWasGivenUpJoinsAgainWithNothing(code: ErrorCode) {
    var member = Membership(group: "g", id: "m", topic: FakeCluster.topic, rebalanceSpan: .seconds(45))
    _ = member.learn(Self.answer(epoch: 3, assigned: [0]))
    #expect(member.learn(Self.answer(epoch: 0, code)) == .lost)
    #expect(member.heartbeat.memberEpoch == 0 && member.heartbeat.topicPartitions == [])
    #expect(member.heartbeat.subscribedTopicNames == ["t"])
  }

  @Test func aMemberReadsFromWhatTheGroupCommittedAndCommitsWhatIsFinished() async throws {
    let cluster = try FakeCluster()
    let records = try ReaderTests.batch(["a", "b", "c"], at: 5)
    let broker = try cluster.add { call in
      switch call.header.key {
      case .consumerGroupHeartbeat:
        let request = try call.decode(ConsumerGroupHeartbeatRequest.self).request
        return .reply(Self.answer(epoch: 1, assigned: request.memberEpoch == 0 ? [0] : nil))
      case .offsetFetch: return .reply(Self.committed(6))
      case .fetch: return .reply(ReaderTests.fetched(records))
      case .offsetCommit:
        let request = try call.decode(OffsetCommitRequest.self).request
        return .reply(
          OffsetCommitResponse { response in
            response.topics = request.topics.map { topic in
              .init { answer in
                answer.name = topic.name
                answer.partitions = topic.partitions.map { one in .init { $0.partitionIndex = one.partitionIndex } }
              }
            }
          })
      default: return nil
      }
    }
    let client = cluster.client()
    let reader = GroupReader(client, group: "g", topic: FakeCluster.topic, reset: .earliest)
    let fetched = try await reader.poll()
    #expect(fetched.flatMap(\.records).map(\.offset.value) == [6, 7])
    reader.finished(ReaderTests.partition, upTo: Offset(7))
    try await reader.leave()
    let commit = try #require(broker.calls(.offsetCommit).first).decode(OffsetCommitRequest.self).request
    #expect(commit.topics.first?.partitions.first?.committedOffset == 7)
    #expect(commit.generationIDOrMemberEpoch == 1 && !commit.memberID.isEmpty)
    let last = try #require(broker.calls(.consumerGroupHeartbeat).last)
    #expect(try last.decode(ConsumerGroupHeartbeatRequest.self).request.memberEpoch == -1)
    client.close()
  }

  static func committed(_ offset: Int64) -> OffsetFetchResponse {
    OffsetFetchResponse { response in
      response.groups = [
        .init { group in
          group.groupID = "g"
          group.topics = [
            .init { topic in
              topic.name = FakeCluster.topic.text
              topic.partitions = [.init { $0.committedOffset = offset }]
            }
          ]
        }
      ]
    }
  }
}
