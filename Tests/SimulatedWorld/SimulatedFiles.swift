import LogStorage

/// A file's bytes: those that a program sees, those that are durable, and what leads from these to those.
struct Inode: Sendable {
  enum Change: Sendable {
    case write(Int, [UInt8])
    case truncate(Int)
  }
  let number: Int
  var bytes: [UInt8] = []
  var durable: [UInt8] = []
  var pending: [Change] = []

  init(_ number: Int) { self.number = number }

  mutating func apply(_ change: Change) {
    pending.append(change)
    Self.apply(change, to: &bytes)
  }

  static func apply(_ change: Change, to bytes: inout [UInt8]) {
    switch change {
    case .truncate(let size):
      if size < bytes.count {
        bytes.removeLast(bytes.count - size)
      } else {
        bytes.append(contentsOf: repeatElement(0, count: size - bytes.count))
      }
    case .write(let position, let data):
      if bytes.count < position + data.count {
        bytes.append(contentsOf: repeatElement(0, count: position + data.count - bytes.count))
      }
      bytes.replaceSubrange(position..<position + data.count, with: data)
    }
  }

  /// Each change that was not synced is kept, lost, or kept in some of its sectors.
  mutating func crash(_ random: inout SeededRandom) {
    for change in pending {
      switch Int.random(in: 0..<4, using: &random) {
      case 0: continue
      case 1:
        guard case .write(let position, let data) = change else { fallthrough }
        let sector = 64
        for start in stride(from: 0, to: data.count, by: sector) where Bool.random(using: &random) {
          let piece = Array(data[start..<min(data.count, start + sector)])
          Self.apply(.write(position + start, piece), to: &durable)
        }
      default: Self.apply(change, to: &durable)
      }
    }
    bytes = durable
    pending = []
  }
}

/// The names in a folder.
struct Folder: Sendable {
  /// One change of names, kept or lost as a whole.
  struct Change: Sendable {
    var removed: String?
    var added: (name: String, inode: Int)?
  }
  var names: [String: Int] = [:]
  var durable: [String: Int] = [:]
  var pending: [Change] = []

  static func apply(_ change: Change, to names: inout [String: Int]) {
    if let removed = change.removed { names[removed] = nil }
    if let added = change.added { names[added.name] = added.inode }
  }

  /// Half of the time a journal keeps the first changes; otherwise any of them.
  mutating func crash(_ random: inout SeededRandom) {
    let inOrder = Bool.random(using: &random)
    let kept = Int.random(in: 0...pending.count, using: &random)
    for (place, change) in pending.enumerated() {
      guard inOrder ? place < kept : Bool.random(using: &random) else { continue }
      Self.apply(change, to: &durable)
    }
    names = durable
    pending = []
  }
}

struct World: Sendable {
  var random: SeededRandom
  let bug: SimulatedDisk.Bug
  var inodes: [Int: Inode] = [:]
  var folders: [String: Folder] = ["": Folder()]
  var locks: Set<String> = []
  var effects = 0
  var reads = 0
  var powerCut: Int?
  var isOff = false
  /// Counts restarts: files that were open before one are gone.
  var boot = 0
  var spaceLeft: Int?
  var failsNextSync = false
  var lacksDescriptors = false
  /// What ends so is gone when it is opened.
  var vanishing: String?

  init(random: SeededRandom, bug: SimulatedDisk.Bug) {
    self.random = random
    self.bug = bug
  }

  static func split(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return ("", path) }
    return (String(path[..<slash]), String(path[path.index(after: slash)...]))
  }

  func inode(_ path: String) -> Inode? {
    let (folder, name) = Self.split(path)
    return folders[folder]?.names[name].flatMap { inodes[$0] }
  }

  func checkPower(_ operation: StorageError.Operation, _ path: String) throws(StorageError) {
    if isOff { throw StorageError(operation, path, .invalid("the power is off")) }
  }

  mutating func effect(_ operation: StorageError.Operation, _ path: String) throws(StorageError) {
    try checkPower(operation, path)
    if let powerCut, effects >= powerCut { isOff = true }
    effects += 1
    try checkPower(operation, path)
  }

  mutating func change(_ folder: String, _ change: Folder.Change) {
    guard var names = folders[folder] else { return }
    names.pending.append(change)
    Folder.apply(change, to: &names.names)
    folders[folder] = names
  }

  mutating func remove(_ path: String) {
    let (folder, name) = Self.split(path)
    change(folder, .init(removed: name, added: nil))
  }

  mutating func create(_ path: String) throws(StorageError) -> Int {
    let (folder, name) = Self.split(path)
    guard folders[folder] != nil else { throw StorageError(.create, path, .system(2)) }
    if let number = inode(path)?.number {
      inodes[number]?.apply(.truncate(0))
      return number
    }
    let inode = Inode(inodes.count)
    inodes[inode.number] = inode
    change(folder, .init(removed: nil, added: (name, inode.number)))
    return inode.number
  }

  mutating func rename(_ path: String, to newPath: String) throws(StorageError) {
    if let moved = folders[path] {
      folders[path] = nil
      folders[newPath] = moved
      return
    }
    let (folder, name) = Self.split(path)
    let (newFolder, newName) = Self.split(newPath)
    guard let inode = inode(path), folder == newFolder else { throw StorageError(.rename, path, .system(2)) }
    change(folder, .init(removed: name, added: (newName, inode.number)))
  }

  mutating func restorePower() {
    for number in inodes.keys.sorted() { inodes[number]?.crash(&random) }
    for path in folders.keys.sorted() { folders[path]?.crash(&random) }
    isOff = false
    powerCut = nil
    spaceLeft = nil
    failsNextSync = false
    lacksDescriptors = false
    vanishing = nil
    locks = []
    boot += 1
  }
}
