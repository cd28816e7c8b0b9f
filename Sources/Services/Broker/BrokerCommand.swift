import EventLoop
import Glibc
import LogStorage
import Synchronization
public import Telemetry
import Vocabulary

/// `swiftwater broker [server.properties] [--override key=value …]`.
public enum BrokerCommand {
  public static let help = """
    Usage: swiftwater broker [--await KEY] [server.properties] [--override key=value ...]

    Runs a broker and its controller in one process. Without arguments it listens on
    localhost:9092 and keeps its data in ./swiftwater-data. The keys are Kafka's;
    docs/configuration.md lists them. SIGTERM and SIGINT stop it in order.

      --await KEY           waits until the file is there and has a value for KEY, as when somebody
                            else still has to write it; may be there several times
      --override KEY=VALUE  takes the place of what the file says; may be there several times
    """

  /// Runs until a signal ends it. Returns the exit code.
  public static func run(_ arguments: [String], log: Log) -> Int32 {
    var file: String?
    var overrides: [String] = []
    var awaited: [String] = []
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
      case "--await":
        guard let key = rest.popFirst() else { return Complaint.end("--await needs a key after it", code: 2) }
        awaited.append(key)
      case _ where argument.hasPrefix("--await="): awaited.append(String(argument.dropFirst("--await=".count)))
      case _ where argument.hasPrefix("-"):
        return Complaint.end("unknown option \(argument); swiftwater broker --help lists the options", code: 2)
      case _ where file == nil: file = argument
      default: return Complaint.end("more than one configuration file: \(argument)", code: 2)
      }
    }
    if let key = awaited.first, file == nil {
      return Complaint.end("--await \(key) needs a configuration file that is waited for", code: 2)
    }
    do {
      let signals = EndingSignals()
      if let file, let name = AwaitedFile(path: file, keys: awaited).wait(signals, log) {
        log.info("stopped", ["because": name])
        return 0
      }
      return try run(file: file, overrides: overrides, signals, log)
    } catch {
      return Complaint.end("\(error)", code: 1)
    }
  }

  private static func run(
    file: String?, overrides: [String], _ signals: EndingSignals, _ log: Log
  ) throws -> Int32 {
    let began = monotonicNow()
    let text = try file.map(ConfigurationFile.read)
    let settings = try BrokerSettings(file: text, named: file ?? "server.properties", overrides: overrides)
    for remark in settings.remarks { log.warning(remark) }
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
