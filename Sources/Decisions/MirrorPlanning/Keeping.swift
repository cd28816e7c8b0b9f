public import Vocabulary

// What a leader knows of the source is in its memory. So that the next leader, and a failover after a crash, know of it
// too, the controller writes it into the metadata: now and then, since it is old in a second in any case.

/// What is kept about one partition: what was known of its source, when, and what was given up.
public struct KnownSource: Hashable, Sendable {
  public let end: Offset?
  public let start: Offset?
  /// When the source said so, by the controller's clock.
  public let at: Timestamp
  public let gaps: [Range<Int64>]
  public init(end: Offset?, start: Offset?, at: Timestamp, gaps: [Range<Int64>]) {
    self.end = end
    self.start = start
    self.at = at
    self.gaps = gaps
  }

  /// Nil where the leader knows nothing.
  public init?(_ status: PartitionStatus, now: Timestamp) {
    guard status.sourceEnd != nil && status.age != nil || !status.accepted.isEmpty else { return nil }
    let age = status.age?.milliseconds ?? 0
    self.init(
      end: status.age == nil ? nil : status.sourceEnd, start: status.age == nil ? nil : status.sourceStart,
      at: Timestamp(milliseconds: now.milliseconds - age), gaps: status.accepted)
  }

  /// `at=1700000000000,source.end=120,source.start=0,gaps=50-79/90-99`
  public var text: String {
    var words = ["at=\(at.milliseconds)"]
    if let end { words.append("source.end=\(end.value)") }
    if let start { words.append("source.start=\(start.value)") }
    if !gaps.isEmpty {
      words.append("gaps=" + gaps.map { "\($0.lowerBound)-\($0.upperBound - 1)" }.joined(separator: "/"))
    }
    return words.joined(separator: ",")
  }

  public init?(text: String) {
    var values: [Substring: Substring] = [:]
    for pair in text.split(separator: ",") {
      let halves = pair.split(separator: "=", maxSplits: 1)
      if halves.count == 2 { values[halves[0]] = halves[1] }
    }
    func number(_ key: Substring) -> Int64? { values[key].flatMap { Int64($0) } }
    guard let at = number("at") else { return nil }
    let gaps: [Range<Int64>] = (values["gaps"] ?? "").split(separator: "/").compactMap { part in
      let ends = part.split(separator: "-").compactMap { Int64($0) }
      return ends.count == 2 && ends[0] <= ends[1] && ends[1] < .max ? ends[0]..<ends[1] + 1 : nil
    }
    self.init(
      end: number("source.end").map { Offset($0) }, start: number("source.start").map { Offset($0) },
      at: Timestamp(milliseconds: at), gaps: gaps)
  }

  /// As a leader takes it up again. A clock that went back makes nothing younger than now.
  public func reading(at now: Instant, _ time: Timestamp) -> SourceReading? {
    guard let end, let start else { return nil }
    let age = max(0, time.milliseconds - at.milliseconds)
    return SourceReading(highWatermark: end, logStart: start, at: now + .milliseconds(-age))
  }
}

/// How often what is known is looked at.
public let keepingInterval = TimeSpan.seconds(5)
/// Partitions about which something is written each time, so that the metadata log grows by a bounded rate.
public let keepingMax = 100
/// What has not changed is written anew after this time, so that it does not look older than it is by more.
public let keepingRefresh = TimeSpan.seconds(60)

/// What is to be written: accepted gaps first, then what was written longest ago.
public func planKeeping(
  _ statuses: [TopicPartition: PartitionStatus], kept: [TopicPartition: KnownSource], now: Timestamp
) -> [TopicPartition: KnownSource] {
  var due: [(urgency: Int64, place: TopicPartition, known: KnownSource)] = []
  for (place, status) in statuses {
    guard let known = KnownSource(status, now: now) else { continue }
    guard let old = kept[place] else {
      due.append((.min, place, known))
      continue
    }
    // An older reading than the one that is kept comes of a leader that has just come up.
    guard known.at >= old.at || known.gaps != old.gaps else { continue }
    let isOld = known.at.milliseconds - old.at.milliseconds >= keepingRefresh.milliseconds
    if known.gaps != old.gaps {
      due.append((.min, place, known))
    } else if known.end != old.end || known.start != old.start || isOld {
      due.append((old.at.milliseconds, place, known))
    }
  }
  due.sort { ($0.urgency, $0.place) < ($1.urgency, $1.place) }
  return Dictionary(due.prefix(keepingMax).map { ($0.place, $0.known) }) { first, _ in first }
}
