import KubernetesAPI

/// What is planned and done at one time by one worker.
enum WorkKey: Hashable, Sendable {
  case region(ObjectKey)
  case cluster(ObjectKey)
  /// All KafkaTopics of a KafkaCluster.
  case topics(of: ObjectKey)
  /// All KafkaMirrors into a KafkaCluster.
  case mirrors(into: ObjectKey)
}
