/// A moment on the monotonic clock, in nanoseconds since some start: only differences mean anything,
/// and it never goes back. Deadlines and timers use it.
@frozen public struct Instant: Hashable, Comparable, Sendable {
  public let nanoseconds: Int64
  @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }
  @inlinable public static func + (a: Self, span: TimeSpan) -> Instant {
    let (sum, overflow) = a.nanoseconds.addingReportingOverflow(span.nanoseconds)
    return Instant(nanoseconds: overflow ? .max : sum)
  }
  @inlinable public static func - (a: Self, b: Self) -> TimeSpan {
    TimeSpan(nanoseconds: a.nanoseconds - b.nanoseconds)
  }
  /// Later than every deadline.
  public static let never = Instant(nanoseconds: .max)
}

/// A length of time.
@frozen public struct TimeSpan: Hashable, Comparable, Sendable {
  public let nanoseconds: Int64
  @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }
  @inlinable public static func milliseconds(_ n: Int64) -> TimeSpan {
    let (product, overflow) = n.multipliedReportingOverflow(by: 1_000_000)
    return TimeSpan(nanoseconds: overflow ? (n < 0 ? .min : .max) : product)
  }
  @inlinable public static func seconds(_ n: Int64) -> TimeSpan {
    milliseconds(n.multipliedReportingOverflow(by: 1000).overflow ? .max : n * 1000)
  }
  @inlinable public var milliseconds: Int64 { nanoseconds / 1_000_000 }
  public static let zero = TimeSpan(nanoseconds: 0)
}

/// A time of day as Kafka writes it: milliseconds since 1970 (UTC). It may jump in either direction,
/// so that nothing waits by it; records carry it and retention compares it.
@frozen public struct Timestamp: Hashable, Comparable, Sendable {
  public let milliseconds: Int64
  @inlinable public init(milliseconds: Int64) { self.milliseconds = milliseconds }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.milliseconds < b.milliseconds }
  /// What the wire says for "no time".
  public static let none = Timestamp(milliseconds: -1)
}
