import EventLoop
import KafkaClient
import KafkaProtocol
import Vocabulary

let consumeCommand = Command(
  "consume", "", "Writes the values of records to standard output, one in each line.", operands: "TOPIC", count: 1...1,
  options: [
    .flag("from-beginning", "begins with the first record that is there (with the next one that comes)"),
    .value("offset", "N", "begins at this offset"),
    .value("from-timestamp", "MS", "begins with the first record as late as this (milliseconds since 1970)"),
    .value("partition", "N", "reads only this partition"),
    .value("group", "NAME", "reads as a member of this group (KIP-848) and commits what was written out"),
    .value("max-messages", "N", "ends after so many records"),
    .value("timeout", "SECONDS", "ends when no record came for so long (never)"),
    .value("isolation-level", "LEVEL", "read_uncommitted or read_committed (read_uncommitted)"),
    .value("print", "FIELDS", "before each value: key, offset, timestamp, headers, partition, with commas"),
    .output, .bootstrap,
  ], perform: consume)

private func consume(_ arguments: Arguments, _ console: Console) async throws {
  let topic = try Session.topic(arguments.positionals[0])
  let plan = try ConsumePlan(arguments)
  try await Session.run(arguments) { client in
    try await knownTopic(topic, client)
    var settings = ReaderSettings()
    settings.isolation = plan.isolation
    if let timeout = plan.timeout { settings.waitMax = min(settings.waitMax, timeout) }
    // Who names an offset wants that one or none.
    if case .offset = plan.start { settings.reset = .fail }
    guard let group = plan.group else {
      let reader = PartitionReader(client, from: try await start(of: topic, plan, client), settings)
      return try await write(plan, console) { try await reader.poll() }
    }
    let reset: OffsetReset = plan.start == .time(.earliest) ? .earliest : .latest
    let reader = GroupReader(client, group: group, topic: topic, reset: reset, settings)
    Interruption.watch()
    var failure: (any Error)?
    do {
      try await write(plan, console) {
        try await reader.poll()
      } finished: {
        reader.finished($0, upTo: $1)
      }
    } catch {
      failure = error
    }
    try await reader.leave()
    if let failure { throw failure }
  }
}

/// Writes records until there are enough of them, none came for too long, or the user interrupts. `finished` hears of
/// what was really written.
private func write(
  _ plan: ConsumePlan, _ console: Console, poll: () async throws -> [FetchedRecords],
  finished: (TopicPartition, Offset) -> Void = { _, _ in }
) async throws {
  var left = plan.messagesMax
  var idleSince = monotonicNow()
  while left > 0, !Interruption.hasCome {
    let fetched = try await poll()
    var reached: [(TopicPartition, Offset)] = []
    for some in fetched {
      let taken = some.records.prefix(left)
      for record in taken { try console.write(plan.line(record, of: some.partition)) }
      left -= taken.count
      if !taken.isEmpty { idleSince = monotonicNow() }
      if taken.count == some.records.count {
        reached.append((some.partition, some.next))
      } else if let last = taken.last {
        reached.append((some.partition, last.offset + 1))
      }
    }
    // Whoever reads at the other end should see at once what is there.
    try console.flush()
    for (partition, next) in reached { finished(partition, next) }
    if let timeout = plan.timeout, monotonicNow() - idleSince >= timeout { return }
  }
}

private func start(
  of topic: TopicName, _ plan: ConsumePlan, _ client: ClusterClient
) async throws -> [TopicPartition: Offset] {
  var positions: [TopicPartition: Offset] = [:]
  for partition in try await client.topic(topic).partitions.map(\.index) {
    guard plan.partition == nil || plan.partition == partition else { continue }
    let place = TopicPartition(topic, partition)
    switch plan.start {
    case .offset(let offset): positions[place] = offset
    case .time(let time): positions[place] = try await client.offset(of: place, at: time)
    }
  }
  guard !positions.isEmpty else { throw Failure("topic \(topic) has no partition \(plan.partition?.value ?? 0)") }
  return positions
}

/// What `consume` reads and how it shows it.
struct ConsumePlan {
  enum Start: Hashable {
    case time(OffsetTime)
    case offset(Offset)
  }
  enum Field: String, Hashable, CaseIterable {
    case key, offset, timestamp, headers, partition
  }
  let start: Start
  let partition: PartitionIndex?
  let group: String?
  let messagesMax: Int
  let timeout: TimeSpan?
  let fields: [Field]
  let isolation: Isolation
  let format: Format

  init(_ arguments: Arguments) throws(UsageError) {
    var starts: [Start] = arguments.has("from-beginning") ? [.time(.earliest)] : []
    if let offset: Int64 = try arguments.number("offset", in: 0...Int64.max) { starts.append(.offset(Offset(offset))) }
    if let time: Int64 = try arguments.number("from-timestamp", in: 0...Int64.max) {
      starts.append(.time(.from(Timestamp(milliseconds: time))))
    }
    guard starts.count <= 1 else {
      throw UsageError("only one of --from-beginning, --offset and --from-timestamp can be meant")
    }
    start = starts.first ?? .time(.latest)
    let number: Int32? = try arguments.number("partition", in: 0...Int32.max)
    partition = number.map { PartitionIndex($0) }
    group = arguments.text("group")
    if group != nil {
      guard partition == nil else { throw UsageError("--partition is for reading without --group") }
      guard starts.isEmpty || starts == [.time(.earliest)] else {
        throw UsageError("a group goes on where it was; --offset and --from-timestamp are for reading without --group")
      }
    }
    messagesMax = try arguments.number("max-messages", in: 1...Int.max) ?? .max
    let seconds: Int64? = try arguments.number("timeout", in: 1...Int64(Int32.max))
    timeout = seconds.map { .seconds($0) }
    var fields: [Field] = []
    for name in (arguments.text("print") ?? "").split(separator: ",") {
      guard let field = Field(rawValue: String(name)) else {
        let names = Field.allCases.map(\.rawValue).joined(separator: ", ")
        throw UsageError("--print \(name): of \(names) some are needed, with commas")
      }
      fields.append(field)
    }
    self.fields = fields
    switch arguments.text("isolation-level") ?? "read_uncommitted" {
    case "read_uncommitted": isolation = .readUncommitted
    case "read_committed": isolation = .readCommitted
    case let other: throw UsageError("--isolation-level \(other): read_uncommitted or read_committed is needed")
    }
    format = try Format(arguments)
  }

  func line(_ record: OwnedRecord, of partition: TopicPartition) -> [UInt8] {
    if format == .json { return Array((json(record, of: partition).compact + "\n").utf8) }
    var line: [UInt8] = []
    for field in fields {
      switch field {
      case .key: line += record.key ?? Array("null".utf8)
      case .offset: line += Array(String(record.offset.value).utf8)
      case .timestamp: line += Array(String(record.timestamp.milliseconds).utf8)
      case .partition: line += Array(String(partition.partition.value).utf8)
      case .headers:
        line += Array(
          record.headers.map { "\($0.key)=\($0.value.map { String(decoding: $0, as: UTF8.self) } ?? "null")" }
            .joined(separator: ",").utf8)
      }
      line.append(UInt8(ascii: "\t"))
    }
    line += record.value ?? Array("null".utf8)
    line.append(UInt8(ascii: "\n"))
    return line
  }

  private func json(_ record: OwnedRecord, of partition: TopicPartition) -> JSON {
    .object([
      "topic": .string(partition.topic.text), "partition": .number(partition.partition.value),
      "offset": .number(record.offset.value), "timestamp": .number(record.timestamp.milliseconds),
      "key": .text(record.key), "value": .text(record.value),
      "headers": .array(record.headers.map { .object(["key": .string($0.key), "value": .text($0.value)]) }),
    ])
  }
}
