import Glibc
import Synchronization
public import Vocabulary

/// How much a line of the log matters, the least first.
public enum LogLevel: UInt8, Comparable, Sendable, CaseIterable {
  case trace, debug, info, warning, error

  /// `trace`, `debug`, `info`, `warning` or `error`; `warn` is understood too.
  public init?(_ name: String) {
    if name == "warn" {
      self = .warning
    } else if let level = Self.allCases.first(where: { $0.name == name }) {
      self = level
    } else {
      return nil
    }
  }

  public var name: String {
    switch self {
    case .trace: "trace"
    case .debug: "debug"
    case .info: "info"
    case .warning: "warning"
    case .error: "error"
    }
  }

  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// What a line says besides its message, in order. Numbers and truth values stay such in JSON.
public typealias LogFields = KeyValuePairs<String, any CustomStringConvertible>

/// Writes lines about one part of the program. Fields are only computed when the line is written.
public struct Log: Sendable {
  public let part: String
  public let output: LogOutput

  public init(_ part: String, to output: LogOutput = .standardError) {
    self.part = part
    self.output = output
  }

  public func isEnabled(_ level: LogLevel) -> Bool { level >= output.level }

  public func trace(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
    if isEnabled(.trace) { output.write(.trace, part, message(), fields()) }
  }
  public func debug(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
    if isEnabled(.debug) { output.write(.debug, part, message(), fields()) }
  }
  public func info(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
    if isEnabled(.info) { output.write(.info, part, message(), fields()) }
  }
  public func warning(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
    if isEnabled(.warning) { output.write(.warning, part, message(), fields()) }
  }
  public func error(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
    if isEnabled(.error) { output.write(.error, part, message(), fields()) }
  }

  /// For what a peer can cause as often as it likes: of the lines with this message, one is written in each `span`;
  /// it counts those that were left out before it as `suppressed`.
  public func log(
    _ level: LogLevel, atMostEvery span: TimeSpan, _ message: String, _ fields: @autoclosure () -> LogFields = [:]
  ) {
    guard isEnabled(level), let suppressed = output.admit(part, message, span: span) else { return }
    output.write(level, part, message, fields(), suppressed: suppressed)
  }
}

/// Where lines go: a descriptor, in one `write` for each line.
public final class LogOutput: Sendable {
  /// Text on a terminal, JSON otherwise.
  public static let standardError = LogOutput(
    descriptor: STDERR_FILENO, format: isatty(STDERR_FILENO) == 1 ? .text : .json)

  public enum Format: Sendable {
    /// `2024-05-06T07:08:09.123Z INFO broker: message key=value`
    case text
    /// One object a line.
    case json
  }

  /// How many messages are remembered to be limited; when there are more, all are forgotten.
  private static let limitedMessagesMax = 1000

  private struct Limited {
    var next: Instant
    var suppressed = 0
  }
  private let descriptor: Int32
  private let format: Format
  private let minimum = Atomic<UInt8>(LogLevel.info.rawValue)
  private let limited = Mutex<[String: Limited]>([:])
  /// Lines longer than a pipe takes at once would otherwise run into each other.
  private let turn = Mutex<Void>(())

  /// The descriptor stays the caller's.
  public init(descriptor: Int32, format: Format) {
    self.descriptor = descriptor
    self.format = format
  }

  /// Lines below it are not written; `info` at first.
  public var level: LogLevel {
    get { LogLevel(rawValue: minimum.load(ordering: .relaxed)) ?? .info }
    set { minimum.store(newValue.rawValue, ordering: .relaxed) }
  }

  func write(_ level: LogLevel, _ part: String, _ message: String, _ fields: LogFields, suppressed: Int = 0) {
    var line = LogLine(format: format, time: now(CLOCK_REALTIME), level: level, part: part, message: message)
    for (key, value) in fields { line.add(key, value) }
    if suppressed > 0 { line.add("suppressed", suppressed) }
    let bytes = line.finish()
    turn.withLock { _ in
      var done = 0
      while done < bytes.count {
        let status = bytes.withUnsafeBytes { all in
          let rest = UnsafeRawBufferPointer(rebasing: all[done...])
          return Glibc.write(descriptor, rest.baseAddress, rest.count)
        }
        if status < 0 && errno == EINTR { continue }
        // Nobody is left to be told that the log cannot be written.
        if status <= 0 { return }
        done += status
      }
    }
  }

  /// How many were left out before this one; nil when this one is to be left out.
  func admit(_ part: String, _ message: String, span: TimeSpan) -> Int? {
    let time = Instant(nanoseconds: now(CLOCK_MONOTONIC))
    return limited.withLock { limited in
      if limited.count >= Self.limitedMessagesMax { limited.removeAll() }
      let key = "\(part): \(message)"
      guard var entry = limited[key] else {
        limited[key] = Limited(next: time + span)
        return 0
      }
      defer { limited[key] = entry }
      guard time >= entry.next else {
        entry.suppressed += 1
        return nil
      }
      defer { entry.suppressed = 0 }
      entry.next = time + span
      return entry.suppressed
    }
  }
}

/// In nanoseconds.
func now(_ clock: clockid_t) -> Int64 {
  var time = timespec()
  clock_gettime(clock, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
