import Synchronization
import Vocabulary

/// The topics of the cluster and the copies of their partitions that this broker has, by name and by id: where every
/// request for records looks first.
final class PartitionTable: Sendable {
  private let topics = Mutex<Topics>(Topics())

  private struct Topics {
    var byName: [TopicName: HeldTopic] = [:]
    var byID: [UniqueID: HeldTopic] = [:]
  }

  /// A topic and what this broker has of it, by index. A value that is replaced as a whole when something changes.
  final class HeldTopic: Sendable {
    let name: TopicName
    let id: UniqueID
    /// One for each partition of the topic; nil where this broker has no copy.
    let places: [Partition?]

    init(name: TopicName, id: UniqueID, places: [Partition?]) {
      self.name = name
      self.id = id
      self.places = places
    }

    convenience init(name: TopicName, id: UniqueID, partitions: [Partition]) {
      self.init(name: name, id: id, places: partitions)
    }

    /// The copies that are here.
    var partitions: [Partition] { places.compactMap { $0 } }

    /// Whether the topic has such a partition, wherever it is.
    func exists(_ index: Int32) -> Bool { index >= 0 && Int(index) < places.count }

    func partition(_ index: Int32) -> Partition? { exists(index) ? places[Int(index)] : nil }

    /// Why there is no such copy here.
    func absence(of index: Int32) -> ErrorCode { exists(index) ? .notLeaderOrFollower : .unknownTopicOrPartition }
  }

  func topic(_ name: TopicName) -> HeldTopic? { topics.withLock { $0.byName[name] } }
  func topic(_ id: UniqueID) -> HeldTopic? { topics.withLock { $0.byID[id] } }
  func partition(_ name: TopicPartition) -> Partition? { topic(name.topic)?.partition(name.partition.value) }

  /// In the order of their names.
  var all: [HeldTopic] { topics.withLock { Array($0.byName.values) }.sorted { $0.name < $1.name } }
  /// How many copies are here.
  var partitionCount: Int { allPartitions.count }
  /// In the order of their topics' names: for what is done to each of them now and then.
  var allPartitions: [Partition] { all.flatMap(\.partitions) }

  func put(_ topic: HeldTopic) {
    topics.withLock {
      $0.byName[topic.name] = topic
      $0.byID[topic.id] = topic
    }
  }

  func remove(_ id: UniqueID) -> HeldTopic? {
    topics.withLock { topics in
      guard let topic = topics.byID.removeValue(forKey: id) else { return nil }
      // A new topic may have the name by now.
      if topics.byName[topic.name]?.id == id { topics.byName.removeValue(forKey: topic.name) }
      return topic
    }
  }
}
