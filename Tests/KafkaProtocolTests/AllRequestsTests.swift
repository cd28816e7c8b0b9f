import Glibc
import KafkaProtocol
import Testing

@Suite struct AllRequestsTests {
  @Test func everyFileOfMessagesIsInTheListOfAllRequests() {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    var found = glob_t()
    defer { globfree(&found) }
    #expect(glob("/\(root)/Sources/Foundations/KafkaProtocol/Messages/*/*.swift", 0, nil, &found) == 0)
    let files = (0..<Int(found.gl_pathc)).compactMap { i in
      found.gl_pathv[i].flatMap { String(cString: $0).split(separator: "/").last }
    }
    #expect(Set(allRequests.map { "\($0)".replacing("Request", with: "") + ".swift" }) == Set(files.map(String.init)))
  }

  @Test func everyKeyIsThereOnceAndKnowsItsFirstFlexibleVersion() {
    #expect(Set(allRequests.map { $0.key }).count == allRequests.count)
    for request in allRequests { #expect(request.key.flexibleSince == request.flexibleSince, "\(request)") }
  }

  @Test func anApiVersionsResponseNeverHasTheFlexibleHeader() {
    let versions = ApiVersionsResponse().frame(version: 3, correlationID: 1)
    // Size, correlation id, error code, empty array, throttle time, no tagged fields.
    #expect(versions.bytes == [0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0])
    let heartbeat = HeartbeatResponse().frame(version: 4, correlationID: 1)
    #expect(heartbeat.bytes == [0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test func aResponseHeaderIsReadAsItWasWritten() throws {
    for (key, version, frame) in [
      (APIKey.apiVersions, 3, ApiVersionsResponse().frame(version: 3, correlationID: 77)),
      (.heartbeat, 4, HeartbeatResponse().frame(version: 4, correlationID: 77)),
      (.heartbeat, 3, HeartbeatResponse().frame(version: 3, correlationID: 77)),
    ] as [(APIKey, Int16, EncodedMessage)] {
      try frame.bytes[4...].withUnsafeBytes { raw in
        let (header, start) = try ResponseHeader.decode(raw, key: key, version: version)
        #expect(header.correlationID == 77)
        #expect(start == (key == .heartbeat && version == 4 ? 5 : 4))
      }
    }
  }

  @Test func aFrameCountsTheRecordsThatAreSplicedIntoIt() {
    let response = FetchResponse {
      $0.responses = [
        .init {
          $0.topic = "t"
          $0.partitions = [
            .init { $0.records = .spliced(1000) }, .init { $0.records = .bytes([1, 2]) },
            .init { $0.records = .spliced(0) },
            .init { $0.records = .spliced(24) },
          ]
        }
      ]
    }
    let frame = response.frame(version: 12, correlationID: 1)
    #expect(frame.splices.map(\.count) == [1000, 24])
    #expect(frame.splices.map(\.position) == frame.splices.map(\.position).sorted())
    #expect(frame.totalCount == frame.bytes.count + 1024)
    #expect(frame.bytes[..<4].reduce(0) { $0 << 8 | Int($1) } == frame.totalCount - 4)
    let payload = response.payload(version: 12, correlationID: 1)
    #expect(payload.bytes[...] == frame.bytes[4...])
    #expect(payload.splices.map { $0.position + 4 } == frame.splices.map(\.position))
  }
}
