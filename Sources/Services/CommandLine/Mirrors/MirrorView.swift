import KafkaClient
import KafkaProtocol
import MirrorPlanning
import Vocabulary

/// A mirror as its cluster's brokers describe it: each knows the partitions that it leads.
struct MirrorView: Sendable {
  let name: String
  let settings: [String: String]
  let partitions: [(name: String, status: PartitionStatus)]
  /// What the controller leaves out, by topic; an empty name is for the mirror as a whole.
  let problems: [(topic: String, problem: String)]
  /// Brokers that could not be asked: what they lead is missing above.
  let silent: [NodeID]

  /// What was cut off from copies, by partition, and where it is kept.
  var setAside: [(partition: String, what: SetAside)] {
    settings.filter { $0.key.hasPrefix("aside.") }.sorted { $0.key < $1.key }.flatMap { key, list in
      SetAside.parse(list: list).map { (String(key.dropFirst("aside.".count)), $0) }
    }
  }

  /// Whether the old owner takes no more writes, after a failover; nil where nobody makes sure of it.
  private var isSourceClosed: Bool? {
    guard promoted != nil, settings["state"] == "failover", settings["source.fencing.enable"] != "false" else {
      return nil
    }
    return settings["source.fenced"] == settings["generation"]
  }

  /// Bytes a second that each broker takes from the source; nil where there is no limit.
  var throttledRate: Int64? {
    settings["mirror.throttled.rate"].flatMap { Int64($0) }.flatMap { $0 == .max ? nil : $0 }
  }

  private static func takesSteps(_ state: String?) -> Bool {
    state == "failback" || state == "switchover" || state == "failover"
  }

  var promoted: Int64? { settings["promoted"].flatMap { Int64($0) } }
  var topics: [String] {
    Set(partitions.map { String($0.name.prefix(upTo: $0.name.lastIndex(of: "-") ?? $0.name.endIndex)) }).sorted()
  }

  init(_ name: String, of client: ClusterClient) async throws {
    self.name = name
    let nodes = try await client.refreshMetadata([]).brokers.map { NodeID($0.nodeID) }.sorted()
    var settings: [String: String] = [:]
    var partitions: [(String, PartitionStatus)] = []
    var problems: [(String, String)] = []
    var silent: [NodeID] = []
    var isPromotedEverywhere = true
    for node in nodes {
      let answer: [DescribeConfigsResponse.Config]
      do throws(ClientError) {
        answer = try await client.configs(of: .mirror(name), from: node)
      } catch {
        if case .refused = error { throw error }
        silent.append(node)
        continue
      }
      // A broker that has not read of it yet still refuses writes.
      if !answer.contains(where: { $0.name == "promoted" && $0.value != nil }) { isPromotedEverywhere = false }
      for config in answer {
        let value = config.value ?? ""
        if config.name.hasPrefix("status.partition.") {
          let partition = String(config.name.dropFirst("status.partition.".count))
          if let status = PartitionStatus(text: value) { partitions.append((partition, status)) }
        } else if config.name.hasPrefix("status.problem.") {
          problems.append((String(config.name.dropFirst("status.problem.".count)), value))
        } else if let value = config.value, !config.name.hasPrefix("status.") {
          // A broker that has not read yet that it is done may still be at it.
          if config.name == "state", Self.takesSteps(settings["state"]) { continue }
          settings[config.name] = value
        }
      }
    }
    if !isPromotedEverywhere { settings["promoted"] = nil }
    self.settings = settings
    self.partitions = partitions.sorted { $0.0 < $1.0 }
    self.problems = problems
    self.silent = silent
  }

  private var state: String { promoted == nil ? settings["state"] ?? "unknown" : "promoted" }

  var text: String {
    let source = settings["source.cluster.id"] ?? "a cluster that was not reached yet"
    var text = "mirror \(name): \(state), from \(source) at \(settings["bootstrap.servers"] ?? "-"), "
    text += "generation \(settings["generation"] ?? "-")\n"
    if let throttledRate { text += "each broker takes at most \(throttledRate) bytes a second from the source\n" }
    switch isSourceClosed {
    case nil: break
    case true?: text += "the source takes no more writes to these topics\n"
    case false?: text += "the source does not know yet that these topics have another owner\n"
    }
    var table = Table("PARTITION", "STATE", "START", "END", "SOURCE-END", "LAG", "READ-MS-AGO", "REASON")
    for (name, status) in partitions {
      table.add(
        name, status.state.rawValue, String(status.start.value), String(status.end.value),
        status.sourceEnd.map { String($0.value) } ?? "unknown", status.lag.map { String($0) } ?? "unknown",
        status.age.map { String($0.milliseconds) } ?? "unknown", Self.reason(status))
    }
    if !partitions.isEmpty { text += table.text }
    if !setAside.isEmpty { text += "\n" + setAsideText }
    for (topic, problem) in problems { text += "left out: \(topic.isEmpty ? "everything" : topic): \(problem)\n" }
    for node in silent { text += "broker \(node.value) did not answer: what it leads is missing here\n" }
    return text
  }

  var setAsideText: String {
    var table = Table("SET-ASIDE", "FROM", "TO", "RECORDS", "BYTES", "BROKER", "FILE")
    for (partition, what) in setAside {
      table.add(
        partition, String(what.range.lowerBound), String(what.range.upperBound - 1), String(what.records),
        String(what.bytes), String(what.broker.value), what.path)
    }
    return table.text
  }

  var setAsideJSON: JSON {
    .array(
      setAside.map { partition, what in
        .object([
          "partition": .string(partition), "from": .number(what.range.lowerBound), "to": .number(what.range.upperBound),
          "records": .number(what.records), "bytes": .number(what.bytes), "broker": .number(what.broker.value),
          "file": .string(what.path),
        ])
      })
  }

  private static func reason(_ status: PartitionStatus) -> String {
    let gaps = status.accepted.map { "\($0.lowerBound)-\($0.upperBound - 1)" }
    let parts = [status.reason, gaps.isEmpty ? nil : "gaps accepted: \(gaps.joined(separator: ", "))"]
    let text = parts.compactMap { $0 }.joined(separator: "; ")
    return text.isEmpty ? "-" : text
  }

  var json: JSON {
    func number(_ value: Int64?) -> JSON { value.map { .number($0) } ?? .null }
    return .object([
      "name": .string(name), "state": .string(state), "bootstrapServers": .string(settings["bootstrap.servers"]),
      "sourceClusterId": .string(settings["source.cluster.id"]),
      "generation": number(settings["generation"].flatMap { Int64($0) }), "promoted": number(promoted),
      "sourceClosed": isSourceClosed.map { .bool($0) } ?? .null,
      "topics": .string(settings["topics"]), "groups": .string(settings["groups"]),
      "gapPolicy": .string(settings["gap.policy"]), "throttledRate": number(throttledRate),
      "partitions": .array(
        partitions.map { name, status in
          .object([
            "partition": .string(name), "state": .string(status.state.rawValue), "start": .number(status.start.value),
            "end": .number(status.end.value), "sourceEnd": number(status.sourceEnd?.value),
            "lag": number(status.lag), "openTransactions": number(status.open.map { Int64($0) }),
            "readMillisecondsAgo": number(status.age?.milliseconds),
            "gaps": .array(
              status.accepted.map {
                .object(["from": .number($0.lowerBound), "to": .number($0.upperBound)])
              }), "copiedBytes": number(status.copied), "reason": .string(status.reason),
          ])
        }),
      "setAside": setAsideJSON,
      "problems": .array(
        problems.map { .object(["topic": .string($0.topic), "problem": .string($0.problem)]) }),
      "silentBrokers": .array(silent.map { .number($0.value) }),
    ])
  }
}
