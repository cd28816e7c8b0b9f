import Synchronization
import Vocabulary

/// Asks for the addresses of a host; may block for as long as name servers are silent.
package typealias NameResolver = @Sendable (String, UInt16) throws(SystemError) -> [ResolvedAddress]

/// What several ask for at one time is asked once, so that a name server that is silent keeps a thread for each name and
/// not for each try.
final class NameQuestions: Sendable {
  typealias Answer = @Sendable (Result<[ResolvedAddress], SystemError>) -> Void
  private let waiting = Mutex<[String: [Answer]]>([:])

  /// Whether nobody asks for it yet.
  func join(_ name: String, _ answer: @escaping Answer) -> Bool {
    waiting.withLock { waiting in
      waiting[name, default: []].append(answer)
      return waiting[name]?.count == 1
    }
  }

  func answer(_ name: String, with result: Result<[ResolvedAddress], SystemError>) {
    for answer in waiting.withLock({ $0.removeValue(forKey: name) }) ?? [] { answer(result) }
  }
}

extension BlockingPool {
  /// Resolves a name on a thread of the pool.
  func resolve(host: String, port: UInt16, then answer: @escaping NameQuestions.Answer) {
    let name = "\(host):\(port)"
    guard questions.join(name, answer) else { return }
    run { [self] in
      let result: Result<[ResolvedAddress], SystemError>
      do throws(SystemError) {
        result = .success(try resolver(host, port))
      } catch {
        result = .failure(error)
      }
      questions.answer(name, with: result)
    }
  }
}
