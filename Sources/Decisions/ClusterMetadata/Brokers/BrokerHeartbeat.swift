public import Vocabulary

/// What a broker says of itself every few seconds (KIP-631).
public struct BrokerHeartbeat: Sendable {
  public enum Wish: Sendable, Equatable { case serve, beFenced, stop }

  public let broker: NodeID
  public let epoch: Int64
  public let wish: Wish
  /// Whether it has read the metadata up to its own registration.
  public let hasReadItsRegistration: Bool
  /// `BrokerSessions.everyoneElseKnows`: what a broker that stops waits for.
  public let othersKnowItStops: Bool

  public init(
    broker: NodeID, epoch: Int64, wish: Wish, hasReadItsRegistration: Bool, othersKnowItStops: Bool = false
  ) {
    self.broker = broker
    self.epoch = epoch
    self.wish = wish
    self.hasReadItsRegistration = hasReadItsRegistration
    self.othersKnowItStops = othersKnowItStops
  }
}

public struct HeartbeatAnswer: Sendable, Equatable {
  public let isFenced: Bool
  /// Whether the broker may end now: it leads nothing, and the others know.
  public let mayStop: Bool
}

extension MetadataImage {
  /// BrokerHeartbeat: unfences a broker that is ready, fences one that asks for it, and leads one out that stops.
  public func heartbeat(
    _ beat: BrokerHeartbeat, inherited: ConfigResolution = ConfigResolution(fixed: [:])
  ) -> Decision<Result<HeartbeatAnswer, Refusal>> {
    do throws(Refusal) {
      let broker = try registration(of: beat.broker, epoch: beat.epoch)
      func answer(_ records: [MetadataRecord], isFenced: Bool, mayStop: Bool) -> Decision<
        Result<HeartbeatAnswer, Refusal>
      > {
        Decision(records: records, answer: .success(HeartbeatAnswer(isFenced: isFenced, mayStop: mayStop)))
      }
      switch (beat.wish, broker.isFenced) {
      case (.stop, true): return answer([], isFenced: true, mayStop: true)
      case (.beFenced, true): return answer([], isFenced: true, mayStop: false)
      case (.serve, true):
        guard beat.hasReadItsRegistration || planted == .unfencesTheUninformed else {
          return answer([], isFenced: true, mayStop: false)
        }
        return answer(unfence(broker, inherited: inherited), isFenced: false, mayStop: false)
      case (.serve, false): return answer([], isFenced: false, mayStop: false)
      case (.beFenced, false):
        return answer(fence(broker.id, inherited: inherited), isFenced: true, mayStop: false)
      case (.stop, false):
        let records = beginShutdown(of: broker, inherited: inherited)
        let knows = broker.isShuttingDown && beat.othersKnowItStops
        return answer(records, isFenced: false, mayStop: knows && records.isEmpty && !leadsAnything(broker.id))
      }
    } catch {
      return Decision(records: [], answer: .failure(error))
    }
  }

  /// STALE_BROKER_EPOCH for whoever speaks for an earlier registration.
  func registration(of id: NodeID, epoch: Int64) throws(Refusal) -> BrokerRegistration {
    guard let broker = brokers[id] else {
      throw Refusal(.brokerIdNotRegistered, "Broker \(id.value) is not registered.")
    }
    guard broker.epoch == epoch else {
      throw Refusal(
        .staleBrokerEpoch,
        "Broker \(id.value) spoke with the epoch \(epoch); it is registered with the epoch \(broker.epoch).")
    }
    return broker
  }

  private func leadsAnything(_ broker: NodeID) -> Bool {
    topics.values.contains { $0.partitions.contains { $0.leader == broker } }
  }
}
