/// One command: what it is called, what it takes, and what it does.
struct Command: Sendable {
  let group: String
  /// Empty for commands without verbs, such as `produce`.
  let verb: String
  let summary: String
  /// What follows the name, as the help writes it, such as `NAME…`.
  let operands: String
  let operandCount: ClosedRange<Int>
  let options: [Option]
  let perform: @Sendable (Arguments, Console) async throws -> Void

  init(
    _ group: String, _ verb: String, _ summary: String, operands: String = "", count: ClosedRange<Int> = 0...0,
    options: [Option], perform: @escaping @Sendable (Arguments, Console) async throws -> Void
  ) {
    self.group = group
    self.verb = verb
    self.summary = summary
    self.operands = operands
    self.operandCount = count
    self.options = options
    self.perform = perform
  }

  var name: String { verb.isEmpty ? group : "\(group) \(verb)" }

  var help: String {
    let all = options + [.help]
    let width = all.map(\.synopsis.count).max() ?? 0
    var lines = ["\(summary)", "", "usage: swiftwater \(name)\(operands.isEmpty ? "" : " \(operands)") [options]", ""]
    for option in all {
      let synopsis = option.synopsis
      lines.append("  " + synopsis + String(repeating: " ", count: width - synopsis.count) + "  " + option.help)
    }
    return lines.joined(separator: "\n") + "\n"
  }

  func run(_ words: [String], _ console: Console) async throws {
    let arguments = try Arguments(words, options: options + [.help])
    if arguments.has(Option.help.name) { return try console.write(help) }
    let count = arguments.positionals.count
    guard operandCount.contains(count) else {
      if count > operandCount.upperBound {
        throw UsageError("\(name): \(arguments.positionals[operandCount.upperBound]) is one operand too many")
      }
      throw UsageError("\(name) needs \(operands)")
    }
    try await perform(arguments, console)
  }
}

/// Every command, in the order of the help.
let allCommands: [Command] = [
  topicCommands, moveCommands, brokerCommands, [awaitStopCommand], quorumCommands, groupCommands, transactionCommands,
  configCommands, mirrorCommands, localCommands, kubectlCommands,
  [produceCommand, consumeCommand, standaloneMirrorCommand, logDumpCommand],
].flatMap { $0 }
