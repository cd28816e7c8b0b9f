import Processes
public import EventLoop
import Glibc
import KubernetesAPI
import Synchronization
import Vocabulary

/// One Region on this machine: an API server, its controllers, and the processes that stand for pods. Stopped, it keeps
/// its state in its folder and comes back with it.
public final class LocalRegion: Sendable {
  public struct Settings: Sendable {
    public var name: String
    /// For the state, volumes, logs and kubeconfigs.
    public var folder: String
    public var host = "127.0.0.1"
    /// 0 takes any free port at the first start, and the same one later.
    public var port: UInt16 = 0
    /// The second byte of its pods' addresses: they are 127.x.y.z.
    public var network: UInt8 = 64
    /// What pods run in place of their image.
    public var program = "/proc/self/exe"
    /// Whether pods are run and the controllers work; without them it is an API server and no more.
    public var runsControllers = true
    /// How long a container that ended waits for its next start, first and at most; in milliseconds.
    public var backoff: (first: Int64, longest: Int64) = (1000, 60_000)

    public init(name: String, folder: String) {
      self.name = name
      self.folder = folder
    }
  }
  private struct Running {
    var server: LocalAPIServer
    var controllers: RegionControllers?
  }
  public let settings: Settings
  private let running: Mutex<Running?>
  private let port: Mutex<UInt16>

  public init(_ settings: Settings) {
    self.settings = settings
    running = Mutex(nil)
    port = Mutex(settings.port)
  }

  deinit { stop() }

  public var name: String { settings.name }
  public var isRunning: Bool { running.withLock { $0 != nil } }
  /// The API server, while it runs.
  public var server: LocalAPIServer? { running.withLock { $0?.server } }
  public var url: String { "http://\(settings.host):\(port.withLock { $0 })" }
  /// For people and for programs outside of the Region.
  public var kubeconfigPath: String { settings.folder + "/kubeconfig" }
  /// For the Region's own processes: it works also while the Region is cut off.
  public var insideKubeconfigPath: String { settings.folder + "/inside.kubeconfig" }

  /// Does nothing when it runs.
  public func start() throws(SystemError) {
    if isRunning { return }
    File.makeFolder(settings.folder)
    var serving = LocalAPIServer.Settings()
    serving.name = settings.name
    serving.host = settings.host
    serving.stateFile = settings.folder + "/state.json"
    let server = try listen(serving)
    port.withLock { $0 = server.port }
    LocalKubeconfig.write([.init(name: name, url: server.url, token: "people")], to: kubeconfigPath)
    LocalKubeconfig.write([.init(name: name, url: server.url, token: "region:\(name)")], to: insideKubeconfigPath)
    var controllers: RegionControllers?
    if settings.runsControllers {
      var environment = ["PATH=/usr/local/bin:/usr/bin:/bin", "KUBECONFIG=\(insideKubeconfigPath)"]
      if let swift = ProcessVariables.all["LD_LIBRARY_PATH"] { environment.append("LD_LIBRARY_PATH=\(swift)") }
      controllers = try RegionControllers(
        server,
        .init(
          region: name, folder: settings.folder, network: settings.network, program: program, environment: environment,
          backoff: .init(first: .milliseconds(settings.backoff.first), longest: .milliseconds(settings.backoff.longest))
        ))
    }
    let started = controllers
    running.withLock { $0 = Running(server: server, controllers: started) }
  }

  /// At the port of before, or at first at one that the system gives to no outgoing connection, so that it is still
  /// free when the Region comes back.
  private func listen(_ serving: LocalAPIServer.Settings) throws(SystemError) -> LocalAPIServer {
    var serving = serving
    serving.port = port.withLock { $0 }
    if serving.port != 0 { return try listenAgain(serving) }
    let attemptsMax = 50
    for _ in 0..<attemptsMax {
      serving.port = UInt16.random(in: 18_000..<32_000)
      do { return try LocalAPIServer(serving) } catch { if error.code != EADDRINUSE { throw error } }
    }
    serving.port = 0
    return try LocalAPIServer(serving)
  }

  /// A child that was forked a moment ago has the old socket until it runs its program: that is waited for.
  private func listenAgain(_ serving: LocalAPIServer.Settings) throws(SystemError) -> LocalAPIServer {
    let deadline = monotonicNow() + .seconds(3)
    let pause: UInt32 = 10_000
    while true {
      do { return try LocalAPIServer(serving) } catch {
        if error.code != EADDRINUSE || monotonicNow() >= deadline { throw error }
      }
      usleep(pause)
    }
  }

  /// The link is followed here: in a child it would lead to the child.
  private var program: String {
    guard settings.program == "/proc/self/exe" else { return settings.program }
    var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &bytes, bytes.count - 1)
    return count > 0 ? String(decoding: bytes.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self) : "swiftwater"
  }

  /// As if the place had lost its power: processes are killed, connections break, and nobody listens any more.
  public func stop() {
    guard let stopped = running.withLock({ $0.take() }) else { return }
    stopped.controllers?.stop()
    stopped.server.stop()
  }
}
