import KafkaClient
import KafkaProtocol
import MirrorPlanning
import Vocabulary

/// Who coordinates which groups, as one broker of the source says.
///
/// `then` gets the leaders of the partitions of group offsets, by index, and how many partitions there are: none before
/// anybody has asked for a group there. Nil where nothing was said.
func askShards(_ peer: Peer, then: @escaping @Sendable (_ shards: (leaders: [Int: ShardLeader], count: Int)?) -> Void) {
  var topic = MetadataRequest.Topic()
  topic.name = TopicName.consumerOffsets.text
  var request = MetadataRequest()
  request.topics = [topic]
  request.allowAutoTopicCreation = false
  // v7 is the first that has leader epochs.
  peer.ask(request, lowest: 7, within: SourceCluster.span) { result in
    guard case .success(let answer) = result, let found = answer.response.topics.first else { return then(nil) }
    switch found.errorCode {
    case .none: break
    case .unknownTopicOrPartition: return then(([:], 0))
    default: return then(nil)
    }
    var leaders: [Int: ShardLeader] = [:]
    for one in found.partitions where one.errorCode == .none && one.leaderID >= 0 {
      leaders[Int(one.partitionIndex)] = ShardLeader(NodeID(one.leaderID), LeaderEpoch(one.leaderEpoch))
    }
    then((leaders, found.partitions.count))
  }
}
