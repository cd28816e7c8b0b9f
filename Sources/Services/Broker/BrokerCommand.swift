import EventLoop
import Glibc
import LogStorage
public import Telemetry
import Vocabulary

/// `swiftwater broker [server.properties] [--override key=value …]`.
public enum BrokerCommand {
  public static let help = """
    Usage: swiftwater broker [server.properties] [--override key=value ...]

    Runs a broker and its controller in one process. Without arguments it listens on
    localhost:9092 and keeps its data in ./swiftwater-data. The keys are Kafka's;
    docs/configuration.md lists them. SIGTERM and SIGINT stop it in order.
    """

  /// Runs until a signal ends it. Returns the exit code.
  public static func run(_ arguments: [String], log: Log) -> Int32 {
    var file: String?
    var overrides: [String] = []
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      switch argument {
      case "--help", "-h":
        print(help)
        return 0
      case "--override":
        guard let value = rest.popFirst() else { return refuse("--override needs key=value after it", code: 2) }
        overrides.append(value)
      case _ where argument.hasPrefix("--override="):
        overrides.append(String(argument.dropFirst("--override=".count)))
      case _ where argument.hasPrefix("-"):
        return refuse("unknown option \(argument); swiftwater broker --help lists the options", code: 2)
      case _ where file == nil: file = argument
      default: return refuse("more than one configuration file: \(argument)", code: 2)
      }
    }
    do {
      return try run(file: file, overrides: overrides, log)
    } catch {
      return refuse("\(error)", code: 1)
    }
  }

  private static func run(file: String?, overrides: [String], _ log: Log) throws -> Int32 {
    let began = monotonicNow()
    let text = try file.map(read)
    let settings = try BrokerSettings(file: text, named: file ?? "server.properties", overrides: overrides)
    for remark in settings.remarks { log.warning(remark) }
    let signals = EndingSignals()
    let broker = try Broker(settings: settings, log: log)
    try broker.start()
    log.info(
      "ready",
      [
        "listeners": settings.listeners.map { "\($0.name)://\($0.advertised.host):\($0.advertised.port)" }
          .joined(separator: ","),
        "cluster": broker.clusterID, "node": settings.nodeID.value,
        "partitions": broker.partitions.partitionCount,
        "ms": (monotonicNow() - began).milliseconds,
      ])
    let name = signals.wait()
    log.info("stopping", ["signal": name])
    broker.stop()
    log.info("stopped")
    return 0
  }

  private static func read(_ path: String) throws -> String {
    let disk = FileDisk()
    guard let size = try disk.size(of: path) else {
      throw ConfigurationError("\(path): there is no such file")
    }
    guard size <= 1 << 20 else { throw ConfigurationError("\(path): \(size) bytes are too many for a configuration") }
    var bytes = [UInt8](repeating: 0, count: Int(size))
    let file = try disk.open(path)
    _ = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ConfigurationError("\(path): is not text in UTF-8")
    }
    return text
  }

  private static func refuse(_ sentence: String, code: Int32) -> Int32 {
    let line = Array("swiftwater: \(sentence)\n".utf8)
    _ = write(2, line, line.count)
    return code
  }
}

/// SIGTERM and SIGINT, taken by one thread that waits for them; every other thread is made with them blocked.
private struct EndingSignals {
  private var set = sigset_t()

  init() {
    sigemptyset(&set)
    sigaddset(&set, SIGTERM)
    sigaddset(&set, SIGINT)
    pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  func wait() -> String {
    var set = set
    var signal: Int32 = 0
    sigwait(&set, &signal)
    return signal == SIGINT ? "SIGINT" : "SIGTERM"
  }
}
