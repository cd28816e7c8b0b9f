public import Vocabulary

/// How many bytes a second may be copied by replicas that are catching up (KIP-73).
///
/// A token bucket. It holds what comes in one second, and it is full at first. The size of an answer is not known
/// before it is read, so that the last one may take more than there is: the bucket goes into debt by that, and nothing
/// more is taken until the debt is paid. Over any longer time the rate holds, but for one second's worth and one answer.
public struct ReplicationQuota: Sendable {
  /// The most that the bucket holds.
  private static let burst = TimeSpan.seconds(1)

  /// Bytes per second. Nil is no limit; with 0 nothing is copied at all.
  public private(set) var rate: Int64?
  /// Bytes, at `counted`; below zero it is a debt.
  private var balance: Double
  private var counted: Instant

  public init(rate: Int64?, at now: Instant) {
    self.rate = rate
    counted = now
    balance = rate.map { Self.capacity($0) } ?? 0
  }

  /// A debt is paid at the new rate, and forgotten without one. What was saved up stays, as far as it fits.
  public mutating func change(rate new: Int64?, at now: Instant) {
    guard let old = rate, let new else {
      self = ReplicationQuota(rate: new, at: now)
      return
    }
    balance = min(available(at: now, old), Self.capacity(new))
    counted = max(counted, now)
    rate = new
  }

  /// - Parameter spent: bytes that will be taken and are not counted yet.
  public func isUsedUp(after spent: Int = 0, at now: Instant) -> Bool {
    guard let rate else { return false }
    return available(at: now, rate) - Double(spent) < 1
  }

  /// When it is used up no more: now or later, and `.never` where the rate is 0.
  public func ready(at now: Instant) -> Instant {
    guard let rate, isUsedUp(at: now) else { return now }
    // A little later, so that rounding never leaves it used up then.
    let nanoseconds = ((1 - available(at: now, rate)) / Double(rate) * 1e9).rounded(.up) + 1000
    guard rate > 0, let span = Int64(exactly: nanoseconds) else { return .never }
    return now + TimeSpan(nanoseconds: span)
  }

  public mutating func take(_ bytes: Int, at now: Instant) {
    guard let rate else { return }
    balance = available(at: now, rate) - Double(bytes)
    counted = max(counted, now)
  }

  private func available(at now: Instant, _ rate: Int64) -> Double {
    let elapsed = Double(max(0, (now - counted).nanoseconds)) / 1e9
    return min(balance + elapsed * Double(rate), Self.capacity(rate))
  }

  private static func capacity(_ rate: Int64) -> Double { Double(rate) * Double(burst.nanoseconds) / 1e9 }
}
