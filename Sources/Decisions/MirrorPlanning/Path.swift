/// The clusters that a topic has come through, the first writer first.
///
/// A topic that comes back to a cluster that it has been in would be copied round and round: the path shows it, whatever
/// the length of the circle.
public struct MirrorPath: Hashable, Sendable {
  /// A longer way than this is taken for a mistake.
  public static let clustersMax = 16
  public let clusters: [String]

  public init(_ clusters: [String]) { self.clusters = clusters }

  /// As the topic's `mirror.path` has it, with commas between.
  public init(text: String?) {
    clusters = (text ?? "").split(separator: ",").map(String.init).filter { !$0.isEmpty }
  }

  /// The path of the copy in `target`, for a topic that has this path in `source`. Nil when it would be a circle.
  public func leading(from source: String, into target: String) -> MirrorPath? {
    guard source != target, !source.isEmpty, !target.isEmpty else { return nil }
    let path = clusters.filter { $0 != source } + [source]
    guard !path.contains(target), path.count < Self.clustersMax else { return nil }
    return MirrorPath(path)
  }
}
