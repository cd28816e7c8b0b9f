import JSONValue
import Processes
import Vocabulary

/// Asks a container how it is, as a probe declares it.
struct Probe: Sendable {
  let declared: JSON
  let container: JSON
  /// The pod's address.
  let address: String

  var period: TimeSpan { .seconds(declared["periodSeconds"].int64 ?? 10) }
  var delay: TimeSpan { .seconds(declared["initialDelaySeconds"].int64 ?? 0) }
  var patience: TimeSpan { .seconds(max(1, declared["timeoutSeconds"].int64 ?? 1)) }
  var failuresMax: Int { declared["failureThreshold"].int ?? 3 }
  var successesMin: Int { declared["successThreshold"].int ?? 1 }

  /// Nil when all is well, else what is wrong. Blocks for no longer than the probe's patience.
  func failure(run: ([String], TimeSpan) -> Child.Ending?) -> String? {
    if let words = declared["exec"]["command"].strings {
      switch run(words, patience) {
      case .exited(0): return nil
      case let ending?: return "command exited with \(ending.code)"
      case nil: return "command timed out"
      }
    }
    if declared["tcpSocket"].object != nil { return asked(declared["tcpSocket"]).connectFailure() }
    if declared["httpGet"].object != nil {
      return asked(declared["httpGet"]).getFailure(path: declared["httpGet"]["path"].string ?? "/")
    }
    return nil
  }

  private func port(_ value: JSON) -> UInt16 {
    if let number = value.int { return UInt16(clamping: number) }
    let named = container["ports"].elements.first { $0["name"] == value }
    return UInt16(clamping: named?["containerPort"].int ?? Int(value.string ?? "") ?? 0)
  }

  private func asked(_ target: JSON) -> AddressProbe {
    AddressProbe(host: target["host"].string ?? address, port: port(target["port"]), patience: patience)
  }
}
