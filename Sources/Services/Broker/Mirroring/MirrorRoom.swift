import ClusterMetadata
import MirrorPlanning
import Synchronization
import Telemetry
import Vocabulary

/// What mirrors on this broker may take: memory for what is fetched, and room on disks. Looked at with every tick.
final class MirrorRoom: Sendable {
  static let reserveKey = "mirror.log.dir.reserved.bytes"
  static let bufferKey = "mirror.fetch.buffer.bytes"
  private let rooms = Mutex<[UniqueID: DiskRoom]>([:])

  /// What holds until the next look.
  struct Standing: Sendable {
    /// Why nothing is copied to a folder, by its id.
    var shortages: [UniqueID: String] = [:]
    /// What may be written to a folder until then, by its id.
    var allowances: [UniqueID: DiskAllowance] = [:]
    /// Bytes that all mirrors may hold.
    var buffer: Int64 = .max
    /// Fetches that all mirrors may have under way.
    var fetches = 0
  }

  /// - Parameter fetches: of all mirrors.
  func look(_ folders: [StorageFolder], _ configs: ConfigResolution, fetches: Int, _ log: Log) -> Standing {
    func bytes(_ key: String) -> Int64? { configs.values(ofBrokerKey: key).first?.value.flatMap { Int64($0) } }
    var standing = Standing(buffer: bytes(Self.bufferKey) ?? .max, fetches: fetches)
    let reserve = bytes(Self.reserveKey) ?? 0
    for folder in folders where !folder.hasFailed {
      let found = folder.room
      let (before, now) = rooms.withLock { rooms in
        let before = rooms[folder.id] ?? DiskRoom()
        var now = before
        now.look(free: found.usable < 0 ? nil : found.usable, total: found.total, reserving: reserve)
        rooms[folder.id] = now
        return (before, now)
      }
      standing.allowances[folder.id] = now.allowance.map { DiskAllowance($0) }
      if now.isShort { standing.shortages[folder.id] = now.description(of: folder.path, Self.reserveKey) }
      guard before.isShort != now.isShort else { continue }
      let about: LogFields = ["folder": folder.path, "free": now.free, "reserved": now.reserve]
      if now.isShort {
        log.warning("mirrors copy nothing to a disk that has too little room left", about)
      } else {
        log.info("mirrors go on copying to a disk that has room again", about)
      }
    }
    return standing
  }
}

/// What all mirrors together may still write to a folder before it is looked at again. Copying is quicker than looks.
final class DiskAllowance: Sendable {
  private let left: Atomic<Int64>

  init(_ bytes: Int64) { left = Atomic(bytes) }

  var isUsedUp: Bool { left.load(ordering: .relaxed) <= 0 }
  func use(_ bytes: Int64) { left.subtract(bytes, ordering: .relaxed) }
}
