import Vocabulary

/// Which partition a record goes to. Records with a key go where Kafka's own clients put them, so that the records of
/// one key stay together whoever writes them; records without stay on one partition until its batch is full
/// (KIP-480).
struct Partitioner: Sendable {
  private var sticky: Int32 = -1

  mutating func partition(forKey key: [UInt8]?, of count: Int32, chance: UInt32) -> Int32 {
    precondition(count > 0, "a topic without partitions")
    if let key { return Int32(bitPattern: Self.hash(key) & 0x7fff_ffff) % count }
    if sticky < 0 || sticky >= count { sticky = Int32(chance % UInt32(count)) }
    return sticky
  }

  /// The batch of the partition is full: records without a key go on elsewhere.
  mutating func moveOn(of count: Int32) {
    guard sticky >= 0, count > 0 else { return }
    sticky = (sticky + 1) % count
  }

  /// MurmurHash2 in 32 bits, seeded as Kafka's clients do.
  static func hash(_ key: [UInt8]) -> UInt32 {
    let multiplier: UInt32 = 0x5bd1_e995
    var hash: UInt32 = 0x9747_b28c ^ UInt32(truncatingIfNeeded: key.count)
    var position = 0
    while position + 4 <= key.count {
      var word =
        UInt32(key[position]) | UInt32(key[position + 1]) << 8 | UInt32(key[position + 2]) << 16
        | UInt32(key[position + 3]) << 24
      word = word &* multiplier
      word ^= word >> 24
      hash = hash &* multiplier ^ word &* multiplier
      position += 4
    }
    let rest = key[position...]
    if rest.count > 0 {
      for (place, byte) in rest.enumerated() { hash ^= UInt32(byte) << UInt32(8 * place) }
      hash = hash &* multiplier
    }
    hash ^= hash >> 13
    hash = hash &* multiplier
    return hash ^ hash >> 15
  }
}
