public import Vocabulary

/// The replicas of a topic that are copied under a limit (KIP-73): `0:1,0:2` is partition 0 on the brokers 1 and 2.
public enum ThrottledReplicas: Hashable, Sendable {
  /// `*`
  case all
  /// None of them for an empty text.
  case these(Set<Place>)

  public struct Place: Hashable, Sendable {
    public let partition: PartitionIndex
    public let node: NodeID
    public init(_ partition: PartitionIndex, on node: NodeID) {
      self.partition = partition
      self.node = node
    }
  }

  /// Nil when the text is no such list.
  public init?(_ text: String) {
    let parts = commaSeparated(text)
    guard parts != ["*"] else {
      self = .all
      return
    }
    var places: Set<Place> = []
    for part in parts {
      let numbers = part.split(separator: ":", omittingEmptySubsequences: false).map(Self.number)
      guard numbers.count == 2, let partition = numbers[0], let node = numbers[1] else { return nil }
      places.insert(Place(PartitionIndex(partition), on: NodeID(node)))
    }
    self = .these(places)
  }

  public func contains(_ partition: PartitionIndex, on node: NodeID) -> Bool {
    switch self {
    case .all: true
    case .these(let places): !places.isEmpty && places.contains(Place(partition, on: node))
    }
  }

  /// Digits alone: a sign is none of them.
  private static func number(_ text: Substring) -> Int32? {
    text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int32(text) : nil
  }
}
