import KafkaProtocol
import Vocabulary
import Wire

/// Small, seeded and the same everywhere (SplitMix64).
struct Chance: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// A coder that invents every field that a message has in one version.
struct Filler: WireCoding {
  let version: Int16
  let isFlexible: Bool
  private var chance: Chance
  private var depth = 0
  /// Records are the one thing that does not read back as it was written: bytes become a range.
  private(set) var hasRecords = false

  init(version: Int16, flexibleSince: Int16, seed: UInt64) {
    self.version = version
    isFlexible = version >= flexibleSince
    chance = Chance(seed: seed)
  }

  private mutating func number<T: FixedWidthInteger>() -> T {
    switch UInt8.random(in: 0..<6, using: &chance) {
    case 0: .zero
    case 1: .max
    case 2: .min
    case 3: T.zero &- 1
    default: .random(in: .min ... .max, using: &chance)
    }
  }

  private mutating func oneIn(_ n: Int) -> Bool { Int.random(in: 0..<n, using: &chance) == 0 }

  mutating func bool(_ value: inout Bool) { value = oneIn(2) }
  mutating func int8(_ value: inout Int8) { value = number() }
  mutating func int16(_ value: inout Int16) { value = number() }
  mutating func uint16(_ value: inout UInt16) { value = number() }
  mutating func int32(_ value: inout Int32) { value = number() }
  mutating func int64(_ value: inout Int64) { value = number() }
  mutating func float64(_ value: inout Double) { value = Double(Int32.random(in: .min ... .max, using: &chance)) / 8 }
  mutating func uuid(_ value: inout UniqueID) { value = UniqueID(high: number(), low: number()) }
  mutating func errorCode(_ value: inout ErrorCode) {
    value = ErrorCode.allCases.randomElement(using: &chance) ?? .none
  }

  private mutating func size() -> Int {
    // 127 and 128 stand on either side of the second byte of a compact length.
    oneIn(40) ? [126, 127, 128, 300].randomElement(using: &chance) ?? 0 : Int.random(in: 0...5, using: &chance)
  }

  mutating func string(_ value: inout String) {
    value = String((0..<size()).map { _ in "aZ09._-é漢🐟".randomElement(using: &chance) ?? "a" })
  }

  mutating func bytes(_ value: inout [UInt8]) { value = (0..<size()).map { _ in number() } }

  mutating func array<T: WireValue>(_ values: inout [T]) throws(WireError) {
    depth += 1
    defer { depth -= 1 }
    values = []
    for _ in 0..<Int.random(in: 0...(depth > 2 ? 2 : 3), using: &chance) {
      var value = T()
      try value.pass(through: &self)
      values.append(value)
    }
  }

  private mutating func null(since: Int16) -> Bool { version >= since && oneIn(3) }

  mutating func nullableString(_ value: inout String?, since: Int16) throws(WireError) {
    if null(since: since) { return value = nil }
    var some = ""
    string(&some)
    value = some
  }

  mutating func nullableBytes(_ value: inout [UInt8]?, since: Int16) throws(WireError) {
    if null(since: since) { return value = nil }
    var some: [UInt8] = []
    bytes(&some)
    value = some
  }

  mutating func nullableArray<T: WireValue>(_ values: inout [T]?, since: Int16) throws(WireError) {
    if null(since: since) { return values = nil }
    var some: [T] = []
    try array(&some)
    values = some
  }

  mutating func nullableStruct<T: WireStruct>(_ value: inout T?, since: Int16) throws(WireError) {
    if null(since: since) { return value = nil }
    var some = T()
    try some.pass(through: &self)
    value = some
  }

  mutating func nullableRecords(_ value: inout RecordsField) {
    if oneIn(3) { value = .null } else { records(&value) }
  }

  mutating func records(_ value: inout RecordsField) {
    var some: [UInt8] = []
    bytes(&some)
    value = .bytes(some)
    hasRecords = true
  }

  mutating func tagged<T: WireValue>(_ tag: UInt32, _ value: inout T, absent: T) throws(WireError) {
    // Were `absent` not the field's default, this is where the round trip would show it.
    if oneIn(3) { return value = absent }
    try value.pass(through: &self)
  }

  mutating func endOfFields<T: WireStruct>(of value: inout T) throws(WireError) {
    if isFlexible { try value.codeTagged(&self) }
  }
}

extension WireStruct {
  /// A message with something in every field, and whether that includes records.
  static func filled(version: Int16, flexibleSince: Int16, seed: UInt64) throws(WireError) -> (Self, hasRecords: Bool) {
    var filler = Filler(version: version, flexibleSince: flexibleSince, seed: seed)
    var message = Self()
    try message.pass(through: &filler)
    return (message, filler.hasRecords)
  }
}

extension EncodedMessage {
  /// The message as its reader sees it: the gaps filled with the records of an earlier copy.
  func joined(with records: [[UInt8]]) -> [UInt8] {
    var whole: [UInt8] = []
    var start = 0
    for (splice, bytes) in zip(splices, records) {
      precondition(splice.count == bytes.count)
      whole += self.bytes[start..<splice.position] + bytes
      start = splice.position
    }
    return whole + self.bytes[start...]
  }
}
