import KafkaClient
import Vocabulary

/// Where a group is to go on reading.
private enum ResetTarget {
  case time(OffsetTime)
  case offset(Offset)

  init(_ arguments: Arguments) throws(UsageError) {
    var targets: [ResetTarget] = []
    if arguments.has("to-earliest") { targets.append(.time(.earliest)) }
    if arguments.has("to-latest") { targets.append(.time(.latest)) }
    if let offset: Int64 = try arguments.number("to-offset", in: 0...Int64.max) {
      targets.append(.offset(Offset(offset)))
    }
    if let time: Int64 = try arguments.number("to-datetime", in: 0...Int64.max) {
      targets.append(.time(.from(Timestamp(milliseconds: time))))
    }
    guard targets.count == 1, let target = targets.first else {
      throw UsageError("exactly one of --to-earliest, --to-latest, --to-offset and --to-datetime is needed")
    }
    self = target
  }
}

func resetOffsets(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  let group = arguments.positionals[0]
  guard let text = arguments.text("topic") else { throw UsageError("groups reset-offsets needs --topic T") }
  let topic = try Session.topic(text)
  let only: Int32? = try arguments.number("partition", in: 0...Int32.max)
  let target = try ResetTarget(arguments)
  try await Session.run(arguments) { client in
    let view = try await client.topic(topic)
    let partitions = view.partitions.map(\.index).filter { only == nil || $0.value == only }
    guard !partitions.isEmpty else { throw Failure("topic \(topic) has no partition \(only ?? 0)") }
    let committed = try await client.committedOffsets(of: group)
    var moves: [(partition: TopicPartition, from: Offset?, to: Offset)] = []
    for index in partitions {
      let partition = TopicPartition(topic, index)
      let to: Offset
      switch target {
      case .time(let time): to = try await client.offset(of: partition, at: time)
      case .offset(let offset):
        let start = try await client.offset(of: partition, at: .earliest)
        to = min(max(offset, start), try await client.offset(of: partition, at: .latest))
      }
      moves.append((partition, committed.first { $0.partition == partition }?.offset, to))
    }
    if arguments.has("execute") {
      let offsets = Dictionary(moves.map { ($0.partition, $0.to) }, uniquingKeysWith: { first, _ in first })
      try await client.commit(offsets, for: group)
    }
    var table = Table("TOPIC", "PARTITION", "FROM", "TO")
    for move in moves {
      table.add(
        topic.text, String(move.partition.partition.value), move.from.map { String($0.value) } ?? "-",
        String(move.to.value))
    }
    try console.show(
      format, table: table.text,
      json: .array(
        moves.map { move in
          .object([
            "topic": .string(topic.text), "partition": .number(move.partition.partition.value),
            "from": move.from.map { .number($0.value) } ?? .null, "to": .number(move.to.value),
            "executed": .bool(arguments.has("execute")),
          ])
        }))
    if !arguments.has("execute") { console.note("nothing was changed; --execute does it") }
  }
}
