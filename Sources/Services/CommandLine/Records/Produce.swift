import EventLoop
import KafkaClient
import KafkaProtocol
import Vocabulary

let produceCommand = Command(
  "produce", "", "Writes each line of standard input as a record.", operands: "TOPIC", count: 1...1,
  options: [
    .value("key-separator", "TEXT", "what comes before it in a line is the record's key"),
    .values("header", "KEY=VALUE", "a header of every record; may be there several times"),
    .value("partition", "N", "writes to this partition (by the key, or wherever there is room)"),
    .value("acks", "all|1|0", "when a record counts as written (all)"),
    .value("compression", "CODEC", "none, gzip, snappy, lz4 or zstd (none)"),
    .flag("idempotent", "what has to be sent again is not written twice"), .bootstrap,
  ], perform: produce)

/// Input is read in pieces of this size.
private let inputBytesMax = 256 << 10

private func produce(_ arguments: Arguments, _ console: Console) async throws {
  let topic = try Session.topic(arguments.positionals[0])
  let plan = try ProducePlan(arguments)
  try await Session.run(arguments) { client in
    try await knownTopic(topic, client)
    let producer = Producer(client, plan.settings)
    var lines = LineSplitter()
    var progress = Progress(console)
    let began = monotonicNow()
    var bytes = 0
    func send(_ line: [UInt8]) async throws {
      bytes += line.count
      try await producer.append(plan.record(line), to: topic, partition: plan.partition)
      progress.show("\(count(producer.acknowledged, "record")) written")
    }
    do {
      while case let piece = console.readInput(upTo: inputBytesMax), !piece.isEmpty {
        for line in lines.add(piece) { try await send(line) }
        // Somebody types, or the other program pauses: what is there should not wait for more.
        if console.isInputIdle { try await producer.flush() }
      }
      if let last = lines.finish() { try await send(last) }
      try await producer.flush()
    } catch {
      progress.end()
      if producer.acknowledged > 0 {
        console.note("\(count(producer.acknowledged, "record")) had been written to \(topic)")
      }
      throw error
    }
    progress.end()
    let milliseconds = max(1, (monotonicNow() - began).milliseconds)
    console.note(
      "\(count(producer.acknowledged, "record")), \(count(bytes, "byte")) written to \(topic) in \(milliseconds) ms")
  }
}

/// What `produce` makes of each line.
struct ProducePlan {
  var settings = ProducerSettings()
  let separator: [UInt8]
  let headers: [OwnedRecord.Header]
  let partition: PartitionIndex?

  init(_ arguments: Arguments) throws(UsageError) {
    separator = Array((arguments.text("key-separator") ?? "").utf8)
    headers = try Arguments.pairs(arguments.texts("header")).map { .init(key: $0.key, value: Array($0.value.utf8)) }
    let number: Int32? = try arguments.number("partition", in: 0...Int32.max)
    partition = number.map { PartitionIndex($0) }
    switch arguments.text("acks") {
    case nil, "all", "-1": settings.acks = .allInSync
    case "1": settings.acks = .leader
    case "0": settings.acks = .none
    case let other?: throw UsageError("--acks \(other): all, 1 or 0 is needed")
    }
    if let name = arguments.text("compression") {
      guard let codec = Compression(name: name) else {
        let names = Compression.allCases.map(\.name).joined(separator: ", ")
        throw UsageError("--compression \(name): one of \(names) is needed")
      }
      settings.compression = codec
    }
    settings.isIdempotent = arguments.has("idempotent")
    if settings.isIdempotent && settings.acks != .allInSync { throw UsageError("--idempotent needs --acks all") }
  }

  func record(_ line: [UInt8]) -> OwnedRecord {
    let (key, value) = splitKey(line, at: separator)
    return OwnedRecord(timestamp: wallClockNow(), key: key, value: value, headers: headers)
  }
}

/// A topic that is not there is an error that says what to do.
func knownTopic(_ name: TopicName, _ client: ClusterClient) async throws {
  do {
    _ = try await client.topic(name)
  } catch ClientError.noLeader(_, .unknownTopicOrPartition) {
    throw Failure("topic \(name) is not there; `swiftwater topics create \(name)` makes it")
  }
}

extension Compression {
  var name: String {
    switch self {
    case .none: "none"
    case .gzip: "gzip"
    case .snappy: "snappy"
    case .lz4: "lz4"
    case .zstd: "zstd"
    }
  }
  init?(name: String) {
    guard let found = Compression.allCases.first(where: { $0.name == name }) else { return nil }
    self = found
  }
}
