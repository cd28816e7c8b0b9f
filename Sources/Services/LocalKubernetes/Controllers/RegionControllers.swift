import Processes
import EventLoop
import Glibc
import JSONValue
import KubernetesAPI
import Synchronization
import Vocabulary

/// The controllers and the node of one Region: a thread that looks at the store whenever something that it cares for
/// has changed, and a thread for each pod.
final class RegionControllers: Sendable {
  struct Settings: Sendable {
    var region: String
    var folder: String
    /// The second byte of the pods' addresses.
    var network: UInt8
    var program: String
    var environment: [String]
    var backoff = PodRunner.Backoff()
  }
  private let settings: Settings
  private let server: LocalAPIServer
  private let bell: Bell
  private let isStopping = Atomic<Bool>(false)
  private let thread: Mutex<JoinedThread?>
  /// The state is written to its file this long after a change at the latest.
  static let savePeriod = TimeSpan.milliseconds(500)
  private static let watched: [ResourceName] = [
    .pods, .statefulSets, .services, .claims, .budgets, .configMaps, .secrets, .nodes, .endpoints,
    .serviceAccounts,
  ]

  init(_ server: LocalAPIServer, _ settings: Settings) throws(SystemError) {
    self.server = server
    self.settings = settings
    bell = try Bell()
    thread = Mutex(nil)
    let logs = settings.folder + "/pods"
    server.logs.withLock { $0 = { namespace, name in Self.log("\(logs)/\(namespace)_\(name)") } }
    server.listen(bell)
    let started = try JoinedThread(name: "controllers") { [self] in run() }
    thread.withLock { $0 = started }
    bell.ring()
  }

  /// Kills every process and waits for the threads.
  func stop() {
    isStopping.store(true, ordering: .releasing)
    bell.ring()
    thread.withLock { $0.take() }?.join()
    server.unlisten(bell)
  }

  private static func log(_ folder: String) -> String? {
    let bytesMax = 1 << 20
    let names = File.names(in: folder).filter { $0.hasSuffix(".log") }
    let texts = names.compactMap { File.tail("\(folder)/\($0)", bytesMax: bytesMax) }
    return texts.isEmpty ? nil : texts.joined()
  }

  private func run() {
    var runners: [String: PodRunner] = [:]
    var addresses = AddressBook(file: settings.folder + "/addresses.json", network: settings.network)
    var seen: [Int64] = []
    var saved: Int64 = -1
    var nextSave = Instant(nanoseconds: 0)
    while !isStopping.load(ordering: .acquiring) {
      let (signature, revision) = server.state.withLock { state in
        (Self.watched.map { state.store.kinds[$0]?.history.last?.revision ?? 0 }, state.store.revision)
      }
      if signature != seen || runners.values.contains(where: \.hasEnded) {
        seen = signature
        try? server.write { store, now throws(APIFailure) in
          Housekeeping(now: now, node: settings.region).run(&store)
        }
        sync(&runners, &addresses)
      }
      if revision != saved && monotonicNow() >= nextSave {
        server.save()
        saved = revision
        nextSave = monotonicNow() + Self.savePeriod
      }
      bell.wait(milliseconds: revision == saved ? 1000 : Self.savePeriod.milliseconds)
    }
    for runner in runners.values { runner.kill() }
    for runner in runners.values { runner.join() }
  }

  /// Starts what has to run, tells the rest what is new.
  private func sync(_ runners: inout [String: PodRunner], _ addresses: inout AddressBook) {
    let pods = server.state.withLock { $0.store.kinds[.pods]?.objects.values.map { $0 } ?? [] }
    let present = Set(pods.map(\.uid))
    for (uid, runner) in runners {
      if !present.contains(uid) { runner.kill() }
      if runner.hasEnded {
        runner.join()
        runners[uid] = nil
      }
    }
    // The next pod of a name begins when the processes of the one before have ended.
    let busy = Set(runners.values.filter { !present.contains($0.uid) }.map(\.key))
    for pod in pods where pod["spec"]["nodeName"].string == settings.region {
      if let runner = runners[pod.uid] {
        runner.update(pod)
        continue
      }
      if ["Succeeded", "Failed"].contains(pod["status"]["phase"].string) && !pod.isBeingDeleted { continue }
      let key = ObjectKey(namespace: pod.namespace, name: pod.name)
      if busy.contains(key) { continue }
      runners[pod.uid] = try? PodRunner(pod, place(key, &addresses), server)
    }
  }

  private func place(_ key: ObjectKey, _ addresses: inout AddressBook) -> PodRunner.Place {
    let folder = "\(settings.folder)/pods/\(key.namespace)_\(key.name)"
    return PodRunner.Place(
      program: settings.program, folder: folder,
      volumes: Volumes(podFolder: folder, claimsFolder: settings.folder + "/volumes"),
      address: addresses.address(of: key), environment: settings.environment, backoff: settings.backoff)
  }
}

/// Which loopback address a pod of a name has, for ever.
struct AddressBook {
  private let file: String
  private let network: UInt8
  private var numbers: [String: Int]
  /// 127.x.0.y is left to servers.
  private static let first = 257

  init(file: String, network: UInt8) {
    self.file = file
    self.network = network
    let saved = File.read(file).flatMap { try? JSON(parsing: $0) }
    numbers = [:]
    for member in saved?.members ?? [] { numbers[member.key] = member.value.int }
  }

  mutating func address(of key: ObjectKey) -> String {
    let name = key.description
    let number = numbers[name] ?? (numbers.values.max() ?? Self.first - 1) + 1
    if numbers[name] == nil {
      numbers[name] = number
      File.replace(file, with: JSON.object(JSON.Object(numbers.map { ($0.key, JSON($0.value)) })).bytes())
    }
    // The last byte is never 0 or 255.
    return "127.\(network).\(number / 254 & 0xFF).\(number % 254 + 1)"
  }
}
