import ClusterMetadata
import KafkaProtocol
import MirrorPlanning
import Testing
import Vocabulary

@testable import Broker

/// What tells a source that is no Swiftwater, or that is too old, from one that is.
@Suite struct ForeignSourceTests {
  private func described(_ keys: [String], error: ErrorCode = .none) -> DescribeConfigsResponse.Resource {
    var resource = DescribeConfigsResponse.Resource()
    resource.errorCode = error
    resource.resourceType = ConfigResourceType.topic.rawValue
    resource.resourceName = "orders"
    resource.configs = keys.map { key in
      var config = DescribeConfigsResponse.Config()
      config.name = key
      config.value = "1"
      config.configSource = ConfigSource.dynamicTopic.rawValue
      return config
    }
    return resource
  }

  private func said(_ resources: [DescribeConfigsResponse.Resource]) -> SourceConfigs {
    var response = DescribeConfigsResponse()
    response.results = resources
    return SourceConfigs(response)
  }

  @Test func aSourceIsOursWhereItHasASettingThatClosesTopics() {
    #expect(said([described(["retention.ms", "mirror.fence"])]).kind == "swiftwater")
    #expect(said([described(["retention.ms"])]).kind == "other")
    // Who says nothing says nothing about that either.
    #expect(said([]).kind == nil)
    #expect(said([described([])]).kind == nil)
    #expect(said([described(["retention.ms"], error: .topicAuthorizationFailed)]).kind == nil)
  }

  @Test func whatWasSetOnATopicIsTakenFromAnyKindOfSource() {
    #expect(said([described(["retention.ms"])]).ofTopics == [TopicName("orders")!: ["retention.ms": "1"]])
  }

  @Test(arguments: [UInt8(0), 1]) func recordsOfAnOldFormatAreNamedAndNotTakenForDamage(format: UInt8) {
    var body = [UInt8](repeating: 0, count: 64)
    body[16] = format
    let answer = body.withUnsafeMutableBytes { body in
      var partition = FetchResponse.Partition()
      partition.records = .inFrame(0..<body.count)
      partition.highWatermark = 10
      let position = CopyPosition(start: .zero, end: .zero, lastEpoch: .none, ownEpoch: LeaderEpoch(1))
      return MirroredBatches.read(partition, at: position, in: body).0
    }
    #expect(answer == .refused(.unsupportedForMessageFormat))
  }
}
