/// The last offset of every key in the dirty part of a log, in a bounded piece of memory.
///
/// Keys are known by 128 bits of SipHash alone: two runs of Swift's `Hasher`, whose key is random per process,
/// over different prefixes. Two of 10 million keys share them with a probability of 10⁻²⁵, and nobody who
/// sends keys can look for such a pair, because the hash key never leaves the process.
struct KeyOffsets {
  static let slotBytes = 24
  /// Fuller, and a search would take long.
  static let load = 0.9

  private var high: [UInt64]
  private var low: [UInt64]
  private var offsets: [Int64]
  private(set) var count = 0
  let countMax: Int

  /// Room for `bytes` of slots, but for no more than `keys` could need.
  init(bytes: Int, keys: Int) {
    let affordable = max(16, bytes / Self.slotBytes)
    let slots = min(affordable, max(16, Int(Double(keys) / Self.load) + 16))
    high = Array(repeating: 0, count: slots)
    low = Array(repeating: 0, count: slots)
    offsets = Array(repeating: -1, count: slots)
    countMax = max(1, Int(Double(slots) * Self.load))
  }

  private static func hash(_ key: UnsafeRawBufferPointer) -> (high: UInt64, low: UInt64) {
    var first = Hasher()
    first.combine(0x6c6f67 as UInt32)
    first.combine(bytes: key)
    var second = Hasher()
    second.combine(0x6b6579 as UInt32)
    second.combine(bytes: key)
    return (UInt64(bitPattern: Int64(first.finalize())), UInt64(bitPattern: Int64(second.finalize())))
  }

  private func slot(of hash: (high: UInt64, low: UInt64)) -> Int {
    var slot = Int(hash.high % UInt64(offsets.count))
    while offsets[slot] >= 0, high[slot] != hash.high || low[slot] != hash.low {
      slot = slot + 1 == offsets.count ? 0 : slot + 1
    }
    return slot
  }

  /// False when there is no room for another key.
  mutating func note(_ key: UnsafeRawBufferPointer, at offset: Int64) -> Bool {
    let hash = Self.hash(key)
    let slot = slot(of: hash)
    if offsets[slot] < 0 {
      guard count < countMax else { return false }
      count += 1
      high[slot] = hash.high
      low[slot] = hash.low
    }
    offsets[slot] = max(offsets[slot], offset)
    return true
  }

  subscript(key: UnsafeRawBufferPointer) -> Int64? {
    let slot = slot(of: Self.hash(key))
    return offsets[slot] < 0 ? nil : offsets[slot]
  }
}
