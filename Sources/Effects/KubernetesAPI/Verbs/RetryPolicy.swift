public import Vocabulary

/// Whether and when a request that failed is sent again, before its caller hears of it.
///
/// Only what certainly was not carried out, or may be carried out twice, is sent again. Everything else goes to the
/// caller, whose work queue comes back with a fresh look at what is there.
public struct RetryPolicy: Sendable {
  /// In all, the first one included.
  public var attemptsMax = 4
  /// Before the second attempt; each further pause is twice as long.
  public var first = TimeSpan.milliseconds(100)
  /// No pause of ours is longer; what the server asks for may be.
  public var longest = TimeSpan.seconds(5)
  public init() {}

  public enum Safety: Sendable {
    /// Reading, or writing what comes out the same when it is done twice.
    case repeatable
    /// Done twice it would fail or do harm.
    case once
  }

  /// The pause before the next attempt, nil for none. `chance` is in 0..<1 and spreads those who failed together.
  public func pause(after cause: APIError.Cause, attempt: Int, safety: Safety, chance: Double) -> TimeSpan? {
    guard attempt < attemptsMax, isWorthwhile(cause, safety) else { return nil }
    let doubled = min(longest.nanoseconds, first.nanoseconds << Int64(min(max(attempt, 1) - 1, 30)))
    let spread = TimeSpan(nanoseconds: doubled / 2 + Int64(Double(doubled) / 2 * chance))
    if case .refused(let status) = cause, let asked = status.retryAfter { return max(asked, spread) }
    return spread
  }

  private func isWorthwhile(_ cause: APIError.Cause, _ safety: Safety) -> Bool {
    switch cause {
    // The server was too busy to begin.
    case .refused(let status) where status.code == 429: true
    case .refused(let status) where status.code == 503 && status.retryAfter != nil: true
    case .refused(let status): safety == .repeatable && status.code >= 500 && status.code != 501
    case .notConnected: true
    case .cut: safety == .repeatable
    // The deadline is over for all attempts together.
    case .timedOut, .malformed, .credentials, .fellBehind, .tooLarge, .cancelled: false
    }
  }
}
