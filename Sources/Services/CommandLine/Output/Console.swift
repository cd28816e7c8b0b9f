import Glibc

/// Nobody reads standard output any more, as after `| head`: the program ends without a word.
struct ReaderLeft: Error {}

/// Where a command reads and writes. Output is collected and written in large pieces.
final class Console: Sendable {
  enum Channel: Sendable {
    case output
    case error
  }
  /// Writes all of it; false when nobody reads.
  typealias Sink = @Sendable (Channel, [UInt8]) -> Bool
  /// Up to so many bytes of input; none at its end.
  typealias Source = @Sendable (Int) -> [UInt8]

  private let sink: Sink
  private let source: Source
  /// Whether the next read would wait.
  private let inputIsIdle: @Sendable () -> Bool
  /// Whether a line on standard error may be written over.
  let isErrorATerminal: Bool
  private let buffer = OutputBuffer()

  init(
    sink: @escaping Sink, source: @escaping Source = { _ in [] },
    inputIsIdle: @escaping @Sendable () -> Bool = { false }, isErrorATerminal: Bool = false
  ) {
    self.sink = sink
    self.source = source
    self.inputIsIdle = inputIsIdle
    self.isErrorATerminal = isErrorATerminal
  }

  static var standard: Console {
    Console(
      sink: { channel, bytes in writeAll(bytes, to: channel == .output ? 1 : 2) },
      source: { count in readSome(count) },
      inputIsIdle: {
        var waiting = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, 0) == 0
      }, isErrorATerminal: isatty(2) == 1)
  }

  func write(_ text: String) throws { try write(Array(text.utf8)) }

  func write(_ bytes: [UInt8]) throws {
    if buffer.add(bytes) { try flush() }
  }

  func flush() throws {
    let bytes = buffer.take()
    guard bytes.isEmpty || sink(.output, bytes) else { throw ReaderLeft() }
  }

  /// Something to know that is not part of the result.
  func note(_ sentence: String) { _ = sink(.error, Array("\(sentence)\n".utf8)) }
  /// What went wrong, in one line.
  func complain(_ sentence: String) { note("swiftwater: \(sentence)") }
  /// As it is, for a line that is written over.
  func writeError(_ text: String) { _ = sink(.error, Array(text.utf8)) }

  func readInput(upTo count: Int) -> [UInt8] { source(count) }
  var isInputIdle: Bool { inputIsIdle() }
}

private func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
  var rest = bytes
  while !rest.isEmpty {
    let count = Glibc.write(descriptor, rest, rest.count)
    if count > 0 {
      rest = count == rest.count ? [] : Array(rest[count...])
    } else if errno != EINTR && errno != EAGAIN {
      return false
    }
  }
  return true
}

private func readSome(_ count: Int) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: count)
  while true {
    let got = read(0, &bytes, count)
    if got >= 0 { return Array(bytes[..<got]) }
    if errno != EINTR { return [] }
  }
}
