import Synchronization
import Vocabulary

/// By which connection each broker's last heartbeat came: when that one breaks, the broker may be gone.
final class Lifelines: Sendable {
  private let connections = Mutex<[NodeID: UInt64]>([:])

  func heard(_ broker: NodeID, by connection: UInt64) { connections.withLock { $0[broker] = connection } }

  /// Whose last heartbeat came by this connection.
  func closed(_ connection: UInt64) -> NodeID? {
    connections.withLock { connections in
      guard let broker = connections.first(where: { $0.value == connection })?.key else { return nil }
      connections.removeValue(forKey: broker)
      return broker
    }
  }
}
