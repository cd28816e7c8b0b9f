import CLinux
import Glibc

/// Cuts what a socket gives into frames.
///
/// Bytes arrive in the loop's read buffer, and frames that are whole there are used in place. What is left at the
/// end of a burst, and frames larger than the buffer, are held in memory of the connection's own, which grows with
/// what has arrived and not with what was announced.
struct FrameReader: ~Copyable {
  private static let heldMin = 4 << 10

  enum Next {
    /// Without its length. Valid until the reader is asked again.
    case frame(UnsafeMutableRawBufferPointer)
    case incomplete
    case invalidLength(Int)
    case outOfMemory
  }

  enum Filled {
    /// `isDrained` says that the socket had no more.
    case bytes(Int, isDrained: Bool)
    case end
    case nothing
    case failed(Int)
    case outOfMemory
  }

  private let window: UnsafeMutableRawBufferPointer
  private let shelf: BufferShelf
  /// What is unread in the loop's buffer, during a burst.
  private var windowStart = 0
  private var windowEnd = 0
  /// Comes before what is in the loop's buffer.
  private var held = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private var heldStart = 0
  private var heldEnd = 0

  init(window: UnsafeMutableRawBufferPointer, shelf: BufferShelf) {
    self.window = window
    self.shelf = shelf
  }
  deinit { if held.baseAddress != nil { shelf.give(held) } }

  /// How many bytes of frames that are not finished lie in memory of the connection's own.
  var heldCount: Int { heldEnd - heldStart }
  /// How much memory of the connection's own there is.
  var heldCapacity: Int { held.count }
  private var windowCount: Int { windowEnd - windowStart }

  /// Reads once from the socket. Only to be called when `next` found no whole frame.
  mutating func fill(from socket: Int32) -> Filled {
    guard keepTheRest() else { return .outOfMemory }
    let missing = heldCount >= 4 ? 4 + announcedLength - heldCount : 0
    guard missing > 0 else {
      return taken(linux_receive(socket, window.baseAddress, window.count), of: window.count, held: 0)
    }
    guard makeRoom(for: missing) else { return .outOfMemory }
    let room = min(held.count - heldEnd, missing)
    let place = held.baseAddress.map { $0 + heldEnd }
    if room < missing { return taken(linux_receive(socket, place, room), of: room, held: room) }
    let status = linux_receive_two(socket, place, room, window.baseAddress, window.count)
    return taken(status, of: room + window.count, held: room)
  }

  private mutating func taken(_ status: Int, of asked: Int, held room: Int) -> Filled {
    if status == 0 { return .end }
    if status == -Int(EAGAIN) || status == -Int(EINTR) { return .nothing }
    guard status > 0 else { return .failed(status) }
    let kept = min(status, room)
    heldEnd += kept
    windowStart = 0
    windowEnd = status - kept
    return .bytes(status, isDrained: status < asked)
  }

  mutating func next(lengthMax: Int) -> Next {
    if heldCount == 0 {
      releaseHeld()
      return nextInWindow(lengthMax: lengthMax)
    }
    if heldCount < 4 {
      guard hold(min(4 - heldCount, windowCount)) else { return .outOfMemory }
      if heldCount < 4 { return .incomplete }
    }
    let length = announcedLength
    guard length > 0, length <= lengthMax else { return .invalidLength(length) }
    let missing = 4 + length - heldCount
    if missing > 0 {
      guard hold(min(missing, windowCount)) else { return .outOfMemory }
      if heldCount < 4 + length { return .incomplete }
    }
    let frame = UnsafeMutableRawBufferPointer(rebasing: held[(heldStart + 4)..<(heldStart + 4 + length)])
    heldStart += 4 + length
    return .frame(frame)
  }

  /// Ends a burst: what is unread moves out of the loop's buffer, which others will use.
  mutating func keepTheRest() -> Bool {
    if heldCount == 0 { releaseHeld() }
    return hold(windowCount)
  }

  private mutating func nextInWindow(lengthMax: Int) -> Next {
    guard windowCount >= 4 else { return .incomplete }
    let length = Int(Int32(bigEndian: window.loadUnaligned(fromByteOffset: windowStart, as: Int32.self)))
    guard length > 0, length <= lengthMax else { return .invalidLength(length) }
    guard windowCount >= 4 + length else { return .incomplete }
    let frame = UnsafeMutableRawBufferPointer(rebasing: window[(windowStart + 4)..<(windowStart + 4 + length)])
    windowStart += 4 + length
    return .frame(frame)
  }

  private var announcedLength: Int {
    Int(Int32(bigEndian: held.loadUnaligned(fromByteOffset: heldStart, as: Int32.self)))
  }

  /// Moves bytes from the loop's buffer behind those that are held.
  private mutating func hold(_ count: Int) -> Bool {
    guard count > 0 else { return true }
    guard makeRoom(for: count) else { return false }
    while held.count - heldEnd < count { guard grow(to: heldCount + count) else { return false } }
    let source = UnsafeRawBufferPointer(rebasing: window[windowStart..<windowStart + count])
    UnsafeMutableRawBufferPointer(rebasing: held[heldEnd...]).copyMemory(from: source)
    heldEnd += count
    windowStart += count
    return true
  }

  /// Makes room for some, at most all, of `missing` further bytes.
  private mutating func makeRoom(for missing: Int) -> Bool {
    if held.count - heldEnd >= missing { return true }
    if heldStart > 0, let base = held.baseAddress {
      memmove(base, base + heldStart, heldCount)
      heldEnd = heldCount
      heldStart = 0
    }
    let needed = heldCount + missing
    if held.count >= needed { return true }
    // Memory that is there already costs nothing, however large it is.
    if needed >= BufferShelf.keptMin, let spare = shelf.take(needed) {
      if let old = held.baseAddress, let new = spare.baseAddress { memcpy(new, old, heldEnd) }
      if held.baseAddress != nil { shelf.give(held) }
      held = spare
      return true
    }
    if held.count - heldEnd > 0 && heldEnd < held.count / 2 { return true }
    return grow(to: min(needed, max(Self.heldMin, 2 * heldCount)))
  }

  private mutating func grow(to capacity: Int) -> Bool {
    guard capacity > held.count else { return true }
    guard let larger = realloc(held.baseAddress, capacity) else { return false }
    held = UnsafeMutableRawBufferPointer(start: larger, count: capacity)
    return true
  }

  private mutating func releaseHeld() {
    guard held.baseAddress != nil else { return }
    shelf.give(held)
    held = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    heldStart = 0
    heldEnd = 0
  }
}
