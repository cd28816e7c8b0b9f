import EventLoop
import Glibc
import Vocabulary

/// A program that was run to its end, with what it printed.
struct EndedProgram: Sendable {
  enum Ending: Sendable, Hashable {
    case status(Int32)
    case signal(Int32)
    case patienceEnded
  }
  let ending: Ending
  let output: [UInt8]
  let errorOutput: [UInt8]

  /// More than this of each output is not kept.
  static let outputMax = 1 << 20

  /// Blocks until the program has ended, or ends it when the patience is over. Its input is empty. A command without
  /// a slash is looked for on the PATH.
  init(_ command: String, arguments: [String], environment: [(String, String)], patience: TimeSpan) throws(SystemError)
  {
    let deadline = monotonicNow() + patience
    let pipes = try (Pipe(), Pipe())
    let child = try Self.spawn(command, arguments, environment, output: pipes.0.writing, errors: pipes.1.writing)
    pipes.0.closeWriting()
    pipes.1.closeWriting()
    var collected: [[UInt8]] = [[], []]
    var open = [pipes.0.reading, pipes.1.reading]
    var isPatient = true
    while open.contains(where: { $0 >= 0 }) {
      let left = (deadline - monotonicNow()).milliseconds
      guard left > 0 else {
        isPatient = false
        break
      }
      var waits = open.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      _ = poll(&waits, 2, Int32(clamping: left))
      for place in 0..<2 where open[place] >= 0 && waits[place].revents != 0 {
        if !Self.read(open[place], into: &collected[place]) { open[place] = -1 }
      }
    }
    if !isPatient { kill(child, SIGKILL) }
    var status: Int32 = 0
    // A program that closed its output and runs on is waited for no longer than its patience either.
    while waitpid(child, &status, isPatient ? WNOHANG : 0) == 0 {
      if monotonicNow() < deadline {
        usleep(5000)
      } else {
        isPatient = false
        kill(child, SIGKILL)
      }
    }
    output = collected[0]
    errorOutput = collected[1]
    let signal = status & 0x7F
    ending = !isPatient ? .patienceEnded : signal != 0 ? .signal(signal) : .status(status >> 8 & 0xFF)
  }

  /// Whether there may be more.
  private static func read(_ descriptor: Int32, into found: inout [UInt8]) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 8192)
    let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
    if count < 0 { return errno == EINTR || errno == EAGAIN }
    if count > 0 && found.count < outputMax { found.append(contentsOf: buffer[..<count]) }
    return count > 0
  }

  private static func spawn(
    _ command: String, _ arguments: [String], _ variables: [(String, String)], output: Int32, errors: Int32
  ) throws(SystemError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, errors, 2)
    let names = Set(variables.map(\.0))
    let inherited = ProcessVariables.all.filter { !names.contains($0.key) }.map { "\($0.key)=\($0.value)" }
    let environment = CStrings(inherited.sorted() + variables.map { "\($0.0)=\($0.1)" })
    let words = CStrings([command] + arguments)
    var child = pid_t()
    let code = posix_spawnp(&child, command, &actions, nil, words.pointers, environment.pointers)
    guard code == 0 else { throw SystemError("run \(command)", code: code) }
    return child
  }
}

/// The variables of this process.
public enum ProcessVariables {
  public static var all: [String: String] {
    // Read from /proc, because the variable that C keeps them in is not safe to look at.
    guard let bytes = try? SmallFile.read("/proc/self/environ") else { return [:] }
    var found: [String: String] = [:]
    for entry in bytes.split(separator: 0) {
      let text = String(decoding: entry, as: UTF8.self)
      guard let sign = text.firstIndex(of: "=") else { continue }
      found[String(text[..<sign])] = String(text[text.index(after: sign)...])
    }
    return found
  }
}

/// Words as C wants them: an array of pointers that ends with a null pointer.
private struct CStrings: ~Copyable {
  let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: Int

  init(_ words: [String]) {
    count = words.count
    pointers = .allocate(capacity: count + 1)
    for (place, word) in words.enumerated() { (pointers + place).initialize(to: strdup(word)) }
    (pointers + count).initialize(to: nil)
  }
  deinit {
    for place in 0..<count { free(pointers[place]) }
    pointers.deallocate()
  }
}

private final class Pipe {
  let reading: Int32
  private(set) var writing: Int32

  init() throws(SystemError) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw SystemError("make a pipe", code: errno) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    (reading, writing) = (ends[0], ends[1])
  }
  deinit {
    close(reading)
    closeWriting()
  }
  func closeWriting() {
    if writing >= 0 { close(writing) }
    writing = -1
  }
}
