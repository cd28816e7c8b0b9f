import EventLoop
import KafkaProtocol
import LogStorage
import Vocabulary

extension Broker {
  /// DescribeLogDirs, v1–5: how large each partition is, and how much room its disk has. A folder whose disk has failed
  /// says so (KIP-112).
  func describeLogDirs(_ call: Call<DescribeLogDirsRequest>) {
    pool.run {
      let wanted = call.request.topics.map { topics in
        Dictionary(topics.map { ($0.topic, Set($0.partitions)) }) { $0.union($1) }
      }
      var response = DescribeLogDirsResponse()
      response.results = self.storage.folders.map { self.describe($0, wanted) }
      for path in self.storage.directories.absent {
        var absent = DescribeLogDirsResponse.LogDir()
        absent.logDir = path
        absent.errorCode = .kafkaStorageError
        response.results.append(absent)
      }
      call.answer(response)
    }
  }

  private func describe(_ folder: StorageFolder, _ wanted: [String: Set<Int32>]?) -> DescribeLogDirsResponse.LogDir {
    var result = DescribeLogDirsResponse.LogDir()
    result.logDir = folder.path
    guard !folder.hasFailed else {
      result.errorCode = .kafkaStorageError
      return result
    }
    let room = folder.room
    result.totalBytes = room.total
    result.usableBytes = room.usable
    for topic in partitions.all {
      let asked = wanted.map { $0[topic.name.text] ?? [] }
      if let asked, asked.isEmpty { continue }
      var entry = DescribeLogDirsResponse.Topic()
      entry.name = topic.name.text
      for partition in topic.partitions
      where partition.world.directory == folder.id && asked?.contains(partition.name.partition.value) ?? true {
        var size = DescribeLogDirsResponse.Partition()
        size.partitionIndex = partition.name.partition.value
        size.partitionSize = Int64(partition.log.size.value)
        entry.partitions.append(size)
      }
      if !entry.partitions.isEmpty { result.topics.append(entry) }
    }
    return result
  }
}
