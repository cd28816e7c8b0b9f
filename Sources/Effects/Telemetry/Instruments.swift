import Synchronization

/// Only rises.
public final class Counter: Sendable {
  private let total = Atomic<Int>(0)
  init() {}
  public func add(_ count: Int = 1) { total.wrappingAdd(count, ordering: .relaxed) }
  public var value: Int { total.load(ordering: .relaxed) }
}

/// Rises and falls.
public final class Gauge: Sendable {
  private let current = Atomic<Int>(0)
  init() {}
  public func set(_ value: Int) { current.store(value, ordering: .relaxed) }
  public func add(_ difference: Int) { current.wrappingAdd(difference, ordering: .relaxed) }
  public var value: Int { current.load(ordering: .relaxed) }
}

/// Counts observations in buckets whose upper bounds are fixed, so that histograms of several processes can be added.
public final class Histogram: Sendable {
  private final class Cell: Sendable {
    let count = Atomic<Int>(0)
  }
  let bounds: [Double]
  /// One more than there are bounds: the last has none.
  private let cells: [Cell]
  /// The bits of a Double, which has no atomic addition.
  private let sum = Atomic<UInt64>(0)

  init(bounds: [Double]) {
    precondition(zip(bounds, bounds.dropFirst()).allSatisfy(<), "bounds have to rise")
    self.bounds = bounds
    cells = (0...bounds.count).map { _ in Cell() }
  }

  public func observe(_ value: Double) {
    let place = bounds.firstIndex { value <= $0 } ?? bounds.count
    cells[place].count.wrappingAdd(1, ordering: .relaxed)
    var seen = sum.load(ordering: .relaxed)
    while true {
      let added = (Double(bitPattern: seen) + value).bitPattern
      let (isExchanged, original) = sum.weakCompareExchange(expected: seen, desired: added, ordering: .relaxed)
      if isExchanged { return }
      seen = original
    }
  }

  struct Reading {
    /// Each with those below it.
    let cumulative: [Int]
    let sum: Double
    var count: Int { cumulative.last ?? 0 }
  }
  var reading: Reading {
    var total = 0
    let cumulative = cells.map { cell in
      total += cell.count.load(ordering: .relaxed)
      return total
    }
    return Reading(cumulative: cumulative, sum: Double(bitPattern: sum.load(ordering: .relaxed)))
  }
}

/// Quantiles of whole numbers (durations in microseconds, sizes in bytes) over the last one to two minutes, or since the
/// last reading but one if that is longer ago, within 6 %; with the sum and the count of all that was ever observed.
public final class Summary: Sendable {
  public static let quantiles: [Double] = [0.5, 0.75, 0.95, 0.98, 0.99, 0.999]
  private static let windowLength: Int64 = 60_000_000_000
  /// Each power of two is divided in so many parts.
  private static let partsLog = 3
  private static let cellCount = (64 - partsLog) << partsLog

  private struct State {
    // Nothing is allocated for what is never observed.
    var current: [UInt32] = []
    var previous: [UInt32] = []
    var count = 0
    var sum = 0
    var turned: Int64?
  }
  private let state = Mutex(State())
  /// What an observation is multiplied by when it is shown.
  let scale: Double

  init(scale: Double) { self.scale = scale }

  /// Values below 0 count as 0.
  public func observe(_ value: Int) {
    let value = max(0, value)
    let cell = Self.cell(of: UInt64(value))
    state.withLock { state in
      if state.current.isEmpty { state.current = [UInt32](repeating: 0, count: Self.cellCount) }
      state.current[cell] &+= 1
      state.count += 1
      state.sum &+= value
    }
  }

  struct Reading {
    /// In the order of `Summary.quantiles`; NaN without an observation.
    let values: [Double]
    let sum: Double
    let count: Int
  }

  /// Windows are turned by those who read: what nobody reads needs no clock.
  func reading(at time: Int64) -> Reading {
    let (cells, count, sum) = state.withLock { state in
      let turned = state.turned ?? time
      state.turned = turned
      if time - turned >= Self.windowLength {
        state.previous = state.current
        state.current = []
        state.turned = time
      }
      return (Self.added(state.current, state.previous), state.count, state.sum)
    }
    let values = Self.quantiles.map { Self.quantile($0, of: cells).map { $0 * scale } ?? .nan }
    return Reading(values: values, sum: Double(sum) * scale, count: count)
  }

  private static func added(_ a: [UInt32], _ b: [UInt32]) -> [UInt32] {
    if a.isEmpty { return b }
    if b.isEmpty { return a }
    return zip(a, b).map { $0 &+ $1 }
  }

  private static func quantile(_ quantile: Double, of cells: [UInt32]) -> Double? {
    let total = cells.reduce(0) { $0 + Int($1) }
    guard total > 0 else { return nil }
    let rank = max(1, Int((Double(total) * quantile).rounded(.up)))
    var seen = 0
    for (cell, count) in cells.enumerated() {
      seen += Int(count)
      if seen >= rank { return middle(of: cell) }
    }
    return nil
  }

  /// Small values have a cell each; above, the top bits decide.
  private static func cell(of value: UInt64) -> Int {
    let parts = 1 << partsLog
    if value < UInt64(parts) { return Int(value) }
    let power = 63 - value.leadingZeroBitCount
    let part = Int(value >> UInt64(power - partsLog)) & (parts - 1)
    return (power - partsLog + 1) << partsLog + part
  }

  private static func middle(of cell: Int) -> Double {
    let parts = 1 << partsLog
    if cell < parts { return Double(cell) }
    let power = cell >> partsLog + partsLog - 1
    let width = Double(UInt64(1) << UInt64(power - partsLog))
    let start = Double(parts + cell & (parts - 1)) * width
    return start + (width - 1) / 2
  }
}
