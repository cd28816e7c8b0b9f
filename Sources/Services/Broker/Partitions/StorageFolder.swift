import Glibc
import LogStorage
import Synchronization
import Vocabulary

/// One folder of `log.dirs` while the broker runs: its checkpoints, how much lies in it, and whether its disk failed.
final class StorageFolder: Sendable {
  let directory: LogDirectory
  let checkpoints: Checkpoints
  private let failure = Atomic(false)
  private let copies = Atomic(0)

  init(_ directory: LogDirectory, report: @escaping @Sendable (String, String) -> Void) {
    self.directory = directory
    checkpoints = Checkpoints(directory: directory, report: report)
  }

  var id: UniqueID { directory.identity.directoryID }
  var path: String { directory.path }

  /// A log in it takes no more writes. Nothing new is put here until the process starts again.
  var hasFailed: Bool { failure.load(ordering: .relaxed) }
  /// Returns false when that was known.
  func fail() -> Bool { failure.exchange(true, ordering: .relaxed) == false }

  /// How many partitions lie here.
  var load: Int { copies.load(ordering: .relaxed) }
  func count(_ change: Int) { copies.add(change, ordering: .relaxed) }

  func holds(_ partition: TopicPartition) throws(StorageError) -> Bool {
    try directory.disk.size(of: directory.folder(of: partition)) != nil
  }

  /// Bytes of the file system that the folder is on; -1 where it does not say.
  var room: (total: Int64, usable: Int64) {
    var facts = statvfs()
    guard statvfs(path, &facts) == 0 else { return (-1, -1) }
    let unit = Int64(facts.f_frsize)
    return (unit * Int64(facts.f_blocks), unit * Int64(facts.f_bavail))
  }
}
