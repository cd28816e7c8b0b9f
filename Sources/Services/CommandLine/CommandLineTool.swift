import EventLoop
import Glibc
import KafkaClient

/// The commands of the program that are not the broker itself.
public enum CommandLineTool {
  /// What `--version` says.
  public static let version = "0.1.0"
  static let usageStatus: Int32 = 2
  static let failureStatus: Int32 = 1

  /// Runs one command and returns the status that the process should end with: 0, 1 after a failure, 2 when the
  /// arguments cannot be meant. Errors are one sentence on standard error. Blocks the calling thread.
  public static func run(_ arguments: [String]) -> Int32 {
    ignoreBrokenPipes()
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return failureStatus }
    let done = ends[1]
    Task.detached {
      let status = await run(arguments, console: .standard)
      var byte = UInt8(clamping: status)
      _ = Glibc.write(done, &byte, 1)
    }
    var status: UInt8 = 0
    while read(ends[0], &status, 1) != 1 {}
    return Int32(status)
  }

  /// What `swiftwater --help` says: every command, the broker included.
  public static var help: String {
    let commands =
      [("broker", "Runs a broker, a controller, or both."), ("storage", "Formats a data folder, or says whose it is.")]
      + allCommands.map { ($0.name, $0.summary) }
    let width = commands.map(\.0.count).max() ?? 0
    let lines = commands.map { name, summary in
      "  \(name)\(String(repeating: " ", count: width - name.count))  \(summary)\n"
    }
    return "usage: swiftwater COMMAND [options]\n\n\(lines.joined())\nEach command has --help of its own.\n"
  }

  static func run(_ arguments: [String], console: Console) async -> Int32 {
    do {
      try await dispatch(arguments, console)
      try console.flush()
      return 0
    } catch let error as UsageError {
      try? console.flush()
      console.complain("\(error)")
      return usageStatus
    } catch is ReaderLeft {
      return 0
    } catch {
      try? console.flush()
      console.complain("\(error)")
      return failureStatus
    }
  }

  private static func dispatch(_ arguments: [String], _ console: Console) async throws {
    guard let group = arguments.first else {
      throw UsageError("a command is needed: broker, storage, \(groups.joined(separator: ", "))")
    }
    if ["--help", "-h", "help"].contains(group) { return try console.write(help) }
    if group == "--version" { return try console.write("swiftwater \(version)\n") }
    let commands = allCommands.filter { $0.group == group }
    guard !commands.isEmpty else {
      throw UsageError(unknown("command", group, among: ["broker", "storage"] + groups))
    }
    if let only = commands.first, only.verb.isEmpty {
      return try await only.run(Array(arguments.dropFirst()), console)
    }
    let verbs = commands.map(\.verb)
    guard arguments.count > 1 else { throw UsageError("\(group) needs one of \(verbs.joined(separator: ", "))") }
    if ["--help", "-h", "help"].contains(arguments[1]) {
      return try console.write(overview(of: commands))
    }
    guard let command = commands.first(where: { $0.verb == arguments[1] }) else {
      throw UsageError("\(group): \(unknown("command", arguments[1], among: verbs))")
    }
    try await command.run(Array(arguments.dropFirst(2)), console)
  }

  private static var groups: [String] {
    allCommands.map(\.group).reduce(into: []) { list, group in if list.last != group { list.append(group) } }
  }

  private static func unknown(_ what: String, _ word: String, among words: [String]) -> String {
    let near = Spelling.nearest(to: word, among: words)
    return "unknown \(what) \(word)"
      + (near.map { "; did you mean \($0)?" } ?? "; there are \(words.joined(separator: ", "))")
  }

  private static func overview(of commands: [Command]) -> String {
    let lefts = commands.map { "swiftwater \($0.name) \($0.operands)" }
    let width = lefts.map(\.count).max() ?? 0
    return zip(lefts, commands).map { left, command in
      "  \(left)\(String(repeating: " ", count: width - left.count))  \(command.summary)\n"
    }.joined()
  }
}
