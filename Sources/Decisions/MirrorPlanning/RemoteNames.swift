public import Vocabulary

/// What a topic is called in a cluster that gets it by consuming and producing: MirrorMaker 2's two replication policies
/// (KIP-382), so that tools for its topics read ours.
public enum RemoteNaming: String, Hashable, Sendable, CaseIterable {
  /// `orders` of the cluster "eu" is `eu.orders`: DefaultReplicationPolicy.
  case prefixed = "default"
  /// `orders` stays `orders`: IdentityReplicationPolicy.
  case same = "identity"

  /// Nil for a name that would be longer than a topic's may be.
  public func remoteName(of topic: TopicName, from alias: String) -> TopicName? {
    switch self {
    case .prefixed: TopicName("\(alias).\(topic)")
    case .same: topic
    }
  }

  /// Whether the topic has been in the target before, as far as its name says: it would be copied round and round.
  public func isCircle(_ topic: TopicName, into alias: String) -> Bool {
    switch self {
    case .prefixed:
      topic.text.split(separator: ".", omittingEmptySubsequences: false).dropLast().contains { $0 == alias }
    case .same: false
    }
  }

  /// Topics that Kafka, Connect and MirrorMaker keep for themselves.
  public static func isInternal(_ topic: TopicName) -> Bool {
    topic.text.hasPrefix("__") || topic.text.hasPrefix(".") || topic.text.hasSuffix("-internal")
      || topic.text.hasSuffix(".internal")
  }
}
