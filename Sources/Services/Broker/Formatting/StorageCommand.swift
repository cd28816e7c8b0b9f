import Consensus
import EventLoop
import Glibc
package import LogStorage
import Vocabulary

/// `swiftwater storage format|info|random-uuid`, with the options of Kafka's kafka-storage.sh.
public enum StorageCommand {
  public static let help = """
    Usage: swiftwater storage random-uuid
           swiftwater storage format -t CLUSTER_ID -c server.properties [-s | -I LIST | -N] [-g]
           swiftwater storage info -c server.properties

    Gives a data folder to a cluster and a node before its first start. A node that finds an
    empty folder formats it itself, as with -N; format is for those who choose the cluster's id,
    and for quorums whose voters come and go (controller.quorum.bootstrap.servers).

      -t, --cluster-id ID    the cluster's id, such as random-uuid prints
      -c, --config FILE      the configuration whose log.dirs and node.id are meant
      -s, --standalone       this controller alone is the quorum; others are added later
      -I, --initial-controllers ID@HOST:PORT:DIRECTORY_ID,...
                             these controllers are the quorum; the same list on each of them
      -N, --no-initial-controllers
                             the quorum is elsewhere: swiftwater quorum add makes this node a voter
      -g, --ignore-formatted a folder that is formatted for this cluster and node is left as it is
      -f, --feature NAME=LEVEL, -r, --release-version VERSION
                             accepted where they say what holds anyway
    """

  /// Returns the exit code.
  public static func run(_ arguments: [String]) -> Int32 {
    do {
      switch arguments.first {
      case "random-uuid": print(UniqueID.random())
      case "format": print(try format(try FormatOptions(arguments.dropFirst()), disk: FileDisk()))
      case "info": try info(try FormatOptions(arguments.dropFirst()))
      case "--help", "-h": print(help)
      case let other:
        return Complaint.end(
          "storage: \(other.map { "unknown command \($0)" } ?? "a command is needed"); it is random-uuid, format or info",
          code: 2)
      }
      return 0
    } catch let error as StorageUsageError {
      return Complaint.end("storage: \(error.sentence)", code: 2)
    } catch {
      return Complaint.end("\(error)", code: 1)
    }
  }

  private static func settings(_ options: FormatOptions, _ more: [String] = []) throws -> BrokerSettings {
    guard let file = options.file else {
      throw StorageUsageError(sentence: "-c FILE is needed: the configuration whose log.dirs is meant")
    }
    return try BrokerSettings(file: try ConfigurationFile.read(file), named: file, overrides: more)
  }

  private static func format(_ options: FormatOptions, disk: any Disk) throws -> String {
    try format(options, try settings(options, options.clusterID.map { ["cluster.id=\($0)"] } ?? []), disk)
  }

  /// For a simulation, which has settings and disks of its own.
  package static func format(_ settings: BrokerSettings, _ options: [String], disk: any Disk) throws {
    _ = try format(try FormatOptions(options), settings, disk)
  }

  private static func format(
    _ options: FormatOptions, _ settings: BrokerSettings, _ disk: any Disk
  ) throws -> String {
    let plan = try FormatPlan(options, settings, fresh: .random())
    let path = settings.metadataDirectory
    let others = settings.logDirectories.filter { $0 != path }
    let identity = DirectoryIdentity(
      clusterID: plan.clusterID, nodeID: plan.key.id, directoryID: plan.key.directory)
    try LogDirectory.check(disk: disk, paths: [path] + others, expected: identity)
    if options.formatted != .ignored,
      let formatted = try ([path] + others).first(where: { try LogDirectory.clusterID(disk: disk, path: $0) != nil })
    {
      throw StartRefusal(
        description: "log.dirs: \(formatted) is formatted already; --ignore-formatted leaves such a folder as it is")
    }
    var said = try others.map { try formatFurther($0, plan, disk) }
    // The home comes last: a node whose home is formatted is whole.
    said.insert(try formatHome(path, identity, plan, options, disk), at: 0)
    return said.joined(separator: "\n")
  }

  /// A folder that holds partitions alone.
  private static func formatFurther(_ path: String, _ plan: FormatPlan, _ disk: any Disk) throws -> String {
    guard try LogDirectory.clusterID(disk: disk, path: path) == nil else { return "\(path) is formatted already" }
    let identity = DirectoryIdentity(clusterID: plan.clusterID, nodeID: plan.key.id, directoryID: .random())
    try LogDirectory.format(disk: disk, path: path, identity: identity) {}
    return "\(path) is formatted for node \(plan.key.id.value) of the cluster \(plan.clusterID)"
  }

  private static func formatHome(
    _ path: String, _ identity: DirectoryIdentity, _ plan: FormatPlan, _ options: FormatOptions, _ disk: any Disk
  ) throws -> String {
    guard try LogDirectory.clusterID(disk: disk, path: path) == nil else {
      return try leave(path, identity, plan, options, disk)
    }
    let folder = "\(path)/\(MetadataLog.folder)"
    try QuorumBootstrap.removeRemains(folder: folder, disk: disk)
    try LogDirectory.format(disk: disk, path: path, identity: identity) { () throws(StorageError) in
      guard let voters = plan.voters else { return }
      try QuorumBootstrap.write(voters: voters, folder: folder, disk: disk, now: wallClockNow())
    }
    return "\(path) is formatted for node \(plan.key.id.value) of the cluster \(plan.clusterID)"
  }

  /// A folder that is formatted already stays as it is, provided that it is this node's.
  private static func leave(
    _ path: String, _ identity: DirectoryIdentity, _ plan: FormatPlan, _ options: FormatOptions, _ disk: any Disk
  ) throws -> String {
    let directory = try LogDirectory.open(disk: disk, openFiles: OpenFiles(), path: path, expected: identity)
    // Opening took the note of a clean stop away, as for a broker that starts.
    if directory.wasStoppedCleanly { try directory.markClean(epoch: directory.previousEpoch ?? -1) }
    directory.release()
    if case .named = options.beginning, directory.identity.directoryID != plan.key.directory {
      throw StartRefusal(
        description: "log.dirs: \(path) is formatted already, with the directory id \(directory.identity.directoryID), "
          + "but --initial-controllers says \(plan.key.directory)")
    }
    return "\(path) is formatted already"
  }

  private static func info(_ options: FormatOptions) throws {
    let settings = try settings(options)
    let path = settings.metadataDirectory
    let disk = FileDisk()
    for path in [path] + settings.logDirectories.filter({ $0 != path }) {
      guard let bytes = try? ConfigurationFile.read("\(path)/meta.properties") else {
        throw StartRefusal(description: "log.dirs: \(path) is not formatted")
      }
      print("\(path):\n\(bytes)", terminator: "")
    }
    let files = SnapshotFile(disk: disk, folder: "\(path)/\(MetadataLog.folder)")
    if try disk.size(of: files.path(QuorumBootstrap.snapshot)) != nil,
      let voters = try files.read(QuorumBootstrap.snapshot).voters
    {
      print("voters at the beginning: \(InitialControllers.text(voters))")
    }
  }
}
