import Glibc
import LogStorage
import Vocabulary

/// `swiftwater storage format|info|random-uuid`, with the options of Kafka's kafka-storage.sh.
public enum StorageCommand {
  public static let help = """
    Usage: swiftwater storage random-uuid
           swiftwater storage format -t CLUSTER_ID -c server.properties [--standalone] [--ignore-formatted]
           swiftwater storage info -c server.properties

    Gives a data folder to a cluster and a node before the broker's first start. A broker that
    finds an empty folder formats it itself; format is for those who choose the cluster's id.

      -t, --cluster-id ID    the cluster's id, such as random-uuid prints
      -c, --config FILE      the configuration whose log.dirs and node.id are meant
      -s, --standalone       this node alone is the quorum, which is the only kind there is yet
      -g, --ignore-formatted a folder that is formatted for this cluster and node is left as it is
    """

  /// Returns the exit code.
  public static func run(_ arguments: [String]) -> Int32 {
    do {
      switch arguments.first {
      case "random-uuid": print(UniqueID.random())
      case "format": try format(try Options(arguments.dropFirst()))
      case "info": try info(try Options(arguments.dropFirst()))
      case "--help", "-h": print(help)
      case let other:
        return Complaint.end(
          "storage: \(other.map { "unknown command \($0)" } ?? "a command is needed"); it is random-uuid, format or info",
          code: 2)
      }
      return 0
    } catch let error as UsageError {
      return Complaint.end("storage: \(error.sentence)", code: 2)
    } catch {
      return Complaint.end("\(error)", code: 1)
    }
  }

  private struct UsageError: Error {
    let sentence: String
  }

  private enum Formatted {
    case refused
    case ignored
  }

  private struct Options {
    var clusterID: String?
    var file: String?
    var formatted = Formatted.refused

    init(_ arguments: ArraySlice<String>) throws {
      var rest = arguments
      while let option = rest.popFirst() {
        switch option {
        case "-t", "--cluster-id": clusterID = try Self.value(of: option, &rest)
        case "-c", "--config": file = try Self.value(of: option, &rest)
        case "-g", "--ignore-formatted": formatted = .ignored
        case "-s", "--standalone": break
        case "-I", "--initial-controllers", "-N", "--no-initial-controllers":
          throw UsageError(sentence: "\(option): a quorum of several controllers is not supported yet; leave it out")
        default: throw UsageError(sentence: "unknown option \(option); swiftwater storage --help lists the options")
        }
      }
    }

    private static func value(of option: String, _ rest: inout ArraySlice<String>) throws -> String {
      guard let value = rest.popFirst() else { throw UsageError(sentence: "\(option) needs a value after it") }
      return value
    }

    func settings(_ more: [String] = []) throws -> BrokerSettings {
      guard let file else { throw UsageError(sentence: "-c FILE is needed: the configuration whose log.dirs is meant") }
      return try BrokerSettings(file: try ConfigurationFile.read(file), named: file, overrides: more)
    }
  }

  private static func format(_ options: Options) throws {
    guard let id = options.clusterID else {
      throw UsageError(sentence: "-t CLUSTER_ID is needed; swiftwater storage random-uuid makes one")
    }
    let settings = try options.settings(["cluster.id=\(id)"])
    let path = settings.logDirectories[0]
    let isFormatted = try LogDirectory.clusterID(disk: FileDisk(), path: path) != nil
    if isFormatted, options.formatted == .refused {
      throw StartRefusal(
        description: "log.dirs: \(path) is formatted already; --ignore-formatted leaves such a folder as it is")
    }
    let identity = DirectoryIdentity(clusterID: id, nodeID: settings.nodeID, directoryID: .random())
    // Opening checks whose the folder is, before it makes it this node's.
    let directory = try LogDirectory.open(disk: FileDisk(), openFiles: OpenFiles(), path: path, expected: identity)
    // Opening took the note of a clean stop away, as for a broker that starts.
    if directory.wasStoppedCleanly { try directory.markClean(epoch: directory.previousEpoch ?? -1) }
    directory.release()
    print(
      isFormatted
        ? "\(path) is formatted already" : "\(path) is formatted for node \(settings.nodeID.value) of the cluster \(id)"
    )
  }

  private static func info(_ options: Options) throws {
    let settings = try options.settings()
    let path = settings.logDirectories[0]
    guard let bytes = try? ConfigurationFile.read("\(path)/meta.properties") else {
      throw StartRefusal(description: "log.dirs: \(path) is not formatted")
    }
    print("\(path):\n\(bytes)", terminator: "")
  }
}
