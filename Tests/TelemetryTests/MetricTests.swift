import Testing

@testable import Telemetry

private func lines(_ registry: MetricRegistry) -> [String] {
  String(decoding: registry.exposition(), as: UTF8.self).split(separator: "\n").map(String.init)
}

@Suite struct MetricTests {
  @Test func familiesAreShownOnceWithHelpAndType() {
    let registry = MetricRegistry()
    registry.counter("b_total", help: "What\nthis \\ is \"for\".", labels: ["topic": "t2"]).add(5)
    registry.counter("b_total", help: "ignored", labels: ["topic": "t1"]).add()
    registry.gauge("a", help: "First.").set(-3)
    registry.gauge("c", help: "Computed.") { 0.25 }
    #expect(
      lines(registry) == [
        "# HELP a First.", "# TYPE a gauge", "a -3",
        #"# HELP b_total What\nthis \\ is "for"."#, "# TYPE b_total counter",
        #"b_total{topic="t1"} 1"#, #"b_total{topic="t2"} 5"#,
        "# HELP c Computed.", "# TYPE c gauge", "c 0.25",
      ])
  }

  @Test func labelValuesAreEscaped() {
    let registry = MetricRegistry()
    registry.gauge("g", help: "", labels: ["a": "x\"y\\z\n", "b": ""]).set(1)
    #expect(lines(registry).last == #"g{a="x\"y\\z\n",b=""} 1"#)
  }

  @Test func theSameNameAndLabelsAreTheSameInstrument() {
    let registry = MetricRegistry()
    let first = registry.counter("c_total", help: "", labels: ["k": "v"])
    #expect(registry.counter("c_total", help: "", labels: ["k": "v"]) === first)
    #expect(registry.counter("c_total", help: "", labels: ["k": "w"]) !== first)
  }

  @Test func aHistogramIsCumulativeAndEndsAtInfinity() {
    let registry = MetricRegistry()
    let histogram = registry.histogram("h", help: "", labels: ["a": "b"], bounds: [0.1, 1, 10])
    for value in [0.05, 0.1, 0.5, 20] { histogram.observe(value) }
    #expect(
      lines(registry).dropFirst(2) == [
        #"h_bucket{a="b",le="0.1"} 2"#, #"h_bucket{a="b",le="1"} 3"#, #"h_bucket{a="b",le="10"} 3"#,
        #"h_bucket{a="b",le="+Inf"} 4"#, #"h_sum{a="b"} 20.65"#, #"h_count{a="b"} 4"#,
      ])
  }

  @Test func aSummarysQuantilesAreWithinSixPercent() {
    let summary = Summary(scale: 0.001)
    for value in 1...100_000 { summary.observe(value) }
    let reading = summary.reading(at: 1)
    for (quantile, value) in zip(Summary.quantiles, reading.values) {
      #expect(abs(value - quantile * 100) <= quantile * 100 * 0.065)
    }
    #expect(reading.count == 100_000)
    #expect(reading.sum == 5_000_050)
  }

  @Test(arguments: [0, 1, 7, 8, 9, 1000, Int.max]) func everyValueHasACell(value: Int) {
    let summary = Summary(scale: 1)
    summary.observe(value)
    let shown = summary.reading(at: 1).values[0]
    #expect(abs(shown - Double(value)) <= Double(value) * 0.065)
  }

  @Test func whatASummarySawLongAgoDoesNotCountForItsQuantiles() {
    let summary = Summary(scale: 1)
    let second: Int64 = 1_000_000_000
    summary.observe(1000)
    #expect(summary.reading(at: 1 * second).values[0] > 900)
    summary.observe(10)
    #expect(summary.reading(at: 70 * second).values[0] < 1001)
    let later = summary.reading(at: 140 * second)
    #expect(later.values.allSatisfy { $0.isNaN } || later.values[0] < 11)
    let empty = summary.reading(at: 1000 * second)
    #expect(empty.values.allSatisfy { $0.isNaN })
    #expect(empty.count == 2 && empty.sum == 1010)
  }

  @Test func whatIsCollectedIsAskedForEachTime() {
    let registry = MetricRegistry()
    let source = Gauge()
    registry.collect("size", help: "", kind: .gauge) {
      (0..<source.value).map { MetricSample(["partition": "\($0)"], Double($0) * 1.5) }
    }
    #expect(lines(registry).isEmpty)
    source.set(2)
    #expect(lines(registry).dropFirst(2) == [#"size{partition="0"} 0"#, #"size{partition="1"} 1.5"#])
  }

  @Test func theInstrumentsOfADeletedTopicAreForgotten() {
    let registry = MetricRegistry()
    registry.counter("c_total", help: "", labels: ["topic": "gone", "x": "1"]).add()
    registry.counter("c_total", help: "", labels: ["topic": "kept"]).add()
    registry.forget(label: "topic", value: "gone")
    #expect(lines(registry).dropFirst(2) == [#"c_total{topic="kept"} 1"#])
  }

  @Test func notANumberAndInfinityHaveTheirWords() {
    let registry = MetricRegistry()
    registry.collect("v", help: "", kind: .gauge) {
      [Double.nan, .infinity, -.infinity, 1e20, 1e-7].map { MetricSample([:], $0) }
    }
    #expect(lines(registry).dropFirst(2) == ["v NaN", "v +Inf", "v -Inf", "v 1e+20", "v 1e-07"])
  }

  @Test func theProcessDescribesItself() throws {
    let registry = MetricRegistry()
    registry.addProcessMetrics()
    var values: [String: Double] = [:]
    for line in lines(registry) where !line.hasPrefix("#") {
      let parts = line.split(separator: " ")
      values[String(parts[0])] = Double(parts[1])
    }
    #expect(try #require(values["process_resident_memory_bytes"]) > 1_000_000)
    #expect(try #require(values["process_cpu_seconds_total"]) > 0)
    #expect(try #require(values["process_open_fds"]) >= 3)
    let age = Double(now(0)) / 1e9 - (try #require(values["process_start_time_seconds"]))
    #expect(age > -2 && age < 3600)
  }
}
