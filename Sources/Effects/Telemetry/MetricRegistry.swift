import Glibc
import Synchronization

/// The labels of a metric, in the order in which they are shown.
public struct MetricLabels: Hashable, Sendable, ExpressibleByDictionaryLiteral {
  let pairs: [Pair]
  struct Pair: Hashable, Sendable {
    let name: String
    let value: String
  }

  public init(dictionaryLiteral elements: (String, String)...) {
    pairs = elements.map { name, value in
      precondition(isMetricName(name) && !name.utf8.contains(UInt8(ascii: ":")), "not a label's name: \(name)")
      return Pair(name: name, value: value)
    }
  }
}

/// One value of a metric that is computed when it is asked for.
public struct MetricSample: Sendable {
  let labels: MetricLabels
  let value: Double
  public init(_ labels: MetricLabels = [:], _ value: Double) {
    self.labels = labels
    self.value = value
  }
}

/// The metrics of a process. Names are the caller's, such as `kafka_server_brokertopicmetrics_messagesin_total`.
///
/// An instrument is looked up once and kept: updating it takes no lock here. The same name and labels give the same
/// instrument; a name that is used for two kinds of instruments is a bug and traps.
public final class MetricRegistry: Sendable {
  public enum Kind: String, Sendable {
    case counter, gauge, histogram, summary
  }
  enum Instrument: Sendable {
    case counter(Counter)
    case gauge(Gauge)
    case histogram(Histogram)
    case summary(Summary)
  }
  struct Family: Sendable {
    let help: String
    let kind: Kind
    var instruments: [MetricLabels: Instrument] = [:]
    /// Asked each time the metrics are shown.
    var collectors: [@Sendable () -> [MetricSample]] = []
  }
  private let families = Mutex<[String: Family]>([:])

  public init() {}

  public func counter(_ name: String, help: String, labels: MetricLabels = [:]) -> Counter {
    let found = instrument(name, help, .counter, labels) { .counter(Counter()) }
    guard case .counter(let counter) = found else { preconditionFailure("\(name) is no counter") }
    return counter
  }

  public func gauge(_ name: String, help: String, labels: MetricLabels = [:]) -> Gauge {
    let found = instrument(name, help, .gauge, labels) { .gauge(Gauge()) }
    guard case .gauge(let gauge) = found else { preconditionFailure("\(name) is no gauge") }
    return gauge
  }

  /// `bounds` are the upper bounds of the buckets, in rising order, without infinity.
  public func histogram(
    _ name: String, help: String, labels: MetricLabels = [:], bounds: [Double]
  ) -> Histogram {
    let found = instrument(name, help, .histogram, labels) { .histogram(Histogram(bounds: bounds)) }
    guard case .histogram(let histogram) = found else { preconditionFailure("\(name) is no histogram") }
    return histogram
  }

  /// Observations are whole numbers; what is shown is their product with `scale`, such as 0.001 for observations in
  /// microseconds that are shown in milliseconds.
  public func summary(
    _ name: String, help: String, labels: MetricLabels = [:], scale: Double = 1
  ) -> Summary {
    let found = instrument(name, help, .summary, labels) { .summary(Summary(scale: scale)) }
    guard case .summary(let summary) = found else { preconditionFailure("\(name) is no summary") }
    return summary
  }

  /// For values that are there anyway, or whose labels come and go: `collect` gives them whenever they are asked for,
  /// on the thread that asks. Only counters and gauges.
  public func collect(
    _ name: String, help: String, kind: Kind, _ collect: @escaping @Sendable () -> [MetricSample]
  ) {
    precondition(kind == .counter || kind == .gauge, "only counters and gauges are collected")
    withFamily(name, help, kind) { $0.collectors.append(collect) }
  }

  /// A gauge without labels that is computed when it is asked for.
  public func gauge(_ name: String, help: String, _ value: @escaping @Sendable () -> Double) {
    collect(name, help: help, kind: .gauge) { [MetricSample([:], value())] }
  }

  /// Forgets the instruments whose label has this value, such as those of a topic that was deleted.
  public func forget(label: String, value: String) {
    let pair = MetricLabels.Pair(name: label, value: value)
    families.withLock { families in
      for name in Array(families.keys) {
        families[name]?.instruments.removeAll(labelled: pair)
      }
    }
  }

  /// Lets go of all of them, and of what their values are asked from.
  public func removeAll() {
    _ = families.withLock { families in
      defer { families = [:] }
      return families
    }
  }

  /// All metrics in Prometheus' text format, version 0.0.4.
  public func exposition() -> [UInt8] {
    let snapshot = families.withLock { $0 }
    var text = Exposition(time: now(CLOCK_MONOTONIC))
    for (name, family) in snapshot.sorted(by: { $0.key < $1.key }) { text.add(name, family) }
    return text.bytes
  }
  /// What goes with `exposition()` as Content-Type.
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  private func instrument(
    _ name: String, _ help: String, _ kind: Kind, _ labels: MetricLabels, _ make: () -> Instrument
  ) -> Instrument {
    withFamily(name, help, kind) { family in
      if let found = family.instruments[labels] { return found }
      let made = make()
      family.instruments[labels] = made
      return made
    }
  }

  private func withFamily<Result: Sendable>(
    _ name: String, _ help: String, _ kind: Kind, _ body: (inout Family) -> Result
  ) -> Result {
    precondition(isMetricName(name), "not a metric's name: \(name)")
    return families.withLock { families in
      var family = families[name] ?? Family(help: help, kind: kind)
      precondition(family.kind == kind, "\(name) is a \(family.kind.rawValue), not a \(kind.rawValue)")
      defer { families[name] = family }
      return body(&family)
    }
  }
}

extension [MetricLabels: MetricRegistry.Instrument] {
  fileprivate mutating func removeAll(labelled pair: MetricLabels.Pair) {
    self = filter { !$0.key.pairs.contains(pair) }
  }
}

/// Letters, digits, `_` and `:`, and no digit at the start.
private func isMetricName(_ name: String) -> Bool {
  guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
  return name.utf8.allSatisfy { byte in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: ":"):
      true
    default: false
    }
  }
}
