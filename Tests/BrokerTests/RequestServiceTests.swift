import KafkaProtocol
import SimulatedWorld
import Testing
import Vocabulary

@testable import Broker

@Suite struct RequestServiceTests {
  private let running: RunningBroker
  /// Another client, which must be served whatever the first one does.
  private let bystander: Client

  init() throws {
    running = try RunningBroker()
    bystander = try running.connect()
  }

  private func checkBystander() throws {
    let answer = try bystander.ask(ApiVersionsRequest(), version: 0)
    #expect(answer.errorCode == .none)
    #expect(answer.apiKeys.count == Routes.broker.all.count)
  }

  private func header(_ key: Int16, _ version: Int16, id: Int32 = 4711, client: String? = "test") -> [UInt8] {
    var bytes = withUnsafeBytes(of: key.bigEndian) { Array($0) }
    bytes += withUnsafeBytes(of: version.bigEndian) { Array($0) }
    bytes += withUnsafeBytes(of: id.bigEndian) { Array($0) }
    let text = client.map { Array($0.utf8) }
    bytes += withUnsafeBytes(of: Int16(text?.count ?? -1).bigEndian) { Array($0) }
    return bytes + (text ?? [])
  }

  @Test(arguments: [Int16(-1), 4, 24, 26, 500, .max, .min]) func anUnknownKeyClosesTheConnection(key: Int16) throws {
    let client = try running.connect()
    client.send(frame: header(key, 0))
    try client.expectEnd()
    try checkBystander()
  }

  @Test(arguments: Routes.broker.all.map(\.key).filter { $0 != .apiVersions })
  func aVersionThatIsNotServedClosesTheConnection(key: APIKey) throws {
    let served = try #require(Routes.broker.route(for: key.rawValue)).served
    for version in [served.lowerBound - 1, served.upperBound + 1, .max, .min] {
      let client = try running.connect()
      client.send(frame: header(key.rawValue, version))
      try client.expectEnd()
    }
    try checkBystander()
  }

  /// A client asks before it knows anything: it learns which versions it may ask in (KIP-511).
  @Test(arguments: [Int16(5), 99, .max, -1]) func apiVersionsInANewerVersionIsAnsweredInTheOldest(version: Int16) throws
  {
    let client = try running.connect()
    client.send(frame: header(APIKey.apiVersions.rawValue, version) + [0, 1, 2, 3])
    let answer = try client.readFrame().withUnsafeBytes { raw in
      let (header, start) = try ResponseHeader.decode(raw, key: .apiVersions, version: 0)
      #expect(header.correlationID == 4711)
      return try ApiVersionsResponse.decode(UnsafeRawBufferPointer(rebasing: raw[start...]), version: 0)
    }
    #expect(answer.errorCode == .unsupportedVersion)
    #expect(answer.apiKeys.map(\.apiKey) == [APIKey.apiVersions.rawValue])
    #expect(answer.apiKeys.map(\.maxVersion) == [4])
    let again = try client.ask(ApiVersionsRequest(), version: 0)
    #expect(again.errorCode == .none, "the connection goes on")
  }

  @Test func apiVersionsSaysWhatIsServed() throws {
    let client = try running.connect()
    for version in Int16(0)...4 {
      var request = ApiVersionsRequest()
      request.clientSoftwareName = "test"
      request.clientSoftwareVersion = "1.0"
      let answer = try client.ask(request, version: version)
      #expect(answer.errorCode == .none)
      #expect(Set(answer.apiKeys.map(\.apiKey)) == Set(Routes.broker.all.map(\.key.rawValue)))
    }
    var request = ApiVersionsRequest()
    request.clientSoftwareName = "no name!"
    #expect(try client.ask(request, version: 3).errorCode == .invalidRequest)
  }

  @Test(arguments: [[UInt8](), [0], [0, 18, 0], [0, 18, 0, 0, 0, 0, 0]]) func aHeaderThatIsCutOffClosesTheConnection(
    bytes: [UInt8]
  ) throws {
    let client = try running.connect()
    client.send(frame: bytes)
    try client.expectEnd()
    try checkBystander()
  }

  @Test func aLengthThatCannotBeClosesTheConnection() throws {
    for length in [[0x7f, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0xff], [0x80, 0, 0, 0]] as [[UInt8]] {
      let client = try running.connect()
      client.send(length)
      try client.expectEnd()
    }
    try checkBystander()
  }
}

/// The same bytes for the same seed, so that what fails fails again.
@Suite struct GarbageTests {
  private static let framesOfASeed = 700

  /// A frame that gets ever deeper: noise, a good header with noise behind it, a good request with some bytes changed.
  private func frame(_ random: inout SeededRandom) -> [UInt8] {
    let noise = (0..<Int.random(in: 0...120, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
    let route = Routes.broker.all.randomElement(using: &random) ?? Routes.broker.all[0]
    let version = Int16.random(in: route.served, using: &random)
    switch Int.random(in: 0..<4, using: &random) {
    case 0: return noise
    case 1: return opening(route.key, version) + noise
    default:
      guard let message = allRequests.first(where: { $0.key == route.key }) else { return noise }
      var bytes = Array(message.init().frame(version: version, correlationID: 1, clientID: "g").bytes.dropFirst(4))
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let place = Int.random(in: 8..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
        default: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        }
      }
      return bytes
    }
  }

  private func opening(_ key: APIKey, _ version: Int16) -> [UInt8] {
    let flexible = version >= key.flexibleSince ? [UInt8(0)] : []
    return [0, UInt8(key.rawValue), 0, UInt8(version), 0, 0, 0, 1, 0, 1, 103] + flexible
  }

  @Test(arguments: [UInt64(1), 2, 3, 4]) func noBytesEndTheBrokerOrHoldUpAnybodyElse(seed: UInt64) throws {
    let running = try RunningBroker(["group.initial.rebalance.delay.ms": "0"])
    let bystander = try running.connect()
    var random = SeededRandom(seed: seed)
    for number in 0..<Self.framesOfASeed {
      let client = try running.connect()
      // Some are answered, some close the connection: either way nothing is left open.
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        if !client.send(frame: frame(&random)) { break }
      }
      try client.finish()
      if number % 20 == 0 {
        #expect(try bystander.ask(ApiVersionsRequest(), version: 0).errorCode == .none, "after frame \(number)")
      }
    }
    #expect(try bystander.ask(MetadataRequest(), version: 12).clusterID == running.broker.clusterID)
  }
}
