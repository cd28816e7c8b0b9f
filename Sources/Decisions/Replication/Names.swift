public import Vocabulary

/// A failure domain that is lost as a whole: a data centre, an availability zone (`broker.rack`).
public struct Region: Hashable, Comparable, Sendable {
  public let name: String
  public init(_ name: String) { self.name = name }
  public static func < (a: Self, b: Self) -> Bool { a.name < b.name }
}

/// One life of a broker, given by the controller at registration; a later life has a larger one (KIP-903).
@frozen public struct BrokerEpoch: Hashable, Comparable, Sendable {
  public let value: Int64
  @inlinable public init(_ value: Int64) { self.value = value }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}

/// Rises with every change that the controller makes to a partition; a change is made only to the one it was decided
/// on (KIP-497).
@frozen public struct PartitionEpoch: Hashable, Comparable, Sendable {
  public let value: Int32
  @inlinable public init(_ value: Int32) { self.value = value }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
  public static let none = PartitionEpoch(-1)
}

/// Names a produce request that waits, for its caller.
@frozen public struct WriteID: Hashable, Sendable {
  public let value: UInt64
  @inlinable public init(_ value: UInt64) { self.value = value }
}

/// Names a follower's fetch within one life of its broker: an answer to any other than the last one is too late.
@frozen public struct FetchID: Hashable, Sendable {
  public let value: UInt64
  @inlinable public init(_ value: UInt64) { self.value = value }
}

/// Names a proposal within one life of the broker that makes it: an answer to one of an earlier term is no answer to
/// one of this term.
@frozen public struct ProposalID: Hashable, Sendable {
  public let leaderEpoch: LeaderEpoch
  public let number: UInt64
  @inlinable public init(_ leaderEpoch: LeaderEpoch, _ number: UInt64) {
    self.leaderEpoch = leaderEpoch
    self.number = number
  }
}

/// A set of nodes in ascending order, so that whatever is derived from it has the same order everywhere.
public struct NodeSet: Hashable, Sendable, ExpressibleByArrayLiteral {
  public private(set) var nodes: [NodeID]
  public init(_ nodes: some Sequence<NodeID>) { self.nodes = Set(nodes).sorted() }
  public init(arrayLiteral nodes: NodeID...) { self.init(nodes) }
  public var count: Int { nodes.count }
  public var isEmpty: Bool { nodes.isEmpty }
  public func contains(_ node: NodeID) -> Bool { nodes.contains(node) }
  public func union(_ other: NodeSet) -> NodeSet { NodeSet(nodes + other.nodes) }
  public func adding(_ node: NodeID) -> NodeSet { NodeSet(nodes + [node]) }
  public func subtracting(_ other: NodeSet) -> NodeSet { NodeSet(nodes.filter { !other.contains($0) }) }
  public func removing(_ node: NodeID) -> NodeSet { NodeSet(nodes.filter { $0 != node }) }
}
