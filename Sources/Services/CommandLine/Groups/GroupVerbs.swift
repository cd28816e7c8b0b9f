import KafkaClient
import KafkaProtocol
import Vocabulary

func listGroups(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  try await Session.run(arguments) { client in
    let groups = try await client.groups()
    var table = Table("GROUP", "STATE", "TYPE", "PROTOCOL")
    for group in groups {
      table.add(group.groupID, known(group.groupState), known(group.groupType), known(group.protocolType))
    }
    try console.show(
      format, table: table.text,
      json: .array(
        groups.map {
          .object([
            "name": .string($0.groupID), "state": .string($0.groupState), "type": .string($0.groupType),
            "protocol": .string($0.protocolType),
          ])
        }))
  }
}

private func known(_ text: String) -> String { text.isEmpty ? "-" : text }

func describeGroups(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  try await Session.run(arguments) { client in
    var texts: [String] = []
    var values: [JSON] = []
    for name in arguments.positionals {
      let group = try await client.group(name)
      let progress = try await readProgress(of: name, client)
      texts.append(group.title + "\n" + table(of: progress, members: group.members) + group.memberTable)
      values.append(group.json(with: progress))
    }
    try console.show(format, table: texts.joined(separator: "\n"), json: .array(values))
  }
}

func deleteGroups(_ arguments: Arguments, _ console: Console) async throws {
  try await Session.run(arguments) { client in
    for name in arguments.positionals {
      try await client.deleteGroup(name)
      try console.write("deleted group \(name)\n")
    }
  }
}

func showGroupOffsets(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  try await Session.run(arguments) { client in
    var texts: [String] = []
    var values: [JSON] = []
    for name in arguments.positionals {
      let progress = try await readProgress(of: name, client)
      texts.append((arguments.positionals.count > 1 ? "\(name)\n" : "") + table(of: progress, members: []))
      values.append(.object(["group": .string(name), "offsets": .array(progress.map(\.json))]))
    }
    try console.show(format, table: texts.joined(separator: "\n"), json: .array(values))
  }
}

/// How far a group is in one partition.
struct ReadProgress {
  let committed: CommittedOffset
  /// Nil when the partition is gone or has no leader.
  let end: Offset?
  var lag: Int64? { end.map { max(0, $0 - committed.offset) } }

  var json: JSON {
    .object([
      "topic": .string(committed.partition.topic.text), "partition": .number(committed.partition.partition.value),
      "committed": .number(committed.offset.value), "end": end.map { .number($0.value) } ?? .null,
      "lag": lag.map { .number($0) } ?? .null, "metadata": .string(committed.metadata),
    ])
  }
}

private func readProgress(of group: String, _ client: ClusterClient) async throws -> [ReadProgress] {
  var list: [ReadProgress] = []
  for one in try await client.committedOffsets(of: group) {
    list.append(ReadProgress(committed: one, end: try await end(of: one.partition, client)))
  }
  return list
}

/// Nil when the partition is gone or has no leader.
private func end(of partition: TopicPartition, _ client: ClusterClient) async throws(ClientError) -> Offset? {
  do throws(ClientError) {
    return try await client.offset(of: partition, at: .latest)
  } catch {
    guard error.code != nil else { throw error }
    return nil
  }
}

private func table(of progress: [ReadProgress], members: [GroupView.Member]) -> String {
  guard !progress.isEmpty else { return "no committed offsets\n" }
  var owners: [TopicPartition: String] = [:]
  for member in members { for partition in member.partitions { owners[partition] = member.id } }
  var table = Table("TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER")
  for one in progress {
    table.add(
      one.committed.partition.topic.text, String(one.committed.partition.partition.value),
      String(one.committed.offset.value), one.end.map { String($0.value) } ?? "-", one.lag.map { String($0) } ?? "-",
      owners[one.committed.partition] ?? "-")
  }
  return table.text
}

extension GroupView {
  fileprivate var title: String {
    "\(name)  \(type)  \(state)  coordinator \(coordinator)" + (assignor.isEmpty ? "" : "  assignor \(assignor)")
  }

  fileprivate var memberTable: String {
    guard !members.isEmpty else { return "" }
    var table = Table("MEMBER", "CLIENT", "HOST", "PARTITIONS")
    for member in members {
      let partitions = member.partitions.map(\.description).joined(separator: ",")
      table.add(member.id, member.client, member.host, partitions.isEmpty ? "-" : partitions)
    }
    return table.text
  }

  fileprivate func json(with progress: [ReadProgress]) -> JSON {
    .object([
      "name": .string(name), "state": .string(state), "type": .string(type), "assignor": .string(assignor),
      "coordinator": .string("\(coordinator)"), "offsets": .array(progress.map(\.json)),
      "members": .array(
        members.map { member in
          .object([
            "id": .string(member.id), "instance": .string(member.instance), "client": .string(member.client),
            "host": .string(member.host), "partitions": .array(member.partitions.map { .string("\($0)") }),
          ])
        }),
    ])
  }
}
