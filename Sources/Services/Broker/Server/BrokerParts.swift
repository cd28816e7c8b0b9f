import ClusterMetadata
import EventLoop
import Glibc
import LogStorage
import Telemetry
import Vocabulary

/// Why a broker does not start: one sentence for whoever started it.
public struct StartRefusal: Error, CustomStringConvertible {
  public let description: String
}

/// What the broker stands on, opened in an order in which everything is checked before anything is written.
struct BrokerParts {
  let loops: [EventLoop]
  let pool: BlockingPool
  let directory: LogDirectory
  let storage: Storage
  let metadataLog: PartitionLog

  init(settings: BrokerSettings, disk: any Disk = FileDisk(), planted: BrokerMistake? = nil, log: Log) throws {
    ignoreBrokenPipes()
    Self.raiseFileLimit()
    for address in (settings.listeners + settings.controllerListeners).map(\.bind)
      + [settings.metrics].compactMap({ $0 })
    {
      try Self.checkFree(address)
    }
    let count = settings.eventLoops ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    loops = try (0..<count).map { try EventLoop(name: "loop-\($0)") }
    pool = try BlockingPool(threads: settings.backgroundThreads)
    directory = try Self.openDirectory(settings, disk)
    storage = Storage(directory: directory, pool: pool, planted: planted) { message, detail in
      log.warning(message, ["detail": detail])
    }
    try Self.checkMetadataIsThere(directory)
    try RecoveryJournal.checkFinished(directory)
    metadataLog = try directory.openMetadataLog(now: wallClockNow())
  }

  /// A port that somebody else has is noticed before the data folder is touched.
  private static func checkFree(_ address: BrokerSettings.Address) throws {
    guard address.port != 0, Conducting.conductor == nil else { return }
    _ = try ListeningSocket(host: address.host, port: address.port)
  }

  private static func openDirectory(_ settings: BrokerSettings, _ disk: any Disk) throws -> LogDirectory {
    let path = settings.logDirectories[0]
    do throws(DirectoryRefusal) {
      let saved = try LogDirectory.clusterID(disk: disk, path: path)
      let identity = DirectoryIdentity(
        clusterID: settings.clusterID ?? saved ?? "\(UniqueID.random())", nodeID: settings.nodeID,
        directoryID: .random())
      return try LogDirectory.open(disk: disk, openFiles: OpenFiles(), path: path, expected: identity)
    } catch {
      throw StartRefusal(description: "log.dirs: \(error)")
    }
  }

  /// Partitions without the log that says whose they are: an old or incomplete copy, which must not be taken for all.
  private static func checkMetadataIsThere(_ directory: LogDirectory) throws {
    let partitions = try directory.partitions().map(\.topicPartition)
    guard let first = partitions.first, !partitions.contains(where: { $0.topic == .clusterMetadata }) else { return }
    throw StartRefusal(
      description:
        "log.dirs: \(directory.path) holds partitions such as \(first), but no \(TopicName.clusterMetadata)-0 that says which topics there are; restore that folder too, or use an empty one"
    )
  }

  /// Connections and segments need descriptors: as many as the system allows this process.
  private static func raiseFileLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max else {
      return
    }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}

extension UniqueID {
  /// A new one. Kafka never makes the ids that it reserves, nor one that begins with a dash, which tools would take for an option.
  static func random() -> UniqueID {
    var chance = Chance()
    while true {
      let id = UniqueID(high: chance.next(), low: chance.next())
      if id != .zero, id != .clusterMetadataTopic, !"\(id)".hasPrefix("-") { return id }
    }
  }
}
