import KafkaClient
import KafkaProtocol
import MirrorPlanning
import Vocabulary

/// What a failover found, as it stands in the metadata of the topics: per partition where the copy ended, what was known
/// of the source, and how old that was.
struct FailoverReport: Sendable {
  private let verb: String
  private let mirror: String
  private let generation: String
  private let promoted: Int64?
  private let entries: [(partition: String, finding: PartitionFinding?)]

  init(_ verb: String, _ mirror: String, _ view: MirrorView, topics: [String], of client: ClusterClient) async throws {
    self.verb = verb
    self.mirror = mirror
    generation = view.settings["generation"] ?? "unknown"
    promoted = view.promoted
    var entries: [(String, PartitionFinding?)] = []
    for topic in topics {
      guard let name = TopicName(topic) else { continue }
      let configs = try await client.configs(of: .topic(name))
      let report = configs.first { $0.name == "mirror.report" }?.value ?? ""
      for (index, finding) in PartitionFinding.parse(report) { entries.append(("\(topic)-\(index)", finding)) }
    }
    self.entries = entries
  }

  var text: String {
    var table = Table("PARTITION", "END", "SOURCE-END", "KNOWN-LOSS", "KNOWN-MS-BEFORE", "ABORTED")
    for (partition, finding) in entries {
      table.add(
        partition, finding.map { String($0.end.value) } ?? "unknown",
        finding?.sourceEnd.map { String($0.value) } ?? "unknown",
        finding?.knownLoss.map { String($0) } ?? "unknown",
        finding?.age.map { String($0.milliseconds) } ?? "unknown", finding.map { String($0.open ?? 0) } ?? "unknown")
    }
    let title = "mirror \(mirror): \(verb) done, generation \(generation)\n" + table.text
    guard verb == "failover" else { return title }
    return title
      + "What the source took after it was last heard of is lost as well, and nobody here can know how much that is.\n"
  }

  var json: JSON {
    func number(_ value: Int64?) -> JSON { value.map { .number($0) } ?? .null }
    return .object([
      "mirror": .string(mirror), "verb": .string(verb), "generation": number(Int64(generation)),
      "promoted": number(promoted),
      "partitions": .array(
        entries.map { partition, finding in
          .object([
            "partition": .string(partition), "end": number(finding?.end.value),
            "sourceEnd": number(finding?.sourceEnd?.value), "knownLoss": number(finding?.knownLoss),
            "knownMillisecondsBefore": number(finding?.age?.milliseconds),
            "abortedTransactions": number(finding.map { Int64($0.open ?? 0) }),
          ])
        }),
    ])
  }
}
