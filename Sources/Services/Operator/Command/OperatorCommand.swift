import CMalloc
import EventLoop
import Glibc
import KubernetesAPI
import Synchronization
public import Telemetry

/// `swiftwater operator [--kubeconfig FILE] [--context NAME] [--namespace NAME] …`.
public enum OperatorCommand {
  public static let help = """
    Usage: swiftwater operator [options]

    Brings clusters, topics and mirrors into the state that KafkaCluster, KafkaTopic, KafkaMirror
    and Region objects ask for. One operator runs in each Kubernetes cluster; the one that holds the Lease in most
    of them leads. SIGTERM and SIGINT give the Leases back and stop it.

      --kubeconfig FILE             how its own API server is reached (KUBECONFIG, ~/.kube/config;
                                    in a pod its service account)
      --context NAME                the context of the kubeconfig (its current one)
      --namespace NAME              the namespace that is looked after, and where Leases are
                                    (that of the context, or of the pod)
      --all-namespaces              looks after the resources of every namespace
      --member NAME                 what this Kubernetes cluster is called where no Region leads here
      --identity NAME               who holds the Leases (the host's name and a random part)
      --metrics-listener HOST:PORT  where /metrics, /livez and /readyz are (nowhere)
      --log-level LEVEL             trace, debug, info, warning or error (info)
      --help                        shows this text

    """
  private static let usageStatus: Int32 = 2

  struct Mistake: Error, CustomStringConvertible {
    let description: String
    let status: Int32
  }

  struct Options {
    var kubeconfig: String?
    var context: String?
    var namespace: String?
    var allNamespaces = false
    var member: String?
    var identity: String?
    var listener: (host: String, port: UInt16)?
    var level: LogLevel?
    var wantsHelp = false

    init(_ arguments: [String]) throws(Mistake) {
      var rest = arguments[...]
      while let word = rest.popFirst() {
        let equals = word.hasPrefix("--") ? word.firstIndex(of: "=") : nil
        let name = equals.map { String(word[..<$0]) } ?? word
        func value() throws(Mistake) -> String {
          if let equals { return String(word[word.index(after: equals)...]) }
          guard let value = rest.popFirst() else {
            throw Mistake(description: "\(name) needs a value after it", status: 2)
          }
          return value
        }
        switch name {
        case "--help", "-h": wantsHelp = true
        case "--kubeconfig": kubeconfig = try value()
        case "--context": context = try value()
        case "--namespace", "-n": namespace = try value()
        case "--all-namespaces", "-A": allNamespaces = true
        case "--member": member = try value()
        case "--identity": identity = try value()
        case "--log-level":
          let text = try value()
          guard let level = LogLevel(text) else {
            throw Mistake(
              description: "--log-level \(text): there are trace, debug, info, warning and error", status: 2)
          }
          self.level = level
        case "--metrics-listener": listener = try Self.address(try value())
        default:
          throw Mistake(
            description: "unknown option \(word); swiftwater operator --help lists the options", status: 2)
        }
      }
    }

    private static func address(_ text: String) throws(Mistake) -> (String, UInt16) {
      guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
        throw Mistake(description: "--metrics-listener \(text): HOST:PORT is needed, such as 0.0.0.0:9404", status: 2)
      }
      return (text[..<colon].filter { $0 != "[" && $0 != "]" }, port)
    }
  }

  /// Runs until a signal ends it. Returns the exit code. Blocks the calling thread.
  public static func run(_ arguments: [String], log: Log) -> Int32 {
    malloc_stay_small()
    ignoreBrokenPipes()
    do {
      let options = try Options(arguments)
      if options.wantsHelp {
        print(help, terminator: "")
        return 0
      }
      if let level = options.level { log.output.level = level }
      let signals = EndingSignals()
      let service = try OperatorService(try settings(options), log: log)
      try blocking { try await checkRights(service.settings) }
      try service.start()
      let name = signals.wait()
      log.info("stopping", ["because": name])
      try blocking { await service.stop() }
      log.info("stopped")
      return 0
    } catch {
      let status = (error as? Mistake)?.status ?? 1
      let line = "swiftwater operator: \(error)\n"
      _ = line.withCString { write(2, $0, strlen($0)) }
      return status
    }
  }

  static func settings(_ options: Options) throws -> OperatorService.Settings {
    let environment = environment()
    let target: ServerTarget
    if let file = options.kubeconfig {
      target = try Kubeconfig(files: [file]).target(context: options.context)
    } else if environment["KUBERNETES_SERVICE_HOST"] != nil, environment["KUBECONFIG"] == nil {
      target = try ServerTarget.inCluster(environment: environment)
    } else {
      target = try Kubeconfig(environment: environment).target(context: options.context)
    }
    let namespace = options.namespace ?? target.namespace ?? "default"
    let random = String(UInt32.random(in: 0...UInt32.max), radix: 36)
    let identity = options.identity ?? "\(environment["HOSTNAME"] ?? "operator")-\(random)"
    var settings = OperatorService.Settings(home: target, namespace: namespace, identity: identity)
    settings.watchesAllNamespaces = options.allNamespaces
    settings.memberName = options.member
    settings.metricsListener = options.listener
    return settings
  }

  /// What the home refuses is said at once. A home that does not answer is waited for: the others have to be managed.
  static func checkRights(_ settings: OperatorService.Settings) async throws {
    var own = APIServer.Settings()
    own.patience = settings.patience
    let server = try APIServer(name: "the API server of \(settings.home.origin)", target: settings.home, settings: own)
    defer { server.close() }
    let namespace = settings.watchesAllNamespaces ? nil : settings.namespace
    for type in Kinds.applied + Kinds.owned + [Kinds.pods] {
      do throws(APIError) {
        _ = try await server.list(type, .init(namespace: namespace)) { _ in false }
      } catch {
        guard let code = error.status?.code, code == 401 || code == 403 else { return }
        throw error
      }
    }
    do throws(APIError) {
      _ = try await server.find(
        .leases, ObjectKey(namespace: settings.namespace, name: "swiftwater-operator"))
    } catch { if error.isForbidden { throw error } }
  }

  /// Waits on this thread for work that others do.
  private static func blocking(_ work: @escaping @Sendable () async throws -> Void) throws {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw SystemError("make a pipe", code: errno) }
    let done = ends[1]
    let box = ResultBox()
    Task.detached {
      do {
        try await work()
        box.value.withLock { $0 = .success(()) }
      } catch { box.value.withLock { $0 = .failure(error) } }
      var byte: UInt8 = 0
      _ = Glibc.write(done, &byte, 1)
    }
    var byte: UInt8 = 0
    while read(ends[0], &byte, 1) != 1 {}
    close(ends[0])
    close(ends[1])
    try box.value.withLock { $0 }?.get()
  }

  private final class ResultBox: Sendable {
    let value = Mutex<Result<Void, any Error>?>(nil)
  }

  private static func environment() -> [String: String] {
    var found: [String: String] = [:]
    for name in ["KUBECONFIG", "HOME", "HOSTNAME", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"] {
      if let value = getenv(name) { found[name] = String(cString: value) }
    }
    return found
  }
}
