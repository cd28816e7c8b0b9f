import ClusterMetadata
import Consensus
import Vocabulary

/// What was written cannot be meant: one sentence, and the process ends with status 2.
struct StorageUsageError: Error, Equatable {
  let sentence: String
}

/// What follows `storage format` and `storage info`.
struct FormatOptions: Equatable {
  /// What happens with a folder that is formatted already.
  enum Formatted {
    case refused
    case ignored
  }

  /// Whom the new node's quorum begins with.
  enum Beginning: Equatable {
    case notSaid
    /// `--standalone`
    case itself
    /// `--initial-controllers`; the listener's name is not known yet.
    case named(String)
    /// `--no-initial-controllers`: it finds a quorum that is there, or comes to be, elsewhere.
    case elsewhere

    var option: String {
      switch self {
      case .notSaid: ""
      case .itself: "--standalone"
      case .named: "--initial-controllers"
      case .elsewhere: "--no-initial-controllers"
      }
    }
  }

  var clusterID: String?
  var file: String?
  var formatted = Formatted.refused
  var beginning = Beginning.notSaid

  init(_ arguments: some Sequence<String>) throws(StorageUsageError) {
    var rest = Array(arguments)[...]
    while let option = rest.popFirst() {
      switch option {
      case "-t", "--cluster-id": clusterID = try Self.value(of: option, &rest)
      case "-c", "--config": file = try Self.value(of: option, &rest)
      case "-g", "--ignore-formatted": formatted = .ignored
      case "-s", "--standalone": try begin(.itself)
      case "-N", "--no-initial-controllers": try begin(.elsewhere)
      case "-I", "--initial-controllers":
        let text = try Self.value(of: option, &rest)
        // Nothing else is known yet that the list could contradict, but the list itself may.
        do throws(InitialControllers.Mistake) {
          _ = try InitialControllers.parse(text, listener: "")
        } catch {
          throw StorageUsageError(sentence: "--initial-controllers: \(error.sentence)")
        }
        try begin(.named(text))
      case "-f", "--feature": try Self.checkFeature(try Self.value(of: option, &rest))
      case "-r", "--release-version": try Self.checkRelease(try Self.value(of: option, &rest))
      default:
        throw StorageUsageError(sentence: "unknown option \(option); swiftwater storage --help lists the options")
      }
    }
  }

  private static func value(of option: String, _ rest: inout ArraySlice<String>) throws(StorageUsageError) -> String {
    guard let value = rest.popFirst() else { throw StorageUsageError(sentence: "\(option) needs a value after it") }
    return value
  }

  private mutating func begin(_ new: Beginning) throws(StorageUsageError) {
    guard beginning == .notSaid else {
      throw StorageUsageError(
        sentence: beginning.option == new.option
          ? "\(new.option) is there twice"
          : "\(beginning.option) and \(new.option) exclude each other: only one of them says whom the quorum begins with"
      )
    }
    beginning = new
  }

  /// Levels are fixed in this version: naming the one that there is does no harm.
  private static func checkFeature(_ text: String) throws(StorageUsageError) {
    let parts = text.split(separator: "=", omittingEmptySubsequences: false)
    guard parts.count == 2, let level = Int16(parts[1]) else {
      throw StorageUsageError(sentence: "--feature \(text): NAME=LEVEL is needed, such as kraft.version=1")
    }
    let known = Features.all + [Features.kraft]
    guard let feature = known.first(where: { $0.name == parts[0] }) else {
      let names = known.map(\.name).joined(separator: ", ")
      throw StorageUsageError(sentence: "--feature \(text): there is no feature \(parts[0]); there are \(names)")
    }
    guard feature.levels.upperBound == level else {
      throw StorageUsageError(
        sentence:
          "--feature \(text): \(feature.name) has the level \(feature.levels.upperBound) in this version; leave it out"
      )
    }
  }

  private static func checkRelease(_ text: String) throws(StorageUsageError) {
    let parts =
      text.split(separator: "-").first.map { $0.split(separator: ".", omittingEmptySubsequences: false) } ?? []
    guard (2...3).contains(parts.count), parts.allSatisfy({ UInt8($0) != nil }), let first = UInt8(parts[0]), first >= 3
    else {
      throw StorageUsageError(sentence: "--release-version \(text): a release from 3.0 on is needed, such as 4.0")
    }
  }
}
