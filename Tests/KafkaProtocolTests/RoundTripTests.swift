import KafkaProtocol
import Testing
import Vocabulary
import Wire

/// Walks a message and takes out which bytes of its frame are records.
private struct RecordsCollector: WireCoding {
  let version: Int16
  let isFlexible: Bool
  var ranges: [Range<Int>] = []

  mutating func bool(_ value: inout Bool) {}
  mutating func int8(_ value: inout Int8) {}
  mutating func int16(_ value: inout Int16) {}
  mutating func uint16(_ value: inout UInt16) {}
  mutating func int32(_ value: inout Int32) {}
  mutating func int64(_ value: inout Int64) {}
  mutating func float64(_ value: inout Double) {}
  mutating func uuid(_ value: inout UniqueID) {}
  mutating func errorCode(_ value: inout ErrorCode) {}
  mutating func string(_ value: inout String) {}
  mutating func bytes(_ value: inout [UInt8]) {}
  mutating func nullableString(_ value: inout String?, since: Int16) {}
  mutating func nullableBytes(_ value: inout [UInt8]?, since: Int16) {}
  mutating func array<T: WireValue>(_ values: inout [T]) throws(WireError) {
    for var value in values { try value.pass(through: &self) }
  }
  mutating func nullableArray<T: WireValue>(_ values: inout [T]?, since: Int16) throws(WireError) {
    for var value in values ?? [] { try value.pass(through: &self) }
  }
  mutating func nullableStruct<T: WireStruct>(_ value: inout T?, since: Int16) throws(WireError) {}
  mutating func tagged<T: WireValue>(_ tag: UInt32, _ value: inout T, absent: T) throws(WireError) {}
  mutating func endOfFields<T: WireStruct>(of value: inout T) throws(WireError) {}
  mutating func nullableRecords(_ value: inout RecordsField) { records(&value) }
  mutating func records(_ value: inout RecordsField) {
    if case .inFrame(let range) = value, !range.isEmpty { ranges.append(range) }
  }
}

@Suite struct RoundTripTests {
  static let seeds: ClosedRange<UInt64> = 1...25

  @Test func everyRequestOfEveryVersionReadsBackAsItWasWritten() throws {
    for request in allRequests { try roundTrips(request) }
  }

  @Test func everyResponseOfEveryVersionReadsBackAsItWasWritten() throws {
    for request in allRequests { try responseRoundTrips(request) }
  }

  @Test func anEmptyMessageReadsBackWithItsDefaults() throws {
    func check<Body: RequestBody>(_: Body.Type) throws {
      for version in Body.versions {
        let request = try Body().encode(version: version).bytes.withUnsafeBytes { raw in
          try Body.decode(raw, version: version)
        }
        // Records that are empty read as an empty range.
        #expect(request.encode(version: version) == Body().encode(version: version), "\(Body.self) v\(version)")
        let response = try Body.Response().encode(version: version).bytes.withUnsafeBytes { raw in
          try Body.Response.decode(raw, version: version)
        }
        #expect(
          response.encode(version: version) == Body.Response().encode(version: version),
          "\(Body.Response.self) v\(version)")
      }
    }
    for request in allRequests { try check(request) }
  }

  private func roundTrips<Body: RequestBody>(_: Body.Type) throws {
    for version in Body.versions {
      for seed in Self.seeds {
        let (message, hasRecords) = try Body.filled(version: version, flexibleSince: Body.flexibleSince, seed: seed)
        try check(
          message, version, Body.flexibleSince, hasRecords: hasRecords, encode: { $0.encode(version: version) },
          decode: { try Body.decode($0, version: version) })
      }
    }
  }

  private func responseRoundTrips<Body: RequestBody>(_: Body.Type) throws {
    for version in Body.versions {
      for seed in Self.seeds {
        let (message, hasRecords) = try Body.Response.filled(
          version: version, flexibleSince: Body.flexibleSince, seed: seed)
        try check(
          message, version, Body.flexibleSince, hasRecords: hasRecords, encode: { $0.encode(version: version) },
          decode: { try Body.Response.decode($0, version: version) })
      }
    }
  }

  private func check<Message: WireStruct>(
    _ message: Message, _ version: Int16, _ flexibleSince: Int16, hasRecords: Bool,
    encode: (Message) -> EncodedMessage, decode: (UnsafeRawBufferPointer) throws -> Message
  ) throws {
    let bytes = encode(message).bytes
    var read = try bytes.withUnsafeBytes { try decode($0) }
    if !hasRecords { #expect(read == message, "\(Message.self) v\(version)") }
    let again = encode(read)
    var collector = RecordsCollector(version: version, isFlexible: version >= flexibleSince)
    try read.pass(through: &collector)
    #expect(again.joined(with: collector.ranges.map { Array(bytes[$0]) }) == bytes, "\(Message.self) v\(version)")
    #expect(again.totalCount == bytes.count)
  }
}
