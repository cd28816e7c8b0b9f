import Synchronization

/// A number that only rises.
final class Counter: Sendable {
  private let count = Atomic<Int>(0)
  func add(_ n: Int) { count.wrappingAdd(n, ordering: .relaxed) }
  var value: Int { count.load(ordering: .relaxed) }
}

/// What the broker counts.
struct BrokerMetrics: Sendable {
  let bytesIn = Counter()
  let bytesOut = Counter()
  let recordsIn = Counter()
  let refusedProduces = Counter()
  let requests = Counter()
}
