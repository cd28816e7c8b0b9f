import Synchronization
import Vocabulary

/// The partitions that this broker holds, by name and by id: where every request for records looks first.
final class PartitionTable: Sendable {
  private let topics = Mutex<Topics>(Topics())

  private struct Topics {
    var byName: [TopicName: HeldTopic] = [:]
    var byID: [UniqueID: HeldTopic] = [:]
  }

  /// A topic's partitions by index. A value that is replaced as a whole when partitions are added.
  final class HeldTopic: Sendable {
    let name: TopicName
    let id: UniqueID
    let partitions: [Partition]
    init(name: TopicName, id: UniqueID, partitions: [Partition]) {
      self.name = name
      self.id = id
      self.partitions = partitions
    }

    func partition(_ index: Int32) -> Partition? {
      index >= 0 && Int(index) < partitions.count ? partitions[Int(index)] : nil
    }
  }

  func topic(_ name: TopicName) -> HeldTopic? { topics.withLock { $0.byName[name] } }
  func topic(_ id: UniqueID) -> HeldTopic? { topics.withLock { $0.byID[id] } }
  func partition(_ name: TopicPartition) -> Partition? { topic(name.topic)?.partition(name.partition.value) }

  /// In the order of their names.
  var all: [HeldTopic] { topics.withLock { Array($0.byName.values) }.sorted { $0.name < $1.name } }
  var partitionCount: Int { topics.withLock { $0.byName.values.reduce(0) { $0 + $1.partitions.count } } }
  /// In no order: for what is done to each of them now and then.
  var allPartitions: [Partition] { topics.withLock { Array($0.byName.values) }.flatMap(\.partitions) }

  func put(_ topic: HeldTopic) {
    topics.withLock {
      $0.byName[topic.name] = topic
      $0.byID[topic.id] = topic
    }
  }

  func remove(_ id: UniqueID) -> HeldTopic? {
    topics.withLock { topics in
      guard let topic = topics.byID.removeValue(forKey: id) else { return nil }
      topics.byName.removeValue(forKey: topic.name)
      return topic
    }
  }
}
