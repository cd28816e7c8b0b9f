import CLinux
public import EventLoop
import Glibc
public import Vocabulary

/// A process that was started here, in a group of its own. It dies with the thread that started it.
public struct Child: ~Copyable {
  public let process: Int32
  /// Can be read once the process has ended.
  public let descriptor: Int32

  public enum Ending: Sendable, Hashable {
    case exited(Int32)
    case signalled(Int32)
    /// As shells and Kubernetes count: 128 and the signal.
    public var code: Int32 {
      switch self {
      case .exited(let code): code
      case .signalled(let signal): 128 + signal
      }
    }
  }

  /// A program without a slash is looked for in the usual folders. The output is appended to a file.
  public init(_ words: [String], environment: [String], folder: String, log: String) throws(SystemError) {
    guard let program = words.first else { throw SystemError("run nothing", code: EINVAL) }
    guard let path = Self.found(program) else { throw SystemError("run \(program)", code: ENOENT) }
    let output = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard output >= 0 else { throw SystemError("open \(log)", code: errno) }
    defer { close(output) }
    let arguments = Words(words)
    let variables = Words(environment)
    let started = linux_spawn(path, arguments.pointers, variables.pointers, folder, output)
    guard started > 0 else { throw SystemError("run \(path)", code: -started) }
    process = started
    descriptor = linux_process_descriptor(started)
  }

  /// Ends the whole group if it still runs.
  deinit {
    kill(-process, SIGKILL)
    if descriptor >= 0 { close(descriptor) }
    waitpid(process, nil, 0)
  }

  private static func found(_ program: String) -> String? {
    if program.contains("/") { return program }
    for folder in ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"] {
      let path = "\(folder)/\(program)"
      if access(path, X_OK) == 0 { return path }
    }
    return nil
  }

  public func send(_ signal: Int32) { kill(-process, signal) }

  /// How it ended; nil while it runs. It is not waited for, and stays to be asked again.
  public func ending() -> Ending? {
    var info = siginfo_t()
    guard waitid(P_PID, id_t(process), &info, WEXITED | WNOHANG | WNOWAIT) == 0, info.si_signo == SIGCHLD else {
      return nil
    }
    var status: Int32 = 0
    status = info._sifields._sigchld.si_status
    return info.si_code == 1 ? .exited(status) : .signalled(status)
  }

  /// Waits for the end, but no longer than this.
  public func wait(_ span: TimeSpan) -> Ending? {
    let deadline = monotonicNow() + span
    while true {
      if let ending = ending() { return ending }
      let left = (deadline - monotonicNow()).milliseconds
      if left <= 0 { return nil }
      if linux_poll_two(descriptor, -1, Int32(clamping: left)) == 0 { return ending() }
    }
  }
}

/// Strings for C, ended by NULL.
private final class Words {
  let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: Int
  init(_ words: [String]) {
    count = words.count
    pointers = .allocate(capacity: count + 1)
    for (place, word) in words.enumerated() { pointers[place] = strdup(word) }
    pointers[count] = nil
  }
  deinit {
    for place in 0..<count { free(pointers[place]) }
    pointers.deallocate()
  }
}
