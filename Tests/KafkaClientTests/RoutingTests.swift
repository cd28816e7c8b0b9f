import KafkaProtocol
import Synchronization
import Testing
import Vocabulary

@testable import KafkaClient

@Suite struct RoutingTests {
  @Test func aCoordinatorThatMovedIsFoundAgain() async throws {
    let cluster = try FakeCluster()
    let old = try cluster.add(1) { call in
      guard call.header.key == .deleteGroups else { return nil }
      cluster.coordinate(2)
      return .reply(DeleteGroupsResponse { $0.results = [.init { $0.errorCode = .notCoordinator }] })
    }
    let new = try cluster.add(2) { call in
      guard call.header.key == .deleteGroups else { return nil }
      return .reply(DeleteGroupsResponse { $0.results = [.init { $0.groupID = "g" }] })
    }
    let client = cluster.client()
    try await client.deleteGroup("g")
    #expect(old.calls(.deleteGroups).count == 1 && new.calls(.deleteGroups).count == 1)
    client.close()
  }

  @Test func anOlderBrokerIsAskedInItsOwnWords() async throws {
    let cluster = try FakeCluster()
    cluster.offer(.findCoordinator, 0...3)
    cluster.offer(.offsetFetch, 1...5)
    _ = try cluster.add { call in
      guard call.header.key == .offsetFetch else { return nil }
      let request = try call.decode(OffsetFetchRequest.self).request
      #expect(request.groupID == "g" && request.topics == nil)
      return .reply(
        OffsetFetchResponse { response in
          response.topics = [
            .init { topic in
              topic.name = "t"
              topic.partitions = [.init { $0.committedOffset = 12 }, .init { $0.committedOffset = -1 }]
            }
          ]
        })
    }
    let client = cluster.client()
    let offsets = try await client.committedOffsets(of: "g")
    #expect(offsets.map(\.offset) == [Offset(12)])
    client.close()
  }

  @Test func aGroupIsDescribedInTheProtocolThatItSpeaks() async throws {
    let cluster = try FakeCluster()
    _ = try cluster.add { call in
      switch call.header.key {
      case .consumerGroupDescribe:
        return .reply(ConsumerGroupDescribeResponse { $0.groups = [.init { $0.errorCode = .groupIdNotFound }] })
      case .describeGroups:
        var assignment = ConsumerProtocolAssignment()
        assignment.assignedPartitions = [
          .init {
            $0.topic = "t"
            $0.partitions = [1, 0]
          }
        ]
        let bytes = assignment.encode()
        return .reply(
          DescribeGroupsResponse { response in
            response.groups = [
              .init { group in
                group.groupState = "Stable"
                group.members = [
                  .init {
                    $0.memberID = "m"
                    $0.memberAssignment = bytes
                  }
                ]
              }
            ]
          })
      default: return nil
      }
    }
    let client = cluster.client()
    let group = try await client.group("g")
    #expect(group.type == "classic" && group.state == "Stable")
    #expect(group.members.first?.partitions.map(\.description) == ["t-0", "t-1"])
    client.close()
  }

  @Test func whatNoRetryCanMendIsThrownAtOnce() async throws {
    let cluster = try FakeCluster()
    let broker = try cluster.add { call in
      guard call.header.key == .createTopics else { return nil }
      return .reply(
        CreateTopicsResponse { response in
          response.topics = [
            .init {
              $0.errorCode = .topicAlreadyExists
              $0.errorMessage = "it is there"
            }
          ]
        })
    }
    let client = cluster.client()
    let error = await #expect(throws: ClientError.self) {
      try await client.createTopic(FakeCluster.topic, partitions: 1, replicas: 1, configs: [], .perform)
    }
    #expect(
      error?.description == "topic t: TOPIC_ALREADY_EXISTS: it is there (CreateTopics, \(cluster.address()))")
    #expect(broker.calls(.createTopics).count == 1)
    client.close()
  }

  @Test func whatPassesIsTriedAgain() async throws {
    let cluster = try FakeCluster()
    let left = Mutex(3)
    let broker = try cluster.add { call in
      guard call.header.key == .listOffsets else { return nil }
      let isReady = left.withLock { left in
        left -= 1
        return left < 0
      }
      return .reply(ReaderTests.listed(7, isReady ? .none : .leaderNotAvailable))
    }
    let client = cluster.client()
    #expect(try await client.offset(of: ReaderTests.partition, at: .latest) == Offset(7))
    #expect(broker.calls(.listOffsets).count == 4)
    client.close()
  }

  @Test func whenTheTimeIsUpTheLastErrorIsThrown() async throws {
    let cluster = try FakeCluster()
    let broker = try cluster.add { call in
      guard call.header.key == .listOffsets else { return nil }
      return .reply(ReaderTests.listed(0, .leaderNotAvailable))
    }
    let client = cluster.client { $0.retrySpan = .zero }
    let error = await #expect(throws: ClientError.self) {
      _ = try await client.offset(of: ReaderTests.partition, at: .latest)
    }
    #expect(error?.code == .leaderNotAvailable)
    #expect(broker.calls(.listOffsets).count == 1)
    client.close()
  }

  @Test func metadataOfAnOlderEpochReplacesNothing() throws {
    var view = ClusterView()
    func metadata(leader: Int32, epoch: Int32) -> MetadataResponse {
      MetadataResponse { response in
        response.brokers = ([1, 2] as [Int32]).map { node in
          .init {
            $0.nodeID = node
            $0.host = "b\(node)"
            $0.port = 9092
          }
        }
        response.topics = [
          .init { topic in
            topic.name = "t"
            topic.partitions = [
              .init {
                $0.leaderID = leader
                $0.leaderEpoch = epoch
              }
            ]
          }
        ]
      }
    }
    let now = Instant(nanoseconds: 0)
    view.learn(metadata(leader: 2, epoch: 5), at: now)
    view.learn(metadata(leader: 1, epoch: 4), at: now)
    #expect(view.leader(of: ReaderTests.partition)?.0 == NodeID(2))
    view.learn(metadata(leader: 1, epoch: 6), at: now)
    #expect(view.leader(of: ReaderTests.partition)?.1 == BrokerAddress(host: "b1", port: 9092))
    view.forget(FakeCluster.topic)
    #expect(view.topic(FakeCluster.topic, at: now, age: .seconds(1)) == nil)
  }

  @Test func addressesAreHostsAndPorts() {
    #expect(BrokerAddress("a:9092") == BrokerAddress(host: "a", port: 9092))
    #expect(BrokerAddress("[::1]:9092") == BrokerAddress(host: "::1", port: 9092))
    #expect(BrokerAddress("[::1]:9092")?.description == "[::1]:9092")
    for wrong in ["", "a", "a:", ":1", "a:0", "a:70000", "::1:9092", "a b:1"] {
      #expect(BrokerAddress(wrong) == nil, "\(wrong)")
    }
    #expect(BrokerAddress.list("a:1,b:2")?.count == 2)
    #expect(BrokerAddress.list("a:1,b") == nil)
  }
}
