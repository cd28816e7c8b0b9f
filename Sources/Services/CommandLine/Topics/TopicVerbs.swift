import KafkaClient
import KafkaProtocol
import Vocabulary

func listTopics(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  try await Session.run(arguments) { client in
    let topics = try await client.topics().filter { !$0.isInternal || arguments.has("internal") }
    var table = Table("TOPIC", "PARTITIONS", "REPLICAS", "UNDER-REPLICATED")
    for topic in topics {
      table.add(
        topic.name.text, String(topic.partitions.count), String(topic.replication), String(topic.underReplicated))
    }
    try console.show(
      format, table: table.text,
      json: .array(
        topics.map {
          .object([
            "name": .string($0.name.text), "id": .string("\($0.id)"), "internal": .bool($0.isInternal),
            "partitions": .number($0.partitions.count), "replicas": .number($0.replication),
            "underReplicated": .number($0.underReplicated),
          ])
        }))
  }
}

func describeTopics(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  let names = try arguments.positionals.map { try Session.topic($0) }
  try await Session.run(arguments) { client in
    var topics: [TopicView] = []
    for name in names { topics.append(try await client.topic(name)) }
    try console.show(format, table: topics.map(\.table).joined(separator: "\n"), json: .array(topics.map(\.json)))
  }
}

func createTopic(_ arguments: Arguments, _ console: Console) async throws {
  let name = try Session.topic(arguments.positionals[0])
  let partitions: Int32? = try arguments.number("partitions", in: 1...Int32.max)
  let replicas: Int16? = try arguments.number("replication-factor", in: 1...Int16.max)
  let configs = try Arguments.pairs(arguments.texts("config"))
  let intent: Intent = arguments.has("validate-only") ? .validateOnly : .perform
  try await Session.run(arguments) { client in
    do {
      let made = try await client.createTopic(
        name, partitions: partitions, replicas: replicas, configs: configs, intent)
      let what = made.numPartitions > 0 ? " with \(count(Int(made.numPartitions), "partition"))" : ""
      try console.write(intent == .perform ? "created topic \(name)\(what)\n" : "topic \(name) could be made\(what)\n")
    } catch let error as ClientError where error.code == .topicAlreadyExists && arguments.has("if-not-exists") {
      try console.write("topic \(name) is there already\n")
    }
  }
}

func deleteTopics(_ arguments: Arguments, _ console: Console) async throws {
  let names = try arguments.positionals.map { try Session.topic($0) }
  try await Session.run(arguments) { client in
    for name in names {
      do {
        try await client.deleteTopic(name)
        try console.write("deleted topic \(name)\n")
      } catch let error as ClientError where error.code == .unknownTopicOrPartition && arguments.has("if-exists") {
        try console.write("topic \(name) is not there\n")
      }
    }
  }
}

func addPartitions(_ arguments: Arguments, _ console: Console) async throws {
  let name = try Session.topic(arguments.positionals[0])
  guard let total: Int32 = try arguments.number("total", in: 1...Int32.max) else {
    throw UsageError("topics add-partitions needs --total N")
  }
  let intent: Intent = arguments.has("validate-only") ? .validateOnly : .perform
  try await Session.run(arguments) { client in
    try await client.addPartitions(to: name, total: total, intent)
    let words = intent == .perform ? "has" : "could have"
    try console.write("topic \(name) \(words) \(count(Int(total), "partition"))\n")
  }
}

func showOffsets(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  let name = try Session.topic(arguments.positionals[0])
  try await Session.run(arguments) { client in
    let starts = try await client.offsets(of: name, at: .earliest)
    let ends = try await client.offsets(of: name, at: .latest)
    var table = Table("PARTITION", "START", "END", "RECORDS")
    var rows: [JSON] = []
    for ((partition, start), (_, end)) in zip(starts, ends) {
      // Compaction and control records leave holes: it is what there may be at most.
      let records = max(0, end - start)
      table.add(String(partition.value), String(start.value), String(end.value), String(records))
      rows.append(
        .object([
          "partition": .number(partition.value), "start": .number(start.value), "end": .number(end.value),
          "records": .number(records),
        ]))
    }
    try console.show(format, table: table.text, json: .array(rows))
  }
}

/// `1 partition`, `2 partitions`.
func count(_ number: Int, _ thing: String) -> String { "\(number) \(thing)\(number == 1 ? "" : "s")" }

extension TopicView {
  var replication: Int { partitions.map(\.replicas.count).max() ?? 0 }
  var underReplicated: Int { partitions.filter { $0.inSync.count < $0.replicas.count }.count }

  var table: String {
    var table = Table("PARTITION", "LEADER", "EPOCH", "REPLICAS", "IN-SYNC", "OFFLINE")
    for partition in partitions {
      table.add(
        String(partition.index.value), partition.leader.map { String($0.value) } ?? "-",
        String(partition.leaderEpoch.value), list(partition.replicas), list(partition.inSync),
        list(partition.offline))
    }
    let title = "\(name)  id \(id)  \(count(partitions.count, "partition"))  \(count(replication, "replica"))"
    return title + (isInternal ? "  internal" : "") + "\n" + table.text
  }

  private func list(_ nodes: [NodeID]) -> String {
    nodes.isEmpty ? "-" : nodes.map { String($0.value) }.joined(separator: ",")
  }

  var json: JSON {
    func numbers(_ nodes: [NodeID]) -> JSON { .array(nodes.map { .number($0.value) }) }
    return .object([
      "name": .string(name.text), "id": .string("\(id)"), "internal": .bool(isInternal),
      "partitions": .array(
        partitions.map { partition in
          .object([
            "partition": .number(partition.index.value),
            "leader": partition.leader.map { .number($0.value) } ?? .null,
            "leaderEpoch": .number(partition.leaderEpoch.value), "replicas": numbers(partition.replicas),
            "inSync": numbers(partition.inSync), "offline": numbers(partition.offline),
          ])
        }),
    ])
  }
}
