import KafkaClient
import KafkaProtocol
import Vocabulary

let transactionCommands: [Command] = [
  Command(
    "transactions", "list", "Lists transactional ids and what their transactions are doing.",
    options: [.value("state", "S", "only those in this state, such as Ongoing"), .output, .bootstrap],
    perform: listTransactions),
  Command(
    "transactions", "describe", "Shows transactional ids: producer, state, and the partitions of the transaction.",
    operands: "ID…", count: 1...Int.max, options: [.output, .bootstrap], perform: describeTransactions),
  Command(
    "transactions", "open",
    "Shows the transactions that are open in a topic, which readers of committed records wait for.",
    operands: "TOPIC", count: 1...1, options: [.output, .bootstrap], perform: showOpenTransactions),
  Command(
    "transactions", "abort", "Ends a transaction in one partition that its coordinator does not end.",
    operands: "TOPIC PARTITION", count: 2...2,
    options: [.value("start-offset", "N", "where it began, as `transactions open` shows it"), .bootstrap],
    perform: abortTransaction),
]

private func listTransactions(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  let states = arguments.text("state").map { [$0] } ?? []
  try await Session.run(arguments) { client in
    let all = try await client.transactions(in: states)
    var table = Table("TRANSACTIONAL-ID", "PRODUCER", "STATE")
    for one in all { table.add(one.transactionalID, String(one.producerID), one.transactionState) }
    try console.show(
      format, table: table.text,
      json: .array(
        all.map {
          .object([
            "id": .string($0.transactionalID), "producer": .number($0.producerID),
            "state": .string($0.transactionState),
          ])
        }))
  }
}

private func describeTransactions(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  try await Session.run(arguments) { client in
    var texts: [String] = []
    var values: [JSON] = []
    for id in arguments.positionals {
      let (coordinator, one) = try await client.transaction(id)
      let partitions = one.topics.flatMap { topic in topic.partitions.map { "\(topic.topic)-\($0)" } }
      texts.append(
        "\(id)  \(one.transactionState)  producer \(one.producerID) epoch \(one.producerEpoch)  "
          + "timeout \(one.transactionTimeoutMs) ms  coordinator \(coordinator)\n"
          + (partitions.isEmpty ? "" : "  \(partitions.joined(separator: ", "))\n"))
      values.append(
        .object([
          "id": .string(id), "state": .string(one.transactionState), "producer": .number(one.producerID),
          "epoch": .number(one.producerEpoch), "timeoutMs": .number(one.transactionTimeoutMs),
          "startedAt": one.transactionStartTimeMs < 0 ? .null : .number(one.transactionStartTimeMs),
          "coordinator": .string("\(coordinator)"), "partitions": .array(partitions.map { .string($0) }),
        ]))
    }
    try console.show(format, table: texts.joined(), json: .array(values))
  }
}

private func showOpenTransactions(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  let topic = try Session.topic(arguments.positionals[0])
  try await Session.run(arguments) { client in
    var table = Table("PARTITION", "START", "PRODUCER", "EPOCH", "LAST-WRITE")
    var values: [JSON] = []
    for partition in try await client.topic(topic).partitions.map(\.index) {
      for one in try await client.openTransactions(in: TopicPartition(topic, partition)) {
        let time = one.lastTimestamp.milliseconds
        table.add(
          String(partition.value), String(one.start.value), String(one.producer.value), String(one.epoch.value),
          String(time))
        values.append(
          .object([
            "partition": .number(partition.value), "start": .number(one.start.value),
            "producer": .number(one.producer.value), "epoch": .number(one.epoch.value), "lastWriteMs": .number(time),
          ]))
      }
    }
    let text = values.isEmpty ? "no transaction is open in \(topic)\n" : table.text
    try console.show(format, table: text, json: .array(values))
  }
}

private func abortTransaction(_ arguments: Arguments, _ console: Console) async throws {
  let topic = try Session.topic(arguments.positionals[0])
  guard let index = Int32(arguments.positionals[1]), index >= 0 else {
    throw UsageError("transactions abort: the partition '\(arguments.positionals[1])' is no number from 0 on")
  }
  guard let start: Int64 = try arguments.number("start-offset", in: 0...Int64.max) else {
    throw UsageError("transactions abort needs --start-offset N, which `transactions open \(topic)` shows")
  }
  let partition = TopicPartition(topic, PartitionIndex(index))
  try await Session.run(arguments) { client in
    let open = try await client.openTransactions(in: partition)
    guard let one = open.first(where: { $0.start.value == start }) else {
      let known = open.map { String($0.start.value) }.joined(separator: ", ")
      throw Failure(
        "no transaction that began at \(start) is open in \(partition)"
          + (known.isEmpty ? ": none is" : ": those that are began at \(known)"))
    }
    try await client.abort(one, in: partition)
    try console.write("aborted the transaction of producer \(one.producer.value) in \(partition)\n")
  }
}
