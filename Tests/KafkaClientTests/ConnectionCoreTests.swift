import KafkaProtocol
import Synchronization
import Testing
import Vocabulary

@testable import KafkaClient

@Suite struct ConnectionCoreTests {
  static let address = BrokerAddress(host: "b", port: 9092)

  private func exchange(_ key: APIKey, deadline: Int64 = .max) -> Exchange {
    Exchange(
      key: key, versions: 0...3, answering: .awaited, span: .seconds(1), deadline: Instant(nanoseconds: deadline),
      payload: { version, correlationID in [UInt8(version), UInt8(truncatingIfNeeded: correlationID)] },
      finish: { _ in })
  }

  /// What happened, in order: the bytes that were sent, or the request that ended and how.
  private func told(_ actions: [ConnectionCore.Action]) -> [String] {
    actions.map { action in
      switch action {
      case .send(let bytes): bytes.count == 2 ? "sent \(bytes)" : "sent ApiVersions"
      case .close: "closed"
      case .finish(let exchange, .success): "\(exchange.key) answered"
      case .finish(let exchange, .failure(.unreachable)): "\(exchange.key) never sent"
      case .finish(let exchange, .failure(.disconnected)): "\(exchange.key) cut off"
      case .finish(let exchange, .failure(.deadline)): "\(exchange.key) late"
      case .finish(let exchange, .failure(let error)): "\(exchange.key) failed: \(error)"
      }
    }
  }

  private func agree(_ core: inout ConnectionCore) -> [ConnectionCore.Action] {
    let response = ApiVersionsResponse { response in
      response.apiKeys = [APIKey.fetch, .metadata].map { key in
        .init {
          $0.apiKey = key.rawValue
          $0.maxVersion = 2
        }
      }
    }
    var actions: [ConnectionCore.Action] = []
    let frame = response.payload(version: ApiVersionsRequest.versions.upperBound, correlationID: 1).bytes
    frame.withUnsafeBytes { core.received($0, into: &actions) }
    return actions
  }

  @Test func requestsWaitForTheVersionsAndKeepTheirOrder() {
    var core = ConnectionCore(address: Self.address, clientID: "c")
    var actions: [ConnectionCore.Action] = []
    core.submit(exchange(.fetch), into: &actions)
    core.submit(exchange(.metadata), into: &actions)
    #expect(told(actions) == [])
    core.connected(into: &actions)
    #expect(told(actions) == ["sent ApiVersions"])
    #expect(told(agree(&core)) == ["sent [2, 2]", "sent [2, 3]"])
  }

  @Test func whatWasSentMayHaveBeenDoneAndWhatWaitedWasNot() {
    var core = ConnectionCore(address: Self.address, clientID: "c")
    var actions: [ConnectionCore.Action] = []
    core.submit(exchange(.fetch), into: &actions)
    core.closed(because: "gone", into: &actions)
    #expect(told(actions) == ["Fetch never sent"])

    core = ConnectionCore(address: Self.address, clientID: "c")
    actions = []
    core.connected(into: &actions)
    _ = agree(&core)
    core.submit(exchange(.fetch), into: &actions)
    core.submit(exchange(.metadata), into: &actions)
    core.closed(because: "gone", into: &actions)
    core.closed(because: "again", into: &actions)
    #expect(told(actions.suffix(2)) == ["Fetch cut off", "Metadata cut off"])
    actions = []
    core.submit(exchange(.fetch), into: &actions)
    #expect(told(actions) == ["Fetch never sent"])
  }

  @Test func oneLateAnswerEndsTheConnection() {
    var core = ConnectionCore(address: Self.address, clientID: "c")
    var actions: [ConnectionCore.Action] = []
    core.connected(into: &actions)
    _ = agree(&core)
    core.submit(exchange(.fetch, deadline: 100), into: &actions)
    core.submit(exchange(.metadata, deadline: 200), into: &actions)
    #expect(core.nextDeadline == Instant(nanoseconds: 100))
    actions = []
    core.expire(at: Instant(nanoseconds: 99), into: &actions)
    #expect(told(actions) == [])
    core.expire(at: Instant(nanoseconds: 100), into: &actions)
    #expect(told(actions) == ["Fetch late", "Metadata cut off", "closed"])
    #expect(core.nextDeadline == nil && core.end != nil)
  }

  @Test func aConnectionThatIsNotMadeInTimeIsLateToo() {
    var core = ConnectionCore(address: Self.address, clientID: "c")
    var actions: [ConnectionCore.Action] = []
    core.submit(exchange(.fetch, deadline: 100), into: &actions)
    core.expire(at: Instant(nanoseconds: 100), into: &actions)
    #expect(told(actions) == ["Fetch late", "closed"])
  }

  @Test func aRequestThatTheBrokerDoesNotKnowIsNotSent() {
    var core = ConnectionCore(address: Self.address, clientID: "c")
    var actions: [ConnectionCore.Action] = []
    core.connected(into: &actions)
    _ = agree(&core)
    actions = []
    core.submit(exchange(.listGroups), into: &actions)
    #expect(told(actions) == ["ListGroups failed: b:9092 has no version of ListGroups that this client speaks"])
  }
}
