import KafkaProtocol
import Testing
import Vocabulary
import Wire

@Suite struct HostileBytesTests {
  private func frames(seed: UInt64) throws -> [[UInt8]] {
    var frames: [[UInt8]] = []
    func add<Body: RequestBody>(_: Body.Type) throws {
      for version in Body.versions {
        let (body, _) = try Body.filled(version: version, flexibleSince: Body.flexibleSince, seed: seed)
        frames.append(Array(body.frame(version: version, correlationID: 1, clientID: "c").bytes[4...]))
      }
    }
    for request in allRequests { try add(request) }
    return frames
  }

  @Test func aFrameThatIsCutOffAnywhereIsRefused() throws {
    for frame in try frames(seed: 3) {
      try frame.withUnsafeBytes { try decodeAnyRequest($0) }
      for count in 0..<frame.count {
        frame[..<count].withUnsafeBytes { raw in
          _ = #expect(throws: WireError.self) { try decodeAnyRequest(raw) }
        }
      }
    }
  }

  @Test func aResponseThatIsCutOffAnywhereIsRefused() throws {
    func check<Body: RequestBody>(_: Body.Type) throws {
      let version = Body.versions.upperBound
      let (body, _) = try Body.Response.filled(version: version, flexibleSince: Body.flexibleSince, seed: 5)
      let bytes = body.encode(version: version).bytes
      for count in 0..<bytes.count {
        bytes[..<count].withUnsafeBytes { raw in
          _ = #expect(throws: WireError.self) { try Body.Response.decode(raw, version: version) }
        }
      }
    }
    for request in allRequests { try check(request) }
  }

  @Test func bytesAfterTheLastFieldOfARequestAreIgnoredAndOfAResponseRefused() throws {
    for frame in try frames(seed: 4) { try (frame + [0]).withUnsafeBytes { try decodeAnyRequest($0) } }
    let response = HeartbeatResponse { $0.errorCode = .illegalGeneration }.encode(version: 3).bytes
    (response + [0]).withUnsafeBytes { raw in
      _ = #expect(throws: WireError.trailingBytes(1)) { try HeartbeatResponse.decode(raw, version: 3) }
    }
  }

  @Test func noByteThatIsChangedTraps() throws {
    var chance = Chance(seed: 1)
    var refused = 0
    for frame in try frames(seed: 6) where !frame.isEmpty {
      for _ in 0..<40 {
        var changed = frame
        for _ in 0..<Int.random(in: 1...3, using: &chance) {
          let hostile = [0x00, 0x7f, 0x80, 0xff, UInt8.random(in: .min ... .max, using: &chance)]
          changed[Int.random(in: changed.indices, using: &chance)] = hostile.randomElement(using: &chance) ?? 0
        }
        do { try changed.withUnsafeBytes { try decodeAnyRequest($0) } } catch { refused += 1 }
      }
    }
    #expect(refused > 1000)
  }

  @Test(arguments: [Int32.max, 100, -2, .min])
  func anArrayThatClaimsMoreThanIsThereIsRefusedBeforeRoomIsMade(count: Int32) {
    // Metadata v4: the count of topics, and ten bytes.
    var writer = ByteWriter()
    writer.int32(count)
    for _ in 0..<10 { writer.int8(0) }
    writer.finish().withUnsafeBytes { raw in
      _ = #expect(throws: WireError.impossibleLength(Int(count))) { try MetadataRequest.decode(raw, version: 4) }
    }
  }

  @Test func aCompactArrayThatClaimsMoreThanIsThereIsRefused() {
    let body: [UInt8] = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0]
    body.withUnsafeBytes { raw in
      _ = #expect(throws: WireError.impossibleLength(Int(UInt32.max) - 1)) {
        try MetadataRequest.decode(raw, version: 12)
      }
    }
  }

  @Test func twentyMillionTaggedFieldsInASmallFrameAreRefusedAtOnce() {
    var writer = ByteWriter()
    writer.unsignedVarint(1)
    writer.unsignedVarint(1)
    writer.unsignedVarint(20_000_000)
    for _ in 0..<100 { writer.int8(0) }
    writer.finish().withUnsafeBytes { raw in
      _ = #expect(throws: WireError.impossibleLength(20_000_000)) { try ApiVersionsRequest.decode(raw, version: 3) }
    }
  }

  @Test func manyUnknownTaggedFieldsAreSkipped() throws {
    var writer = ByteWriter()
    writer.unsignedVarint(2)
    writer.text("a")
    writer.unsignedVarint(2)
    writer.text("b")
    writer.unsignedVarint(100_000)
    for tag in 0..<100_000 as Range<UInt32> {
      writer.unsignedVarint(tag)
      writer.unsignedVarint(tag % 3)
      for _ in 0..<tag % 3 { writer.int8(9) }
    }
    let body = try writer.finish().withUnsafeBytes { try ApiVersionsRequest.decode($0, version: 3) }
    #expect(body.clientSoftwareName == "a" && body.clientSoftwareVersion == "b")
  }

  @Test func anUnknownTaggedFieldBetweenKnownOnesIsSkipped() throws {
    let response = ApiVersionsResponse {
      $0.finalizedFeaturesEpoch = 7
      $0.zkMigrationReady = true
    }
    var bytes = response.encode(version: 4).bytes
    // Error code, empty array, throttle time; then two fields: the epoch under 1, the flag under 3.
    #expect(Array(bytes[7...]) == [2, 1, 8, 0, 0, 0, 0, 0, 0, 0, 7, 3, 1, 1])
    bytes[7] = 4
    bytes.insert(contentsOf: [2, 1, 1], at: 18)
    bytes += [9, 2, 0xaa, 0xbb]
    let read = try bytes.withUnsafeBytes { try ApiVersionsResponse.decode($0, version: 4) }
    #expect(read == response)
  }

  @Test func aTaggedFieldOfTheWrongSizeOrTwiceIsRefused() {
    for tagged: [UInt8] in [[1, 1, 4, 0, 0, 0, 0], [1, 1, 9, 0, 0, 0, 0, 0, 0, 0, 7, 0], [2, 3, 1, 1, 3, 1, 1]] {
      ([0, 0, 1, 0, 0, 0, 0] + tagged).withUnsafeBytes { raw in
        _ = #expect(throws: WireError.self) { try ApiVersionsResponse.decode(raw, version: 4) }
      }
    }
  }

  @Test func nullIsRefusedWhereTheVersionDoesNotAllowIt() throws {
    // Metadata v0 has no null list of topics; v1 has.
    let null: [UInt8] = [0xff, 0xff, 0xff, 0xff]
    null.withUnsafeBytes { raw in
      _ = #expect(throws: WireError.unexpectedNull) { try MetadataRequest.decode(raw, version: 0) }
    }
    let all = try null.withUnsafeBytes { try MetadataRequest.decode($0, version: 1) }
    #expect(all.topics == nil)
    #expect(MetadataRequest { $0.topics = nil }.encode(version: 0).bytes == [0, 0, 0, 0])
  }

  @Test func aVersionThatTheMessageDoesNotHaveIsRefused() {
    [0, 0, 0, 0].withUnsafeBytes { raw in
      for version: Int16 in [-1, 14, .max, .min] {
        _ = #expect(throws: WireError.invalidValue("version")) { try MetadataRequest.decode(raw, version: version) }
      }
    }
  }

  @Test func textIsRefusedAboveKafkasLimitAndCutOffWhenWritten() throws {
    let long = String(repeating: "é", count: 20_000)
    let bytes = SaslHandshakeRequest { $0.mechanism = long }.encode(version: 1).bytes
    let read = try bytes.withUnsafeBytes { try SaslHandshakeRequest.decode($0, version: 1) }
    // 32,767 bytes end in the middle of a character.
    #expect(read.mechanism == String(repeating: "é", count: 16_383))
    var writer = ByteWriter()
    writer.unsignedVarint(32_769)
    for _ in 0..<40_000 { writer.int8(0x61) }
    writer.finish().withUnsafeBytes { raw in
      _ = #expect(throws: WireError.impossibleLength(32_768)) { try ApiVersionsRequest.decode(raw, version: 3) }
    }
  }

  @Test func aHeaderSaysWhatItCanOfARequestThatIsNotKnown() throws {
    let frame: [UInt8] = [0x03, 0xe7, 0, 1, 0, 0, 0, 5, 0xff, 0xff]
    try frame.withUnsafeBytes { raw in
      let opening = try RequestHeader.peek(raw)
      #expect(opening.rawKey == 999 && opening.key == nil && opening.version == 1 && opening.correlationID == 5)
      _ = #expect(throws: WireError.invalidValue("API key")) { try RequestHeader.decode(raw) }
    }
  }
}
