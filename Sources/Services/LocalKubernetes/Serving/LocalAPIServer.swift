public import EventLoop
import HTTP
import JSONValue
import Synchronization
import Vocabulary

/// A small Kubernetes API server in this process, on a loopback address.
///
/// It speaks plain HTTP and believes every caller: a bearer token only says who calls, so that a Region can be cut off
/// from others. The token `region:NAME` belongs to the processes of a Region; with `serviceaccount:NAMESPACE:NAME` the
/// account's roles count.
public final class LocalAPIServer: Sendable {
  public struct Settings: Sendable {
    /// The Region that it belongs to.
    public var name = "local"
    public var host = "127.0.0.1"
    /// 0 takes any free port.
    public var port: UInt16 = 0
    /// Where the state is kept from one start to the next; nil keeps nothing.
    public var stateFile: String?
    /// Events of each kind that watches can go back to.
    public var historyMax = 4096
    /// Uids follow from it.
    public var seed = UInt64.random(in: .min ... .max)
    public init() {}
  }

  struct State: Sendable {
    var store: LocalStore
    var faults = Faults()
    var rights = RightsAsked()
    var watches: [ObjectIdentifier: WatchStream] = [:]
    /// Rung at every write.
    var bells: [Bell] = []
    var isStopping = false
    var clock: @Sendable () -> Timestamp = { wallClockNow() }
  }
  public let settings: Settings
  let state: Mutex<State>
  private let http: Mutex<WaitingServer?>
  private let listeningPort: Mutex<UInt16>
  let logs: Mutex<(@Sendable (String, String) -> String?)?>

  /// Serves from now on, with the state of the file if there is one.
  public init(_ settings: Settings = .init()) throws(SystemError) {
    self.settings = settings
    var store =
      settings.stateFile.flatMap { StateFile.read($0, seed: settings.seed) } ?? LocalStore(seed: settings.seed)
    store.historyMax = settings.historyMax
    Furnishing.put(into: &store, settings.name, now: wallClockNow())
    state = Mutex(State(store: store))
    http = Mutex(nil)
    listeningPort = Mutex(0)
    logs = Mutex(nil)
    let served = try WaitingServer(host: settings.host, port: settings.port) { [weak self] request in
      self?.answer(request) ?? .close
    }
    listeningPort.withLock { $0 = served.port }
    http.withLock { $0 = served }
  }

  deinit { stop() }

  public var port: UInt16 { listeningPort.withLock { $0 } }
  public var url: String { "http://\(settings.host):\(port)" }
  public var name: String { settings.name }

  /// Breaks off every connection and saves the state.
  public func stop() {
    guard let served = http.withLock({ $0.take() }) else { return }
    let watches = state.withLock { state in
      state.isStopping = true
      return Array(state.watches.values)
    }
    for watch in watches { watch.bell.ring() }
    served.stop()
    save()
  }

  /// Writes the state to its file now.
  public func save() {
    guard let file = settings.stateFile else { return }
    StateFile.write(store, to: file)
  }

  var store: LocalStore { state.withLock { $0.store } }

  /// Runs a verb and lets those hear of it who wait for such news.
  func write<Result: Sendable>(
    _ body: (inout LocalStore, Timestamp) throws(APIFailure) -> Result
  ) throws(APIFailure) -> Result {
    let (result, woken): (Swift.Result<Result, APIFailure>, [Bell]) = state.withLock { state in
      let now = state.clock()
      let result: Swift.Result<Result, APIFailure>
      do throws(APIFailure) { result = .success(try body(&state.store, now)) } catch { result = .failure(error) }
      let touched = state.store.takeTouched()
      if touched.isEmpty { return (result, []) }
      let woken = state.watches.values.filter { touched.contains($0.name) }.map(\.bell)
      return (result, woken + state.bells)
    }
    for bell in woken { bell.ring() }
    return try result.get()
  }

  func read<Result: Sendable>(_ body: (LocalStore) throws(APIFailure) -> Result) throws(APIFailure) -> Result {
    let result: Swift.Result<Result, APIFailure> = state.withLock { state in
      do throws(APIFailure) { return .success(try body(state.store)) } catch { return .failure(error) }
    }
    return try result.get()
  }

  func listen(_ bell: Bell) { state.withLock { $0.bells.append(bell) } }
  func unlisten(_ bell: Bell) { state.withLock { $0.bells.removeAll { $0 === bell } } }

  func register(_ watch: WatchStream) { state.withLock { $0.watches[ObjectIdentifier(watch)] = watch } }
  func unregister(_ watch: WatchStream) {
    state.withLock { _ = $0.watches.removeValue(forKey: ObjectIdentifier(watch)) }
  }

  /// What a watch has to know of faults.
  var watchWeather: (isStale: Bool, epoch: Int, isStopping: Bool) {
    state.withLock { ($0.faults.areWatchesStale, $0.faults.watchEpoch, $0.isStopping) }
  }

  /// What happened after a revision, and the revision of now.
  func events(_ name: ResourceName, after revision: Int64) throws(APIFailure) -> ([StoreEvent], Int64) {
    try read { store throws(APIFailure) in (Array(try store.events(name, after: revision)), store.revision) }
  }
}
