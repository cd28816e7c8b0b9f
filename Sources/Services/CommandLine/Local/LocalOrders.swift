import Glibc
import Processes

/// How other commands tell `local up` what to do: an order is a file in its folder, which goes away when it was carried
/// out. There is nobody to talk to who could be somebody else's.
struct LocalOrders: Sendable {
  enum Verb: String, Sendable { case stop, start, cut, heal, down }
  struct Order: Sendable, Equatable {
    let verb: Verb
    let region: String
  }
  private static let patience: UInt32 = 30_000_000
  private static let pause: UInt32 = 20_000

  let folder: String
  private var inbox: String { folder + "/orders" }
  private var statusPath: String { folder + "/status" }
  private var processPath: String { folder + "/process" }

  init(folder: String) { self.folder = folder }

  // MARK: Of those who give them

  /// Whether the process that wrote its number lives.
  var isObeyed: Bool {
    guard let bytes = File.read(processPath), let process = Int32(String(decoding: bytes, as: UTF8.self)), process > 1
    else { return false }
    return kill(process, 0) == 0
  }
  var status: String? { File.read(statusPath).map { String(decoding: $0, as: UTF8.self) } }
  var regions: [String] {
    (status ?? "").split(separator: "\n").dropFirst().compactMap { $0.split(separator: " ").first.map(String.init) }
  }

  /// False when it was not carried out in time; throws when it cannot be given.
  func give(_ verb: Verb, _ region: String) throws(Failure) -> Bool {
    let path = "\(inbox)/\(verb.rawValue).\(region)"
    guard File.replace(path, with: []) else { throw Failure("\(path) cannot be written") }
    var waited: UInt32 = 0
    while access(path, F_OK) == 0 {
      guard waited < Self.patience, isObeyed || verb == .down else { return verb == .down }
      usleep(Self.pause)
      waited += Self.pause
    }
    return true
  }

  // MARK: Of the one who takes them

  func open() {
    File.makeFolder(inbox)
    for name in File.names(in: inbox) { File.remove("\(inbox)/\(name)") }
    File.replace(processPath, with: Array("\(getpid())".utf8))
  }
  func close() { File.remove(processPath) }

  /// A file that is still being written (`heal.a.new`) is none yet: names of Regions have no dots.
  func waiting() -> [Order] {
    File.names(in: inbox).sorted().compactMap { name in
      let parts = name.split(separator: ".", omittingEmptySubsequences: false)
      guard parts.count == 2, let verb = Verb(rawValue: String(parts[0])) else { return nil }
      return Order(verb: verb, region: String(parts[1]))
    }
  }
  func done(_ order: Order) { File.remove("\(inbox)/\(order.verb.rawValue).\(order.region)") }
  func publish(_ status: String) { File.replace(statusPath, with: Array(status.utf8)) }
}
