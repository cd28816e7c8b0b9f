import ClusterMetadata
import EventLoop
import Vocabulary

/// What the active controller does now and then: it fences brokers that are silent, and gives leadership back to those
/// who should have it.
struct ControllerUpkeep: Sendable {
  /// Silence is noticed within this share of the session timeout.
  private static let checksPerSession: Int64 = 18
  /// Leaders moved at once: each move interrupts its partition for a moment.
  private static let movesMax = 1000

  private let broker: Broker
  init(_ broker: Broker) { self.broker = broker }

  func start() {
    let reader = broker.settings.reader
    // A broker that is alone sends no heartbeats to itself: while this process runs, it is not silent.
    if broker.settings.quorum != .alone || broker.planted == .fencesWhoIsAlone {
      let session = reader.milliseconds("broker.session.timeout.ms")
      every(max(.milliseconds(10), TimeSpan(nanoseconds: session.nanoseconds / Self.checksPerSession))) { broker in
        broker.controller?.fenceSilent { broker.inherited($0) }
      }
    }
    if reader.flag("auto.leader.rebalance.enable") {
      every(.seconds(Int64(reader.int("leader.imbalance.check.interval.seconds"))), Self.balance)
    }
  }

  private func every(_ interval: TimeSpan, _ work: @escaping @Sendable (Broker) -> Void) {
    let broker = broker
    broker.loops[0].schedule(after: interval) {
      work(broker)
      every(interval, work)
    }
  }

  private static func balance(_ broker: Broker) {
    guard broker.controller?.isActive == true else { return }
    broker.change { draft in
      draft.add(draft.image.electMissingLeaders(inherited: broker.inherited(draft.image)))
      draft.add(draft.image.balanceLeaders(atMost: movesMax, inherited: broker.inherited(draft.image)))
    } then: { _ in
    }
  }
}
