public import Vocabulary

// The words of transaction coordination: what names a transaction and its producer, and how far it is.

/// A `transactional.id`: any text but the empty one, which Kafka answers with INVALID_REQUEST.
///
/// Two of them are the same only if their bytes are: `String` takes different spellings of a letter for one, whereas
/// the log and Kafka's hash do not.
public struct TransactionalID: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let text: String
  public init(_ text: String) { self.text = text }
  public static func == (a: Self, b: Self) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }
  public static func < (a: Self, b: Self) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }
  // The same bytes are the same String, and have its hash.
  public func hash(into hasher: inout Hasher) { hasher.combine(text) }
  public var description: String { text }
}

/// One life of a producer: its id, and the epoch that tells it from those that had the id before (KIP-98).
public struct ProducerIdentity: Hashable, Sendable, CustomStringConvertible {
  public var id: ProducerID
  public var epoch: ProducerEpoch
  public init(_ id: ProducerID, _ epoch: ProducerEpoch) {
    self.id = id
    self.epoch = epoch
  }
  /// What the wire says for "no producer".
  public static let none = ProducerIdentity(.none, .none)
  public var description: String { "\(id.value)/\(epoch.value)" }
}

/// The states of a transactional id, by the numbers of Kafka's log format.
public enum TransactionState: Int8, Hashable, Sendable, CaseIterable {
  /// It has a producer id, and no transaction since.
  case empty = 0
  /// Partitions have been added.
  case ongoing = 1
  /// It will be committed, whatever comes: the markers are being written.
  case prepareCommit = 2
  /// It will be aborted, whatever comes: the markers are being written.
  case prepareAbort = 3
  /// Every partition has its marker.
  case completeCommit = 4
  case completeAbort = 5
  /// Kafka's word for an id that is being removed; nothing is in this state here.
  case dead = 6
  /// Kafka's word for an epoch that is being raised before an abort; nothing is in this state here.
  case prepareEpochFence = 7

  /// As Kafka's tools print it.
  public var name: String {
    switch self {
    case .empty: "Empty"
    case .ongoing: "Ongoing"
    case .prepareCommit: "PrepareCommit"
    case .prepareAbort: "PrepareAbort"
    case .completeCommit: "CompleteCommit"
    case .completeAbort: "CompleteAbort"
    case .dead: "Dead"
    case .prepareEpochFence: "PrepareEpochFence"
    }
  }

  /// Nil for what is no state's name.
  public init?(name: String) {
    guard let state = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = state
  }
}
