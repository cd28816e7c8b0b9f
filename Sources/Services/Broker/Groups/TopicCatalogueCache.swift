import ClusterMetadata
import Coordination
import Synchronization
import Vocabulary

/// The topics as groups see them: made anew only after topics have changed, and only when a group asks.
final class TopicCatalogueCache: Sendable {
  private let image: @Sendable () -> MetadataImage
  private let state = Mutex(State(version: 0, catalogue: nil))

  private struct State {
    var version: Int64
    var catalogue: TopicCatalogue?
  }

  init(image: @escaping @Sendable () -> MetadataImage) { self.image = image }

  func topicsChanged() {
    state.withLock {
      $0.version += 1
      $0.catalogue = nil
    }
  }

  var current: TopicCatalogue {
    let (known, version) = state.withLock { ($0.catalogue, $0.version) }
    if let known { return known }
    var topics: [TopicName: TopicCatalogue.Topic] = [:]
    for topic in image().topics.values {
      topics[topic.name] = TopicCatalogue.Topic(id: topic.id, partitions: Int32(topic.partitions.count))
    }
    let made = TopicCatalogue(version: version, topics: topics)
    state.withLock { if $0.version == version { $0.catalogue = made } }
    return made
  }

  /// In the order of their names; internal topics are nobody's to subscribe to by pattern.
  func names(matching pattern: String) -> [TopicName] {
    guard let pattern = TopicPattern(pattern) else { return [] }
    var names: [TopicName] = []
    for name in image().topicIDs.keys.filter({ !$0.isInternal }).sorted() {
      // One name that is too much for a pattern is one too many: a broker has thousands of them.
      guard let isMatch = pattern.matches(name.text) else { return [] }
      if isMatch { names.append(name) }
    }
    return names
  }
}
