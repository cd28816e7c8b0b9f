import Vocabulary

/// When to try again: after each failure in a row the pause doubles, up to a limit, and a part of it is left to
/// chance, so that clients that failed together do not come back together.
struct Backoff: Sendable, Hashable {
  let first: TimeSpan
  let most: TimeSpan
  private(set) var failures = 0

  init(first: TimeSpan, most: TimeSpan) {
    self.first = first
    self.most = most
  }

  /// The pause after one more failure. `chance` is 0 to 255, for 80 % to 120 % of the pause.
  mutating func fail(chance: UInt8) -> TimeSpan {
    let doublings = min(failures, 20)
    failures += 1
    let pause = min(first.nanoseconds << Int64(doublings), most.nanoseconds)
    return TimeSpan(nanoseconds: pause / 5 * 4 + pause / 5 * 2 * Int64(chance) / 255)
  }

  mutating func succeed() { failures = 0 }
}
