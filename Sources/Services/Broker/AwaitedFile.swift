import EventLoop
import Telemetry
import Vocabulary

/// A configuration that somebody else still has to write or to complete: `--await`.
struct AwaitedFile {
  /// How often the file is read.
  static let pause = TimeSpan.milliseconds(200)
  /// How often it is said what is waited for.
  static let reminder = TimeSpan.seconds(5)

  let path: String
  let keys: [String]

  /// Why the node cannot start yet; nil when it can.
  var obstacle: String? {
    if keys.isEmpty { return nil }
    do {
      let values = try PropertiesFile.parse(try ConfigurationFile.read(path), named: path)
      guard let key = keys.first(where: { values[$0]?.isEmpty ?? true }) else { return nil }
      return "\(path) has no \(key)"
    } catch {
      return "\(error)"
    }
  }

  /// Waits until nothing is in the way. Returns the signal that ended the wait, if one did.
  func wait(_ signals: EndingSignals, _ log: Log) -> String? {
    while let obstacle {
      log.log(.info, atMostEvery: Self.reminder, "waiting for the configuration", ["because": obstacle])
      if let name = signals.wait(atMost: Self.pause) { return name }
    }
    return nil
  }
}
