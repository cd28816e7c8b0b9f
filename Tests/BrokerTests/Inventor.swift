import KafkaProtocol
import SimulatedWorld
import Vocabulary
import Wire

/// A coder that invents requests which a broker mostly takes seriously: names that exist, small numbers, and now and
/// then the ends of every range.
struct Inventor: WireCoding {
  /// Topics, groups, members, keys and values; whatever a text may be.
  private static let words = [
    "a", "b", "c", "g", "m", "", "consumer", "range", "uniform", "classic", "Stable", "1", "-1", "compact", "delete",
    "retention.ms", "cleanup.policy", "segment.bytes", "flush.messages", "min.insync.replicas", "log.retention.ms",
    "__consumer_offsets", "(a+)+$", "[", "no/name", "99999999999999999999", "\u{e9}",
  ]

  let version: Int16
  let isFlexible: Bool
  private var random: SeededRandom
  private let topicIDs: [UniqueID]

  init(version: Int16, flexibleSince: Int16, random: SeededRandom, topicIDs: [UniqueID]) {
    self.version = version
    isFlexible = version >= flexibleSince
    self.random = random
    self.topicIDs = topicIDs
  }

  private mutating func oneIn(_ n: Int) -> Bool { Int.random(in: 0..<n, using: &random) == 0 }

  private mutating func number<T: FixedWidthInteger>() -> T {
    switch Int.random(in: 0..<10, using: &random) {
    case 0: .max
    case 1: .min
    case 2: T.zero &- 1
    case 3: .random(in: .min ... .max, using: &random)
    default: .random(in: 0...5, using: &random)
    }
  }

  mutating func bool(_ value: inout Bool) { value = oneIn(2) }
  mutating func int8(_ value: inout Int8) { value = number() }
  mutating func int16(_ value: inout Int16) { value = number() }
  mutating func uint16(_ value: inout UInt16) { value = number() }
  mutating func int32(_ value: inout Int32) { value = number() }
  mutating func int64(_ value: inout Int64) { value = number() }
  mutating func float64(_ value: inout Double) { value = Double(number() as Int32) }
  mutating func uuid(_ value: inout UniqueID) {
    value = oneIn(4) ? UniqueID(high: number(), low: number()) : topicIDs.randomElement(using: &random) ?? .zero
  }
  mutating func errorCode(_ value: inout ErrorCode) {
    value = ErrorCode.allCases.randomElement(using: &random) ?? .none
  }
  mutating func string(_ value: inout String) { value = Self.words.randomElement(using: &random) ?? "" }
  mutating func bytes(_ value: inout [UInt8]) {
    value = (0..<Int.random(in: 0...9, using: &random)).map { _ in number() }
  }

  mutating func array<T: WireValue>(_ values: inout [T]) throws(WireError) {
    values = []
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      var value = T()
      try value.pass(through: &self)
      values.append(value)
    }
  }

  private mutating func null(since: Int16) -> Bool { version >= since && oneIn(2) }

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

  mutating func nullableRecords(_ value: inout RecordsField) { if oneIn(5) { value = .null } else { records(&value) } }

  /// Mostly a whole batch; sometimes one with a byte changed behind its checksum.
  mutating func records(_ value: inout RecordsField) {
    var bytes = batch(["x", "y"])
    if oneIn(3) { bytes[Int.random(in: 0..<bytes.count, using: &random)] = number() }
    value = .bytes(bytes)
  }

  mutating func tagged<T: WireValue>(_ tag: UInt32, _ value: inout T, absent: T) throws(WireError) {
    if oneIn(2) { return value = absent }
    try value.pass(through: &self)
  }

  mutating func endOfFields<T: WireStruct>(of value: inout T) throws(WireError) {
    if isFlexible { try value.codeTagged(&self) }
  }

  /// A request that may wait for others waits for moments only: a test has no days.
  private static func hasty(_ request: some RequestBody) -> any RequestBody {
    switch request {
    case var fetch as FetchRequest:
      fetch.maxWaitMs = min(fetch.maxWaitMs, 20)
      return fetch
    case var join as JoinGroupRequest:
      join.sessionTimeoutMs = min(join.sessionTimeoutMs, 20)
      join.rebalanceTimeoutMs = min(join.rebalanceTimeoutMs, 20)
      return join
    default: return request
    }
  }

  /// A frame without its size.
  static func frame<Request: RequestBody>(
    of: Request.Type, version: Int16, random: SeededRandom, topicIDs: [UniqueID]
  ) throws -> [UInt8] {
    var inventor = Inventor(
      version: version, flexibleSince: Request.flexibleSince, random: random, topicIDs: topicIDs)
    var request = Request()
    try request.pass(through: &inventor)
    if let hasty = hasty(request) as? Request { request = hasty }
    return Array(request.frame(version: version, correlationID: 1, clientID: "inventor").bytes.dropFirst(4))
  }
}
