import Glibc
import Vocabulary

/// Buffers of finished large frames, kept for the next ones: fresh memory would be paid for with a page fault for
/// every 4 KiB. What was not needed for a while is given back.
final class BufferShelf {
  /// Smaller buffers are cheap to get.
  static let keptMin = 64 << 10
  /// How many bytes wait here at most.
  static let keptTotalMax = 4 << 20
  private static let trimInterval = TimeSpan.seconds(5)

  private var buffers: [UnsafeMutableRawBufferPointer] = []
  private var total = 0
  /// How many were never needed since the last trim.
  private var unused = 0
  private var nextTrim = Instant(nanoseconds: 0)

  deinit { for buffer in buffers { free(buffer.baseAddress) } }

  /// A buffer of at least this size, if one is here.
  func take(_ size: Int) -> UnsafeMutableRawBufferPointer? {
    guard let index = buffers.lastIndex(where: { $0.count >= size }) else { return nil }
    let buffer = buffers.remove(at: index)
    total -= buffer.count
    unused = min(unused, buffers.count)
    return buffer
  }

  func give(_ buffer: UnsafeMutableRawBufferPointer) {
    guard buffer.count >= Self.keptMin, total + buffer.count <= Self.keptTotalMax else {
      free(buffer.baseAddress)
      return
    }
    buffers.append(buffer)
    total += buffer.count
  }

  func trim(at now: Instant) {
    guard now >= nextTrim else { return }
    nextTrim = now + Self.trimInterval
    for buffer in buffers.prefix(unused) {
      total -= buffer.count
      free(buffer.baseAddress)
    }
    buffers.removeFirst(unused)
    unused = buffers.count
  }
}
