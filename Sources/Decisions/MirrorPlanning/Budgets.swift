// Local producers come first: what mirrors hold in memory has a bound, and they leave room on disks before others lack it.

/// How many bytes the answer to one Fetch of a mirror may have, beyond a first batch, which comes whole.
///
/// What is fetched and not appended yet is no more than one answer for each Fetch that may be under way, so that equal
/// shares keep the bounds, and no Fetch waits for another one's.
/// - Parameters:
///   - response: what one answer may have in any case.
///   - mirror: what this mirror may hold on this broker, and how many of its Fetches may be under way.
///   - broker: the same of all mirrors.
public func fetchShare(
  response: Int64, mirror: (bytes: Int64, fetches: Int), broker: (bytes: Int64, fetches: Int)
) -> Int64 {
  let shares = [mirror, broker].map { $0.bytes / Int64(max(1, $0.fetches)) }
  return max(1, min(response, shares.min() ?? response))
}

/// Whether mirrors may write to a disk.
///
/// They stop where less is free than is reserved, and go on once it is an eighth more: what retention takes away bit by bit
/// would otherwise start and stop them all the time.
public struct DiskRoom: Hashable, Sendable {
  /// Bytes.
  public private(set) var free: Int64 = 0
  public private(set) var reserve: Int64 = 0
  public private(set) var isShort = false

  public init() {}

  /// - Parameters:
  ///   - free: bytes that are free; nil where the disk does not say: mirrors go on as they did.
  ///   - total: how large the disk is.
  ///   - wanted: what is to be left free, but no more than a tenth of the disk.
  public mutating func look(free: Int64?, total: Int64, reserving wanted: Int64) {
    guard let free, total > 0 else { return }
    self.free = free
    reserve = min(wanted, total / 10)
    isShort = free < reserve + (isShort ? reserve / 8 : 0)
  }

  /// Bytes that may be written until the next look; nil where nothing is reserved. As long as there is room it is more than
  /// nothing, so that what uses it up is seen to be short.
  public var allowance: Int64? {
    guard reserve > 0 else { return nil }
    return isShort ? 0 : max(1, free - reserve)
  }

  /// In words, for people and for the status.
  public func description(of path: String, _ key: String) -> String {
    "the disk of \(path) has \(free) bytes free, and mirrors leave \(reserve) of them to others: copying goes on by itself "
      + "once \(reserve + reserve / 8) are free; make room there, or lower \(key)"
  }
}
