import LogStorage
import Vocabulary

/// The folders that a node keeps its logs in (`metadata.log.dir`, `log.dirs`), opened.
struct LogDirectories {
  /// Where the metadata log is. It may be one of `partitions`.
  let home: LogDirectory
  /// Where partitions are; those that could not be opened are left out.
  let partitions: [LogDirectory]
  /// Folders of `log.dirs` that could not be opened: the disk failed. What lies there may come back, and is not made anew
  /// elsewhere.
  let absent: [String]

  init(home: LogDirectory, partitions: [LogDirectory], absent: [String]) {
    self.home = home
    self.partitions = partitions
    self.absent = absent
  }

  /// A node with one folder for everything.
  init(_ directory: LogDirectory) {
    home = directory
    partitions = [directory]
    absent = []
  }

  /// Everything is checked before anything is written. A folder that is somebody else's or in use is refused; one whose disk
  /// fails is done without, unless it is the home or the last.
  init(settings: BrokerSettings, disk: any Disk, report: (String, String) -> Void) throws {
    do throws(DirectoryRefusal) {
      (home, partitions, absent) = try Self.open(settings, disk, report)
    } catch {
      throw StartRefusal(description: "log.dirs: \(error)")
    }
  }

  private static func open(
    _ settings: BrokerSettings, _ disk: any Disk, _ report: (String, String) -> Void
  ) throws(DirectoryRefusal) -> (home: LogDirectory, partitions: [LogDirectory], absent: [String]) {
    let others = settings.logDirectories.filter { $0 != settings.metadataDirectory }
    var absent: [String] = []
    func unlessAbsent<Result>(
      _ path: String, _ work: () throws(DirectoryRefusal) -> Result
    ) throws(DirectoryRefusal) -> Result? {
      do throws(DirectoryRefusal) {
        return try work()
      } catch {
        guard case .storage(let failure) = error else { throw error }
        report("a folder of log.dirs cannot be opened: what lies there is offline", "\(path): \(failure)")
        absent.append(path)
        return nil
      }
    }
    var cluster = try LogDirectory.clusterID(disk: disk, path: settings.metadataDirectory)
    for path in others {
      let other = try unlessAbsent(path) { () throws(DirectoryRefusal) in
        try LogDirectory.clusterID(disk: disk, path: path)
      }
      cluster = cluster ?? other.flatMap { $0 }
    }
    let clusterID = settings.clusterID ?? cluster ?? "\(UniqueID.random())"
    func identity() -> DirectoryIdentity {
      DirectoryIdentity(clusterID: clusterID, nodeID: settings.nodeID, directoryID: .random())
    }
    let present = others.filter { !absent.contains($0) }
    try LogDirectory.check(disk: disk, paths: [settings.metadataDirectory] + present, expected: identity())
    try checkMetadata(
      in: settings.metadataDirectory, among: [settings.metadataDirectory] + present, disk: disk,
      othersKnow: settings.quorum != .alone)
    let files = OpenFiles()
    let home = try LogDirectory.open(
      disk: disk, openFiles: files, path: settings.metadataDirectory, expected: identity())
    var opened: [String: LogDirectory] = [settings.metadataDirectory: home]
    for path in present {
      opened[path] = try unlessAbsent(path) { () throws(DirectoryRefusal) in
        try LogDirectory.open(disk: disk, openFiles: files, path: path, expected: identity())
      }
    }
    let partitions = settings.logDirectories.compactMap { opened[$0] }
    guard !partitions.isEmpty else {
      throw .refused("none of \(settings.logDirectories.joined(separator: ", ")) can be opened")
    }
    return (home, partitions, absent)
  }

  /// A metadata log where it is not looked for, and partitions without the log that says whose they are: an old or
  /// incomplete copy, which must not be taken for all. Where others know the metadata, a home on a new disk is filled by
  /// them.
  private static func checkMetadata(
    in home: String, among paths: [String], disk: any Disk, othersKnow: Bool
  ) throws(DirectoryRefusal) {
    var holds: [String: [TopicPartition]] = [:]
    for path in paths { holds[path] = try LogDirectory.partitions(disk: disk, path: path) }
    if let other = paths.first(where: { $0 != home && holds[$0]?.contains { $0.topic == .clusterMetadata } == true }) {
      throw .refused(
        "the metadata log is in \(other), but \(home) is where it would be kept; set metadata.log.dir=\(other)")
    }
    guard holds[home]?.contains(where: { $0.topic == .clusterMetadata }) != true else { return }
    for path in paths where !othersKnow || path == home {
      guard let first = holds[path]?.first else { continue }
      throw .refused(
        "\(path) holds partitions such as \(first), but there is no \(TopicName.clusterMetadata)-0 in \(home) that says "
          + "which topics there are; restore that folder too, or use an empty one")
    }
  }

  /// Each once, the home first.
  var all: [LogDirectory] { [home] + partitions.filter { $0 !== home } }

  /// The broker epoch of the process before, if it stopped in order everywhere; nil otherwise (KIP-966).
  var previousEpoch: Int64? {
    guard absent.isEmpty, let epoch = home.previousEpoch else { return nil }
    return all.allSatisfy { $0.previousEpoch == epoch } ? epoch : nil
  }

  func release() { for directory in all { directory.release() } }
}
