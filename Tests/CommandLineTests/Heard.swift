import Synchronization

@testable import CommandLine

/// What a command wrote.
final class Heard: Sendable {
  private let texts = Mutex<(output: [UInt8], errors: [UInt8])>(([], []))

  var output: String { texts.withLock { String(decoding: $0.output, as: UTF8.self) } }
  var errors: String { texts.withLock { String(decoding: $0.errors, as: UTF8.self) } }

  func console(isErrorATerminal: Bool = false) -> Console {
    Console(
      sink: { [self] channel, bytes in
        texts.withLock { texts in
          switch channel {
          case .output: texts.output += bytes
          case .error: texts.errors += bytes
          }
        }
        return true
      }, isErrorATerminal: isErrorATerminal)
  }

  /// Runs a command line; the result is its status.
  func run(_ arguments: String...) async -> Int32 { await CommandLineTool.run(arguments, console: console()) }
}
