import KafkaClient
import Vocabulary

let moveCommands: [Command] = [
  Command(
    "topics", "reassign", "Moves a partition to other brokers, or cancels that.", operands: "NAME", count: 1...1,
    options: [
      .value("partition", "N", "which partition"),
      .value("replicas", "ID[,…]", "the brokers that are to have it; the first is to lead"),
      .flag("cancel", "puts the replicas back that a move has not finished with"), .bootstrap,
    ], perform: reassign),
  Command(
    "topics", "reassignments", "Lists the partitions that are being moved.", options: [.output, .bootstrap],
    perform: listReassignments),
  Command(
    "topics", "elect", "Gives leadership back to the first replica of each partition.", operands: "[NAME]",
    count: 0...1,
    options: [
      .flag("all", "of every topic, instead of one"), .value("partition", "N", "only this partition"),
      .flag("unclean", "makes anyone who is alive the leader where nobody in sync is; records may be lost"),
      .output, .bootstrap,
    ], perform: elect),
]

private func reassign(_ arguments: Arguments, _ console: Console) async throws {
  let name = try Session.topic(arguments.positionals[0])
  guard let index: Int32 = try arguments.number("partition", in: 0...Int32.max) else {
    throw UsageError("topics reassign needs --partition N")
  }
  let partition = TopicPartition(name, PartitionIndex(index))
  let replicas = try arguments.text("replicas").map { text throws(UsageError) in
    try text.split(separator: ",", omittingEmptySubsequences: false).map { word throws(UsageError) in
      try Session.node(String(word))
    }
  }
  guard (replicas == nil) == arguments.has("cancel") else {
    throw UsageError("topics reassign needs either --replicas ID,… or --cancel")
  }
  if let replicas, Set(replicas).count < replicas.count {
    throw UsageError("--replicas \(arguments.text("replicas") ?? ""): names a broker twice")
  }
  try await Session.run(arguments) { client in
    try await client.reassign(partition, to: replicas)
    guard let replicas else { return try console.write("the move of \(partition) is cancelled\n") }
    let ids = replicas.map { String($0.value) }.joined(separator: ",")
    try console.write("\(partition) moves to \(ids); topics reassignments shows it until that is done\n")
  }
}

private func listReassignments(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  try await Session.run(arguments) { client in
    let moves = try await client.reassignments()
    func ids(_ nodes: [NodeID]) -> String {
      nodes.isEmpty ? "-" : nodes.map { String($0.value) }.joined(separator: ",")
    }
    func numbers(_ nodes: [NodeID]) -> JSON { .array(nodes.map { .number($0.value) }) }
    var table = Table("TOPIC", "PARTITION", "REPLICAS", "ADDING", "REMOVING")
    for move in moves {
      table.add(
        move.partition.topic.text, String(move.partition.partition.value), ids(move.replicas), ids(move.adding),
        ids(move.removing))
    }
    try console.show(
      format, table: table.text,
      json: .array(
        moves.map {
          .object([
            "topic": .string($0.partition.topic.text), "partition": .number($0.partition.partition.value),
            "replicas": numbers($0.replicas), "adding": numbers($0.adding), "removing": numbers($0.removing),
          ])
        }))
  }
}

private func elect(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  let name = try arguments.positionals.first.map { text throws(UsageError) in try Session.topic(text) }
  guard (name == nil) == arguments.has("all") else { throw UsageError("topics elect needs either NAME or --all") }
  let only: Int32? = try arguments.number("partition", in: 0...Int32.max)
  guard only == nil || name != nil else { throw UsageError("--partition needs the topic's name") }
  let election: Election = arguments.has("unclean") ? .unclean : .preferred
  try await Session.run(arguments) { client in
    var partitions: [TopicPartition]?
    if let name {
      let indexes = if let only { [PartitionIndex(only)] } else { try await client.topic(name).partitions.map(\.index) }
      partitions = indexes.map { TopicPartition(name, $0) }
    }
    let outcomes = try await client.elect(election, partitions)
    var table = Table("TOPIC", "PARTITION", "RESULT")
    for one in outcomes {
      table.add(one.partition.topic.text, String(one.partition.partition.value), one.words)
    }
    try console.show(
      format, table: outcomes.isEmpty ? "no partition needed an election\n" : table.text,
      json: .array(
        outcomes.map {
          .object([
            "topic": .string($0.partition.topic.text), "partition": .number($0.partition.partition.value),
            "code": .string("\($0.code)"), "elected": .bool($0.code == .none),
          ])
        }))
    let failed = outcomes.filter { $0.code != .none && $0.code != .electionNotNeeded }
    if !failed.isEmpty { throw Failure("\(count(failed.count, "partition")) of \(outcomes.count) got no leader") }
  }
}

extension ElectionOutcome {
  fileprivate var words: String {
    switch code {
    case .none: "elected"
    case .electionNotNeeded: "needs none"
    default: "\(code)" + (message.map { $0.isEmpty ? "" : ": \($0)" } ?? "")
    }
  }
}
