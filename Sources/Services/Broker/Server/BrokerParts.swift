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
  /// Where the metadata log is.
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
    let report: @Sendable (String, String) -> Void = { message, detail in log.warning(message, ["detail": detail]) }
    let directories = try LogDirectories(settings: settings, disk: disk, report: report)
    directory = directories.home
    storage = Storage(directories, pool: pool, planted: planted, report: report)
    try RecoveryJournal.checkFinished(directory)
    metadataLog = try directory.openMetadataLog(now: wallClockNow())
  }

  /// A port that somebody else has is noticed before the data folder is touched.
  private static func checkFree(_ address: BrokerSettings.Address) throws {
    guard address.port != 0, Conducting.conductor == nil else { return }
    _ = try ListeningSocket(host: address.host, port: address.port)
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
