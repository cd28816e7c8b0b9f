import KafkaClient
import KafkaProtocol

let mirrorCommands: [Command] = [
  Command(
    "mirrors", "create", "Begins to copy topics of another cluster into this one, at the same offsets.",
    operands: "NAME", count: 1...1,
    options: [
      .value("source", "HOST:PORT[,…]", "where the other cluster is asked for its brokers"),
      .value("topics", "LIST", "names of topics, or beginnings of names with a * after them (*)"),
      .value("groups", "LIST", "groups whose offsets are carried, in the same words (*)"),
      .value("gap-policy", "halt|accept", "what to do about records that the source removed too early (halt)"),
      .value(
        "divergence-policy", "halt|set-aside", "what to do about copied records that the source has no more (halt)"),
      .value("throttled-rate", "BYTES", "how many bytes a second each broker takes from the source (no limit)"),
      .bootstrap,
    ], perform: createMirror),
  Command(
    "mirrors", "status", "Shows how far mirrors are, and how old that knowledge is.", operands: "[NAME]", count: 0...1,
    options: [.output, .bootstrap], perform: showMirrors),
  Command(
    "mirrors", "pause", "Stops copying until it is resumed.", operands: "NAME", count: 1...1, options: [.bootstrap],
    perform: { try await setState($0, $1, "paused") }),
  Command(
    "mirrors", "resume", "Goes on copying, and tries again what stood still.", operands: "NAME", count: 1...1,
    options: [.bootstrap], perform: { try await setState($0, $1, "running") }),
  Command(
    "mirrors", "delete", "Forgets a mirror that writes no topics any more.", operands: "NAME", count: 1...1,
    options: [.bootstrap], perform: deleteMirror),
  Command(
    "mirrors", "failover",
    "Makes the mirrored topics this cluster's own, without asking the source.",
    operands: "NAME", count: 1...1, options: [.output, .bootstrap],
    perform: { try await takeOver($0, $1, "failover") }),
  Command(
    "mirrors", "switchover",
    "Closes the topics at the source, waits until every record is here, and makes them this cluster's own.",
    operands: "NAME", count: 1...1, options: [.output, .bootstrap],
    perform: { try await takeOver($0, $1, "switchover") }),
  Command(
    "mirrors", "failback",
    "At the old owner: makes its topics copies of those of the cluster that has taken over, and copies what it lacks.",
    operands: "NAME", count: 1...1,
    options: [
      .value("source", "HOST:PORT[,…]", "the cluster that has taken over, for a mirror that is not there yet"),
      .value("topics", "LIST", "names of topics, or beginnings of names with a * after them (*)"),
      .value("groups", "LIST", "groups whose offsets are carried, in the same words (*)"),
      .output, .bootstrap,
    ], perform: failBack),
]

/// Asks for it, and waits until every topic goes on as a copy.
private func failBack(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  let name = arguments.positionals[0]
  var changes: [ConfigChange] = []
  if let source = arguments.text("source") {
    guard BrokerAddress.list(source) != nil else {
      throw UsageError("--source \(source): HOST:PORT is needed, with commas between several")
    }
    changes.append(.set("bootstrap.servers", to: source))
  }
  for key in ["topics", "groups"] {
    if let value = arguments.text(key) { changes.append(.set(key, to: value)) }
  }
  changes.append(.set("state", to: "failback"))
  try await Session.run(arguments) { client in
    if try await !mirrorNames(client).contains(name), arguments.text("source") == nil {
      throw UsageError("there is no mirror \(name) yet: mirrors failback needs --source HOST:PORT[,…]")
    }
    try await client.alterConfigs(of: .mirror(name), changes)
    let wait = MirrorWait(name: name, verb: "failback", console: console)
    let view = try await wait(of: client) { $0.settings["state"] != "failback" }
    try console.show(format, table: failBackText(view), json: view.json)
  }
}

private func failBackText(_ view: MirrorView) -> String {
  let nothing = "Nothing had to be set aside: all that was here is there.\n"
  return view.text + (view.setAside.isEmpty ? nothing : "What was set aside is not in the topic any more.\n")
}

private func createMirror(_ arguments: Arguments, _ console: Console) async throws {
  let name = arguments.positionals[0]
  guard let source = arguments.text("source") else { throw UsageError("mirrors create needs --source HOST:PORT[,…]") }
  guard BrokerAddress.list(source) != nil else {
    throw UsageError("--source \(source): HOST:PORT is needed, with commas between several")
  }
  var changes: [ConfigChange] = [.set("bootstrap.servers", to: source), .set("state", to: "running")]
  for (option, key) in [
    ("topics", "topics"), ("groups", "groups"), ("gap-policy", "gap.policy"),
    ("divergence-policy", "divergence.policy"), ("throttled-rate", "mirror.throttled.rate"),
  ] {
    if let value = arguments.text(option) { changes.append(.set(key, to: value)) }
  }
  try await Session.run(arguments) { client in
    guard try await !mirrorNames(client).contains(name) else { throw Failure("there is a mirror \(name) already") }
    try await client.alterConfigs(of: .mirror(name), changes)
    try console.write("mirror \(name) copies from \(source)\n")
  }
}

private func deleteMirror(_ arguments: Arguments, _ console: Console) async throws {
  let name = arguments.positionals[0]
  try await Session.run(arguments) { client in
    guard try await mirrorNames(client).contains(name) else { throw Failure("there is no mirror \(name)") }
    try await client.alterConfigs(of: .mirror(name), [.unset("bootstrap.servers")])
    try console.write("mirror \(name) is deleted\n")
  }
}

private func setState(_ arguments: Arguments, _ console: Console, _ state: String) async throws {
  let name = arguments.positionals[0]
  try await Session.run(arguments) { client in
    try await client.alterConfigs(of: .mirror(name), [.set("state", to: state)])
    try console.write("mirror \(name) is \(state)\n")
  }
}

/// Asks for it, and waits until every topic takes writes here.
private func takeOver(_ arguments: Arguments, _ console: Console, _ verb: String) async throws {
  let format = try Format(arguments)
  let name = arguments.positionals[0]
  try await Session.run(arguments) { client in
    // A broker that is silent once may answer later, also when it is done, and a
    // mirror that has just begun finds topics meanwhile.
    var mirrored = Set(try await MirrorView(name, of: client).topics)
    try await client.alterConfigs(of: .mirror(name), [.set("state", to: verb)])
    let wait = MirrorWait(name: name, verb: verb, console: console)
    let view = try await wait(of: client) { view in
      mirrored.formUnion(view.topics)
      return view.promoted != nil
    }
    let report = try await FailoverReport(verb, name, view, topics: mirrored.sorted(), of: client)
    try console.show(format, table: report.text, json: report.json)
  }
}

private func showMirrors(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  try await Session.run(arguments) { client in
    var names = arguments.positionals
    if names.isEmpty { names = try await mirrorNames(client) }
    var views: [MirrorView] = []
    for name in names { views.append(try await MirrorView(name, of: client)) }
    if format == .table && views.isEmpty { return try console.write("there are no mirrors\n") }
    try console.show(
      format, table: views.map(\.text).joined(separator: "\n"), json: .array(views.map(\.json)))
  }
}

/// The mirrors of a cluster that can have some.
private func mirrorNames(_ client: ClusterClient) async throws -> [String] {
  do throws(ClientError) {
    return try await client.mirrors()
  } catch {
    guard case .unsupported(let broker, .listConfigResources) = error else { throw error }
    throw Failure(
      "\(broker) is not Swiftwater and has no mirrors: a mirror is made in the cluster that copies; to copy into another "
        + "kind of Kafka there is swiftwater mirror")
  }
}
