import KafkaClient
import KafkaProtocol
import Vocabulary

let configCommands: [Command] = [
  Command(
    "configs", "describe", "Shows the settings of a topic, a broker or a mirror.", operands: "topic|broker|mirror NAME", count: 2...2,
    options: [.flag("all", "those that nobody changed as well"), .output, .bootstrap], perform: describeConfigs),
  Command(
    "configs", "set", "Changes settings while everything runs.", operands: "topic|broker|mirror NAME KEY=VALUE…",
    count: 3...Int.max, options: [.bootstrap], perform: setConfigs),
  Command(
    "configs", "unset", "Takes changes of settings back.", operands: "topic|broker|mirror NAME KEY…", count: 3...Int.max,
    options: [.bootstrap], perform: unsetConfigs),
]

private func resource(_ arguments: Arguments) throws(UsageError) -> ConfigResource {
  let name = arguments.positionals[1]
  switch arguments.positionals[0] {
  case "topic": return .topic(try Session.topic(name))
  case "broker":
    guard let node = Int32(name), node >= 0 else { throw UsageError("broker \(name): a broker's number is needed") }
    return .broker(NodeID(node))
  case "mirror": return .mirror(name)
  case let other: throw UsageError("\(other): topic, broker or mirror is needed, and then its name")
  }
}

private func describeConfigs(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  let resource = try resource(arguments)
  try await Session.run(arguments) { client in
    let all = try await client.configs(of: resource).sorted { $0.name < $1.name }
    let shown = all.filter { arguments.has("all") || ConfigSource($0.configSource) != .defaultValue }
    var table = Table("KEY", "VALUE", "FROM", "READ-ONLY")
    for one in shown {
      let value = one.isSensitive ? "(hidden)" : one.value ?? "-"
      table.add(one.name, value, ConfigSource(one.configSource).name, one.readOnly ? "yes" : "no")
    }
    if format == .table && shown.isEmpty {
      return try console.write("\(resource) has \(count(all.count, "setting")), all as by default; see --all\n")
    }
    try console.show(
      format, table: table.text,
      json: .array(
        shown.map {
          .object([
            "key": .string($0.name), "value": .string($0.value), "from": .string(ConfigSource($0.configSource).name),
            "readOnly": .bool($0.readOnly), "sensitive": .bool($0.isSensitive),
          ])
        }))
  }
}

/// Where a value comes from, by Kafka's numbers.
private enum ConfigSource: Int8 {
  case unknown = 0
  case topic = 1
  case broker = 2
  case cluster = 3
  case file = 4
  case defaultValue = 5

  init(_ number: Int8) { self = ConfigSource(rawValue: number) ?? .unknown }

  var name: String {
    switch self {
    case .unknown: "unknown"
    case .topic: "topic"
    case .broker: "broker"
    case .cluster: "cluster"
    case .file: "file"
    case .defaultValue: "default"
    }
  }
}

private func setConfigs(_ arguments: Arguments, _ console: Console) async throws {
  let resource = try resource(arguments)
  let pairs = try Arguments.pairs(Array(arguments.positionals.dropFirst(2)))
  try await Session.run(arguments) { client in
    try await client.alterConfigs(of: resource, pairs.map { .set($0.key, to: $0.value) })
    for pair in pairs { try console.write("\(resource): \(pair.key)=\(pair.value)\n") }
  }
}

private func unsetConfigs(_ arguments: Arguments, _ console: Console) async throws {
  let resource = try resource(arguments)
  let keys = arguments.positionals.dropFirst(2)
  try await Session.run(arguments) { client in
    try await client.alterConfigs(of: resource, keys.map { .unset($0) })
    for key in keys { try console.write("\(resource): \(key) as by default\n") }
  }
}
