import EventLoop
import Glibc
import KafkaProtocol
import LogStorage
import Telemetry
import Testing
import Vocabulary

@testable import Broker

/// A folder of the system's own, removed at the end.
final class TemporaryFolder {
  let path: String

  init() throws {
    var template = Array("/tmp/swiftwater-test-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!).map { String(cString: $0) } }
    path = try #require(made)
  }

  deinit { Self.remove(path) }

  private static func remove(_ path: String) {
    let disk = FileDisk()
    for name in (try? disk.list(path)) ?? [] {
      if Glibc.unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
    }
    rmdir(path)
  }

  /// Every file below it with its bytes, but without the lock, which says nothing.
  func contents(_ folder: String? = nil) throws -> [String: [UInt8]] {
    let disk = FileDisk()
    let folder = folder ?? path
    var found: [String: [UInt8]] = [:]
    for name in try disk.list(folder) where name != ".lock" {
      let inner = "\(folder)/\(name)"
      if (try? disk.list(inner)) != nil {
        found[inner] = []
        found.merge(try contents(inner)) { first, _ in first }
        continue
      }
      var bytes = [UInt8](repeating: 0, count: Int(try disk.size(of: inner) ?? 0))
      let file = try disk.open(inner)
      _ = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
      found[inner] = bytes
    }
    return found
  }
}

/// A broker in this process, on ports that the system chooses.
enum Start {
  static func settings(_ folder: TemporaryFolder, _ more: [String: String] = [:]) throws -> BrokerSettings {
    try BrokerSettings(
      [
        "listeners": "PLAINTEXT://127.0.0.1:0", "log.dirs": "\(folder.path)/data", "num.network.threads": "2",
        "background.threads": "4",
      ].merging(more) { $1 })
  }

  /// Writes to nowhere.
  static let log = Log("test", to: LogOutput(descriptor: open("/dev/null", O_WRONLY), format: .text))

  static func refusal(_ settings: BrokerSettings) -> String? {
    do {
      _ = try BrokerParts(settings: settings, log: log)
      return nil
    } catch { return "\(error)" }
  }

  /// Starts a broker once and stops it in order.
  static func once(_ settings: BrokerSettings) throws -> String {
    let broker = try Broker(settings: settings, log: log)
    try broker.start()
    broker.stop()
    return broker.clusterID
  }
}

@Suite struct StartTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func aFolderOfAnotherNodeIsLeftAsItIs() throws {
    _ = try Start.once(try Start.settings(folder))
    let before = try folder.contents()
    #expect(before.count > 3)
    let refusal = Start.refusal(try Start.settings(folder, ["node.id": "2"]))
    #expect(refusal?.hasPrefix("log.dirs: ") == true)
    #expect(refusal?.contains("node.id 1") == true && refusal?.contains("node.id 2") == true)
    #expect(try folder.contents() == before)
  }

  @Test func aFolderOfAnotherClusterIsLeftAsItIs() throws {
    let cluster = try Start.once(try Start.settings(folder))
    let before = try folder.contents()
    let refusal = Start.refusal(try Start.settings(folder, ["cluster.id": "another"]))
    #expect(refusal?.contains(cluster) == true && refusal?.contains("another") == true)
    #expect(try folder.contents() == before)
  }

  @Test func aFolderKeepsItsCluster() throws {
    func cluster(_ more: [String: String]) throws -> String {
      let parts = try BrokerParts(settings: try Start.settings(folder, more), log: Start.log)
      return parts.directory.identity.clusterID
    }
    #expect(try cluster(["cluster.id": "mine"]) == "mine")
    #expect(try cluster([:]) == "mine")
  }

  @Test func aStoppedBrokerLetsItsFolderGo() throws {
    let first = try Start.once(try Start.settings(folder, ["metrics.listener": "127.0.0.1:0"]))
    #expect(try Start.once(try Start.settings(folder)) == first)
  }

  @Test func aPortInUseIsNoticedBeforeTheFolderIsTouched() throws {
    let taken = try ListeningSocket(host: "127.0.0.1", port: 0)
    let refusal = Start.refusal(try Start.settings(folder, ["listeners": "PLAINTEXT://127.0.0.1:\(taken.port)"]))
    #expect(refusal?.contains("127.0.0.1:\(taken.port)") == true)
    let metrics = Start.refusal(try Start.settings(folder, ["metrics.listener": "127.0.0.1:\(taken.port)"]))
    #expect(metrics?.contains("127.0.0.1:\(taken.port)") == true)
    #expect(try folder.contents() == [:])
  }

  @Test func aFolderInUseIsLeftAsItIs() throws {
    let settings = try Start.settings(folder)
    let broker = try Broker(settings: settings, log: Start.log)
    try broker.start()
    let before = try folder.contents()
    #expect(Start.refusal(settings)?.contains("in use") == true)
    #expect(try folder.contents() == before)
    broker.stop()
  }

  @Test func clientsAreSentAwayUntilABrokerIsKnownToServe() throws {
    let broker = try Broker(settings: try Start.settings(folder), log: Start.log)
    #expect(broker.reasonToSendAway(MetadataRequest()) != nil)
    try broker.start()
    #expect(broker.reasonToSendAway(MetadataRequest()) == nil)
    broker.stop()
  }

  @Test func partitionsWithoutTheMetadataThatNamesThemAreNotTakenForStrays() throws {
    _ = try Start.once(try Start.settings(folder))
    let disk = FileDisk()
    let data = "\(folder.path)/data"
    try disk.rename("\(data)/__cluster_metadata-0", to: "\(data)/orders-0")
    let refusal = Start.refusal(try Start.settings(folder))
    #expect(refusal?.contains("orders-0") == true && refusal?.contains("__cluster_metadata-0") == true)
    #expect(try disk.list(data).contains("orders-0"))
  }

  @Test func aFolderOfNoTopicIsSetAsideAndKept() throws {
    _ = try Start.once(try Start.settings(folder))
    let disk = FileDisk()
    let data = "\(folder.path)/data"
    try disk.createDirectory("\(data)/orders-0")
    let file = try disk.create("\(data)/orders-0/00000000000000000000.log")
    try withUnsafeBytes(of: UInt8(7)) { try file.write($0, at: 0) }
    _ = try Start.once(try Start.settings(folder))
    let aside = try #require(try disk.list(data).first { $0.hasPrefix("orders-0.") && $0.hasSuffix("-stray") })
    #expect(try disk.list("\(data)/\(aside)") == ["00000000000000000000.log"])
  }
}
