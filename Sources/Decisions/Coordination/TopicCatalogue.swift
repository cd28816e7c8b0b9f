public import Vocabulary

/// The topics of the cluster, as far as groups care. A copy costs nothing: the caller keeps one and passes it along.
public struct TopicCatalogue: Sendable {
  public struct Topic: Hashable, Sendable {
    public let id: UniqueID
    public let partitions: Int32
    public init(id: UniqueID, partitions: Int32) {
      self.id = id
      self.partitions = partitions
    }
  }
  /// Rises with every change of the topics: groups look again only when it has.
  public let version: Int64
  private let topics: [TopicName: Topic]

  public init(version: Int64, topics: [TopicName: Topic]) {
    self.version = version
    self.topics = topics
  }

  subscript(name: TopicName) -> Topic? { topics[name] }
}
