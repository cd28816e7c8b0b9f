import EventLoop
import Glibc
import LogStorage
import Synchronization
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
        guard let value = rest.popFirst() else { return Complaint.end("--override needs key=value after it", code: 2) }
        overrides.append(value)
      case _ where argument.hasPrefix("--override="):
        overrides.append(String(argument.dropFirst("--override=".count)))
      case _ where argument.hasPrefix("-"):
        return Complaint.end("unknown option \(argument); swiftwater broker --help lists the options", code: 2)
      case _ where file == nil: file = argument
      default: return Complaint.end("more than one configuration file: \(argument)", code: 2)
      }
    }
    do {
      return try run(file: file, overrides: overrides, log)
    } catch {
      return Complaint.end("\(error)", code: 1)
    }
  }

  private static func run(file: String?, overrides: [String], _ log: Log) throws -> Int32 {
    let began = monotonicNow()
    let text = try file.map(ConfigurationFile.read)
    let settings = try BrokerSettings(file: text, named: file ?? "server.properties", overrides: overrides)
    for remark in settings.remarks { log.warning(remark) }
    let signals = EndingSignals()
    let failure = Mutex<String?>(nil)
    let broker = try Broker(settings: settings, log: log) { reason in
      failure.withLock { $0 = $0 ?? reason }
      kill(getpid(), SIGTERM)
    }
    try broker.start { [weak broker] in
      log.info(
        "ready",
        [
          "listeners": (settings.listeners + settings.controllerListeners)
            .map { "\($0.name)://\($0.advertised.host):\($0.advertised.port)" }.joined(separator: ","),
          "cluster": broker?.clusterID ?? "", "node": settings.nodeID.value,
          "partitions": broker?.partitions.partitionCount ?? 0,
          "ms": (monotonicNow() - began).milliseconds,
        ])
    }
    let name = signals.wait()
    let reason = failure.withLock { $0 }
    log.info("stopping", ["because": reason ?? name])
    broker.stop()
    log.info("stopped")
    return reason.map { Complaint.end($0, code: 1) } ?? 0
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
