public import Vocabulary

// Failover: the source cannot be asked any more, and what was copied becomes this cluster's own. Everything that is
// decided stands in the metadata, so that whoever is the controller next goes on where the one before stopped.

/// What is known of one partition when its copying has stopped.
public struct PartitionFinding: Hashable, Sendable {
  /// Where the copy ends: every offset below is here.
  public let end: Offset
  /// The source's high watermark when it was last heard of; nil when this is not known.
  public let sourceEnd: Offset?
  /// How old that knowledge is.
  public let age: TimeSpan?
  /// Transactions that have begun before the end, and have no outcome; nil where this is not known.
  public let open: Int?
  public init(end: Offset, sourceEnd: Offset?, age: TimeSpan?, open: Int? = nil) {
    self.end = end
    self.sourceEnd = sourceEnd
    self.age = age
    self.open = open
  }

  /// Records that are known to be lost; nil when nothing is known. What the source took after it was last heard of comes
  /// on top, and nobody can know how much that is.
  public var knownLoss: Int64? { sourceEnd.map { max(0, $0 - end) } }
}

public enum PromotionStep: Hashable, Sendable {
  /// Leaders that have not said that they stopped.
  case waitFor([TopicPartition])
  case promote(generation: Int32, reports: [TopicName: String])
  case done
}

/// How long leaders are waited for: a partition without a leader must not keep the others from taking writes.
public let promotionPatience = TimeSpan.seconds(10)

/// What is to be done about a mirror that was asked to fail over.
/// - Parameters:
///   - topics: how many partitions each mirrored topic has.
///   - found: what the leaders have said so far.
///   - asked: when this controller first saw the request.
public func planPromotion(
  isPromoted: Bool, generation: Int32, topics: [TopicName: Int], found: [TopicPartition: PartitionFinding],
  asked: Instant, now: Instant
) -> PromotionStep {
  if isPromoted { return .done }
  let all = topics.sorted { $0.key < $1.key }.flatMap { name, count in
    (0..<count).map { TopicPartition(name, PartitionIndex(Int32($0))) }
  }
  let missing = all.filter { found[$0] == nil }
  if !missing.isEmpty, now - asked < promotionPatience { return .waitFor(missing) }
  let next = generation == .max ? generation : generation + 1
  var reports: [TopicName: String] = [:]
  for (name, count) in topics { reports[name] = report(name, count, found, generation: next) }
  return .promote(generation: next, reports: reports)
}

/// One line for a topic: `generation=2;0:end=100,source.end=120,age.ms=350,aborted=1;1:unknown`. What is open when clients
/// begin to write is taken back.
func report(
  _ name: TopicName, _ count: Int, _ found: [TopicPartition: PartitionFinding], generation: Int32
) -> String {
  let parts = (0..<count).map { index in
    guard let finding = found[TopicPartition(name, PartitionIndex(Int32(index)))] else { return "\(index):unknown" }
    let source = finding.sourceEnd.map { String($0.value) } ?? "unknown"
    let age = finding.age.map { String($0.milliseconds) } ?? "unknown"
    return "\(index):end=\(finding.end.value),source.end=\(source),age.ms=\(age)"
      + (finding.open.map { $0 > 0 ? ",aborted=\($0)" : "" } ?? "")
  }
  return (["generation=\(generation)"] + parts).joined(separator: ";")
}

extension PartitionFinding {
  /// The partitions of a report, in order; nil for one of which nothing was known.
  public static func parse(_ report: String) -> [(index: Int, finding: PartitionFinding?)] {
    report.split(separator: ";").compactMap { part in
      guard let colon = part.firstIndex(of: ":"), let index = Int(part[..<colon]) else { return nil }
      var values: [Substring: Int64] = [:]
      for pair in part[part.index(after: colon)...].split(separator: ",") {
        let halves = pair.split(separator: "=", maxSplits: 1)
        if halves.count == 2, let number = Int64(halves[1]) { values[halves[0]] = number }
      }
      guard let end = values["end"] else { return (index, nil) }
      let finding = PartitionFinding(
        end: Offset(end), sourceEnd: values["source.end"].map { Offset($0) },
        age: values["age.ms"].map { .milliseconds($0) }, open: values["aborted"].map { Int(clamping: $0) })
      return (index, finding)
    }
  }
}
