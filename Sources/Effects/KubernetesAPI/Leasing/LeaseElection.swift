public import Vocabulary

/// What a Lease says (coordination.k8s.io/v1).
public struct LeaseRecord: Sendable, Hashable {
  /// Empty when nobody holds it.
  public var holder: String
  /// How long a holder that is not heard of keeps it; whole seconds.
  public var duration: TimeSpan
  public var acquired: Timestamp?
  public var renewed: Timestamp?
  /// How often the holder changed.
  public var transitions: Int
  public var annotations: [String: String]
  /// What an update has to name.
  public var resourceVersion: String

  public init(
    holder: String, duration: TimeSpan, acquired: Timestamp? = nil, renewed: Timestamp? = nil, transitions: Int = 0,
    annotations: [String: String] = [:], resourceVersion: String = ""
  ) {
    self.holder = holder
    self.duration = duration
    self.acquired = acquired
    self.renewed = renewed
    self.transitions = transitions
    self.annotations = annotations
    self.resourceVersion = resourceVersion
  }
}

/// Whether one Lease on one server is ours, and what to do about it. Pure: the time is an argument.
///
/// Nothing here compares the clocks of two machines. A Lease of another holder has expired when it has not changed for
/// its whole duration while *we* watched; ours holds for its duration after the *sending* of the renewal that
/// succeeded. So we stop believing in it before anybody else may take it, as long as clocks run at about one speed.
public struct LeaseElection: Sendable {
  public enum Decision: Sendable, Hashable {
    /// There is no Lease: create it.
    case create(LeaseRecord)
    /// Write this over the version that was seen, to take or to renew it.
    case write(LeaseRecord)
    /// It belongs to another one, at least until then.
    case wait(until: Instant)
  }

  public let identity: String
  public let duration: TimeSpan
  private var seen: (record: LeaseRecord, since: Instant)?
  private var isKnown = false
  /// Until when it is ours, if nothing else happens.
  public private(set) var heldUntil: Instant?

  /// The duration is a whole number of seconds and at least one.
  public init(identity: String, duration: TimeSpan) {
    self.identity = identity
    self.duration = .seconds(max(1, duration.milliseconds / 1000))
  }

  /// The Lease as it was last read or written.
  public var record: LeaseRecord? { seen?.record }

  public func isHeld(at now: Instant) -> Bool { heldUntil.map { now < $0 } ?? false }

  /// What a read has shown; nil when the server said that there is no Lease. Not to be called when it could not be
  /// asked: then nothing is known, and only time decides.
  public mutating func observed(_ record: LeaseRecord?, at now: Instant) {
    isKnown = true
    guard let record else {
      seen = nil
      heldUntil = nil
      return
    }
    if record.holder != identity { heldUntil = nil }
    if seen?.record.resourceVersion != record.resourceVersion { seen = (record, now) }
  }

  /// What to do now; nil before anything was observed.
  public func decide(at now: Instant, wall: Timestamp, annotations: [String: String]? = nil) -> Decision? {
    guard isKnown else { return nil }
    guard let (record, since) = seen else {
      return .create(fresh(from: nil, wall, annotations))
    }
    if record.holder != identity && !record.holder.isEmpty {
      let expires = since + max(record.duration, .seconds(1))
      if now < expires { return .wait(until: expires) }
    }
    return .write(fresh(from: record, wall, annotations))
  }

  /// A write has succeeded that was sent at this time.
  public mutating func wrote(_ record: LeaseRecord, sentAt: Instant) {
    isKnown = true
    seen = (record, sentAt)
    heldUntil = record.holder == identity ? sentAt + duration : nil
  }

  /// What gives the Lease up, so that another one need not wait; nil when it is not ours. Whoever sends it stops
  /// believing in the Lease first.
  public mutating func release(wall: Timestamp) -> LeaseRecord? {
    heldUntil = nil
    guard var record = seen?.record, record.holder == identity else { return nil }
    record.holder = ""
    record.duration = .seconds(1)
    record.renewed = wall
    return record
  }

  private func fresh(from old: LeaseRecord?, _ wall: Timestamp, _ annotations: [String: String]?) -> LeaseRecord {
    let isRenewal = old?.holder == identity
    return LeaseRecord(
      holder: identity, duration: duration, acquired: isRenewal ? old?.acquired ?? wall : wall, renewed: wall,
      transitions: (old?.transitions ?? 0) + (old == nil || isRenewal ? 0 : 1),
      annotations: annotations ?? old?.annotations ?? [:], resourceVersion: old?.resourceVersion ?? "")
  }
}
