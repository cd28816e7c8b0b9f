import Glibc

private let folder = Option.value("folder", "PATH", "where everything of it lies (./swiftwater-local)")
private let names = "NAME"

/// Kubernetes, Regions and operators on one machine, without Kubernetes (docs/local-kubernetes.md).
let localCommands: [Command] = [
  Command(
    "local", "up", "Starts Regions on this machine, each with a Kubernetes API server and an operator.",
    options: [
      .value("regions", "NAME,…", "what they are called (eu-west,eu-central,eu-north)"),
      .value("namespace", "NAME", "where clusters and topics are (kafka)"),
      .values("apply", "FILE", "a manifest that is applied in the first Region; may be there several times"),
      .flag("without-operators", "leaves operators to be started by hand, with a Region's inside.kubeconfig"), folder,
    ], perform: localUp),
  Command("local", "status", "Shows which Regions run.", options: [folder], perform: localStatus),
  Command(
    "local", "stop-region", "Takes a Region away as a loss of power would.", operands: names, count: 1...1,
    options: [folder]
  ) { try await give(.stop, $0, $1) },
  Command(
    "local", "start-region", "Brings a Region back with what it had.", operands: names, count: 1...1,
    options: [folder]
  ) { try await give(.start, $0, $1) },
  Command(
    "local", "cut", "Cuts a Region's API server off from the other Regions.", operands: names, count: 1...1,
    options: [folder]
  ) { try await give(.cut, $0, $1) },
  Command("local", "heal", "Joins a Region that was cut off.", operands: names, count: 1...1, options: [folder]) {
    try await give(.heal, $0, $1)
  },
  Command("local", "down", "Ends all of it; its folder stays.", options: [folder]) { try await give(.down, $0, $1) },
]

@Sendable private func localUp(_ arguments: Arguments, _ console: Console) async throws {
  let path = place(arguments)
  let regions = (arguments.text("regions") ?? "eu-west,eu-central,eu-north").split(separator: ",").map(String.init)
  let isName = { (text: String) in
    !text.isEmpty && text.utf8.count <= 40 && text.first != "-" && text.last != "-"
      && text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
  }
  for name in regions where !isName(name) {
    throw UsageError("--regions: '\(name)' is no name of a Region; use small letters, digits and dashes")
  }
  guard !regions.isEmpty, Set(regions).count == regions.count, regions.count <= LocalTree.regionsMax else {
    throw UsageError("--regions: 1 to \(LocalTree.regionsMax) names are needed, each once")
  }
  Interruption.watch()
  let tree = try LocalTree(folder: path, regions: regions, namespace: arguments.text("namespace") ?? "kafka")
  tree.hasOperators = !arguments.has("without-operators")
  do {
    try await tree.start {
      try? console.write($0 + "\n"); try? console.flush()
    }
    for file in arguments.texts("apply") {
      for line in try await tree.apply(file) { try console.write("  \(line)\n") }
    }
    try console.write(tree.welcome)
    try console.flush()
    while !Interruption.hasCome, await tree.takeOrders() { usleep(LocalTree.pollPause) }
  } catch {
    await tree.stop()
    throw error
  }
  await tree.stop()
  try console.write("stopped; \(path) has everything for the next start\n")
}

@Sendable private func localStatus(_ arguments: Arguments, _ console: Console) async throws {
  let orders = try running(arguments)
  try console.write(orders.status ?? "")
}

@Sendable private func give(_ verb: LocalOrders.Verb, _ arguments: Arguments, _ console: Console) async throws {
  let orders = try running(arguments)
  let region = arguments.positionals.first ?? ""
  if verb != .down, !orders.regions.contains(region) {
    throw UsageError("there is no Region \(region); there are \(orders.regions.joined(separator: ", "))")
  }
  guard try orders.give(verb, region) else { throw Failure("swiftwater local up has not done it within 30 s") }
  if verb != .down { try console.write(orders.status ?? "") }
}

private func place(_ arguments: Arguments) -> String { arguments.text("folder") ?? "./swiftwater-local" }

private func running(_ arguments: Arguments) throws(Failure) -> LocalOrders {
  let path = place(arguments)
  let orders = LocalOrders(folder: path)
  guard orders.isObeyed else {
    throw Failure("nothing runs in \(path); start it with swiftwater local up --folder \(path)")
  }
  return orders
}
