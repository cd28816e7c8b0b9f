/// Prometheus' text format, version 0.0.4.
struct Exposition {
  private(set) var bytes: [UInt8] = []
  /// Monotonic, in nanoseconds.
  let time: Int64

  init(time: Int64) { self.time = time }

  mutating func add(_ name: String, _ family: MetricRegistry.Family) {
    let samples = family.collectors.flatMap { $0() }
    // A type without any sample says nothing.
    if family.instruments.isEmpty && samples.isEmpty { return }
    append("# HELP \(name) ")
    appendEscaped(family.help, quotes: false)
    append("\n# TYPE \(name) \(family.kind.rawValue)\n")
    let instruments = family.instruments.sorted { $0.key.isBefore($1.key) }
    for (labels, instrument) in instruments {
      switch instrument {
      case .counter(let counter): sample(name, labels, nil, String(counter.value))
      case .gauge(let gauge): sample(name, labels, nil, String(gauge.value))
      case .histogram(let histogram): add(name, labels, histogram)
      case .summary(let summary): add(name, labels, summary)
      }
    }
    for value in samples { sample(name, value.labels, nil, text(value.value)) }
  }

  private mutating func add(_ name: String, _ labels: MetricLabels, _ histogram: Histogram) {
    let reading = histogram.reading
    for (bound, count) in zip(histogram.bounds + [.infinity], reading.cumulative) {
      sample("\(name)_bucket", labels, ("le", text(bound)), String(count))
    }
    sample("\(name)_sum", labels, nil, text(reading.sum))
    sample("\(name)_count", labels, nil, String(reading.count))
  }

  private mutating func add(_ name: String, _ labels: MetricLabels, _ summary: Summary) {
    let reading = summary.reading(at: time)
    for (quantile, value) in zip(Summary.quantiles, reading.values) {
      sample(name, labels, ("quantile", text(quantile)), text(value))
    }
    sample("\(name)_sum", labels, nil, text(reading.sum))
    sample("\(name)_count", labels, nil, String(reading.count))
  }

  private mutating func sample(
    _ name: String, _ labels: MetricLabels, _ extra: (name: String, value: String)?, _ value: String
  ) {
    append(name)
    var separator = "{"
    for label in labels.pairs {
      append("\(separator)\(label.name)=\"")
      appendEscaped(label.value, quotes: true)
      append("\"")
      separator = ","
    }
    if let extra {
      append("\(separator)\(extra.name)=\"\(extra.value)\"")
      separator = ","
    }
    append(separator == "," ? "} " : " ")
    append(value)
    append("\n")
  }

  private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

  /// Backslashes and newlines are escaped everywhere, quotes only where the text is quoted.
  private mutating func appendEscaped(_ text: String, quotes: Bool) {
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\\"): append("\\\\")
      case UInt8(ascii: "\n"): append("\\n")
      case UInt8(ascii: "\"") where quotes: append("\\\"")
      default: bytes.append(byte)
      }
    }
  }

  private func text(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    let exact = 1e15
    return value == value.rounded() && abs(value) < exact ? String(Int64(value)) : value.description
  }
}

extension MetricLabels {
  func isBefore(_ other: MetricLabels) -> Bool {
    pairs.lexicographicallyPrecedes(other.pairs) { ($0.name, $0.value) < ($1.name, $1.value) }
  }
}
