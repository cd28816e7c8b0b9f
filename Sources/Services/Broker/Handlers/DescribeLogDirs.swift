import EventLoop
import KafkaProtocol
import LogStorage
import Vocabulary

extension Broker {
  /// DescribeLogDirs, v1–5: how large each partition is, and how much room its disk has.
  func describeLogDirs(_ call: Call<DescribeLogDirsRequest>) {
    pool.run { call.answer(self.logDirs(call.request)) }
  }

  private func logDirs(_ request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    var result = DescribeLogDirsResponse.LogDir()
    result.logDir = storage.path
    let room = storage.room
    result.totalBytes = room.total
    result.usableBytes = room.usable
    let wanted = request.topics.map { topics in
      Dictionary(topics.map { ($0.topic, Set($0.partitions)) }) { $0.union($1) }
    }
    for topic in partitions.all {
      let asked = wanted.map { $0[topic.name.text] ?? [] }
      if let asked, asked.isEmpty { continue }
      var entry = DescribeLogDirsResponse.Topic()
      entry.name = topic.name.text
      for partition in topic.partitions where asked?.contains(partition.name.partition.value) ?? true {
        var size = DescribeLogDirsResponse.Partition()
        size.partitionIndex = partition.name.partition.value
        size.partitionSize = Int64(partition.log.size.value)
        entry.partitions.append(size)
      }
      if !entry.partitions.isEmpty { result.topics.append(entry) }
    }
    var response = DescribeLogDirsResponse()
    response.results = [result]
    return response
  }
}
