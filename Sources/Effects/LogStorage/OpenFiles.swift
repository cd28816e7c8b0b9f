import Glibc
import Synchronization

/// How many segment files are open at once over all partitions of a process.
///
/// A partition nobody touches should hold no descriptor: 10,000 of them would use up the process's limit.
/// Files are opened when they are needed and closed by a clock hand: one that was used since the hand
/// last came by gets another round. A file in use outlives its eviction, because its user holds it.
public final class OpenFiles: Sendable {
  /// Never fewer than this, so that a tiny limit still works.
  public static let floor = 16
  private struct Clock {
    var slots: [FileSlot] = []
    var hand = 0
  }
  private let clock = Mutex(Clock())
  public let limit: Int

  public init(limit: Int) { self.limit = max(limit, Self.floor) }

  /// Half of the descriptors that the process may have, and at most 4,096: the rest is for connections.
  public convenience init() {
    var allowed = rlimit()
    let known = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &allowed) == 0
    self.init(limit: known ? min(4096, Int(clamping: allowed.rlim_cur) / 2) : 512)
  }

  /// How many are open now, those kept open only by readers aside.
  public var count: Int { clock.withLock { $0.slots.count } }

  func admit(_ slot: FileSlot) {
    clock.withLock { clock in
      if clock.slots.count < limit {
        clock.slots.append(slot)
        return
      }
      // Two rounds suffice: the first takes every mark away.
      for _ in 0..<clock.slots.count * 2 {
        clock.hand = (clock.hand + 1) % clock.slots.count
        if clock.slots[clock.hand].evict() { break }
      }
      clock.slots[clock.hand].close()
      clock.slots[clock.hand] = slot
    }
  }

  func forget(_ slot: FileSlot) {
    clock.withLock { clock in
      guard let place = clock.slots.firstIndex(where: { $0 === slot }) else { return }
      clock.slots.swapAt(place, clock.slots.count - 1)
      clock.slots.removeLast()
      if clock.hand >= clock.slots.count { clock.hand = 0 }
    }
  }
}

/// One segment's log file, open or not.
final class FileSlot: Sendable {
  private struct State {
    var file: (any DiskFile)?
    var used = false
    /// The name ends with this while a compacted segment takes its predecessors' place.
    var suffix = ""
    /// Its segment is gone: whoever still wants to open it has to look for the place again.
    var isDiscarded = false
  }
  private let state: Mutex<State>
  private let directory: String
  let baseOffset: Int64

  init(directory: String, baseOffset: Int64, suffix: String = "") {
    self.directory = directory
    self.baseOffset = baseOffset
    state = Mutex(State(suffix: suffix))
  }

  private var plainPath: String { SegmentFile.log.path(in: directory, baseOffset: baseOffset) }

  var path: String { plainPath + state.withLock { $0.suffix } }

  /// The file, opened if it is not. The caller's reference keeps it open.
  func file(on disk: any Disk, _ openFiles: OpenFiles) throws(StorageError) -> any DiskFile {
    let (file, isNew) = try state.withLock { state throws(StorageError) -> (any DiskFile, Bool) in
      state.used = true
      if let file = state.file { return (file, false) }
      if state.isDiscarded { throw StorageError(.open, plainPath, .invalid("the segment has been removed")) }
      let file = try disk.open(plainPath + state.suffix)
      state.file = file
      return (file, true)
    }
    if isNew { openFiles.admit(self) }
    return file
  }

  /// Takes a file that has just been created.
  func install(_ file: any DiskFile, _ openFiles: OpenFiles) {
    state.withLock { state in
      state.used = true
      state.file = file
    }
    openFiles.admit(self)
  }

  /// Gives a compacted segment its final name.
  func dropSuffix(on disk: any Disk) throws(StorageError) {
    try state.withLock { state throws(StorageError) in
      try disk.rename(plainPath + state.suffix, to: plainPath)
      state.suffix = ""
    }
  }

  /// True when the file was closed; a file that was used since the last call is spared once.
  func evict() -> Bool {
    state.withLock { state in
      if state.used {
        state.used = false
        return false
      }
      state.file = nil
      return true
    }
  }

  func close() { state.withLock { $0.file = nil } }

  /// Closes the file; it can be opened again.
  func release(_ openFiles: OpenFiles) {
    let wasOpen = state.withLock { state in
      defer { state.file = nil }
      return state.file != nil
    }
    if wasOpen { openFiles.forget(self) }
  }

  /// Closes the file for good.
  func discard(_ openFiles: OpenFiles) {
    state.withLock { $0.isDiscarded = true }
    release(openFiles)
  }
}
