import KafkaProtocol
import Testing
import Vocabulary

@testable import KafkaClient

@Suite struct ConnectionTests {
  @Test func aRequestGoesOutInTheHighestVersionThatBothKnow() async throws {
    let cluster = try FakeCluster()
    cluster.offer(.metadata, 0...5)
    let broker = try cluster.add()
    let client = cluster.client()
    try await client.refreshMetadata(nil)
    #expect(broker.calls(.apiVersions).map(\.header.version) == [ApiVersionsRequest.versions.upperBound])
    #expect(broker.calls(.metadata).map(\.header.version) == [5])
    client.close()
  }

  @Test func aBrokerThatDoesNotKnowOurApiVersionsIsAskedAgainInItsOwn() async throws {
    let cluster = try FakeCluster()
    let broker = try cluster.add { call in
      guard call.header.key == .apiVersions, call.header.version > 2 else { return nil }
      return .replyIn(
        version: 0,
        ApiVersionsResponse { response in
          response.errorCode = .unsupportedVersion
          response.apiKeys = [
            .init {
              $0.apiKey = 18
              $0.maxVersion = 2
            }
          ]
        })
    }
    let client = cluster.client()
    try await client.refreshMetadata(nil)
    #expect(broker.calls(.apiVersions).map(\.header.version) == [4, 2])
    client.close()
  }

  @Test func aRequestWithoutACommonVersionFailsByItsName() async throws {
    let cluster = try FakeCluster()
    cluster.offer(.listGroups, nil)
    _ = try cluster.add()
    let client = cluster.client()
    let error = await #expect(throws: ClientError.self) { _ = try await client.groups() }
    #expect(error == .unsupported(cluster.address(), .listGroups))
    client.close()
  }

  @Test func requestsOnOneConnectionGetTheirOwnAnswers() async throws {
    let cluster = try FakeCluster()
    let broker = try cluster.add { call in
      guard call.header.key == .listGroups else { return nil }
      let filter = try call.decode(ListGroupsRequest.self).request.statesFilter
      return .reply(
        ListGroupsResponse { response in response.groups = filter.map { name in .init { $0.groupID = name } } })
    }
    let client = cluster.client()
    let address = cluster.address()
    await withTaskGroup(of: (String, String?).self) { group in
      for number in 0..<50 {
        group.addTask {
          let request = ListGroupsRequest { $0.statesFilter = ["g\(number)"] }
          let reply = try? await client.send(request, to: address)
          return ("g\(number)", reply?.response.groups.first?.groupID)
        }
      }
      for await (asked, answered) in group { #expect(asked == answered) }
    }
    #expect(broker.calls(.apiVersions).count == 1)
    client.close()
  }

  @Test func aConnectionThatEndsIsMadeAgain() async throws {
    let cluster = try FakeCluster()
    let broker = try cluster.add { $0.header.key == .metadata && $0.connection == 1 ? .close : nil }
    let client = cluster.client()
    try await client.refreshMetadata(nil)
    #expect(broker.calls(.metadata).map(\.connection) == [1, 2])
    client.close()
  }

  @Test func aRequestThatIsNotAnsweredEndsAtItsDeadlineAndWithItTheConnection() async throws {
    let cluster = try FakeCluster()
    let broker = try cluster.add { $0.header.key == .listGroups ? .silence : nil }
    let client = cluster.client()
    let address = cluster.address()
    let error = await #expect(throws: ClientError.self) {
      _ = try await client.send(ListGroupsRequest(), to: address, span: .milliseconds(30))
    }
    #expect(error == .deadline(address, .listGroups, .milliseconds(30)))
    try await client.refreshMetadata(nil)
    #expect(broker.calls(.metadata).map(\.connection) == [2])
    client.close()
  }

  @Test func aServerThatIsNotThereIsNamed() async throws {
    let cluster = try FakeCluster()
    let client = cluster.client { $0.bootstrap = [BrokerAddress(host: "127.0.0.1", port: 1)] }
    let error = await #expect(throws: ClientError.self) { try await client.refreshMetadata(nil) }
    #expect(error?.description == "cannot connect to 127.0.0.1:1: Connection refused")
    client.close()
  }

  @Test func oneOfSeveralBootstrapServersIsEnough() async throws {
    let cluster = try FakeCluster()
    _ = try cluster.add()
    let good = cluster.address()
    let client = cluster.client { $0.bootstrap = [BrokerAddress(host: "127.0.0.1", port: 1), good] }
    try await client.refreshMetadata(nil)
    #expect(client.view.clusterID == "fake")
    client.close()
  }

  @Test func whenTheTimeIsOverTheNextServersAreAskedTheNextTime() async throws {
    let cluster = try FakeCluster()
    _ = try cluster.add()
    let good = cluster.address()
    let client = cluster.client {
      $0.bootstrap = [BrokerAddress(host: "127.0.0.1", port: 1), good]
      $0.bootstrapSpan = .zero
    }
    let error = await #expect(throws: ClientError.self) { try await client.refreshMetadata(nil) }
    #expect(error?.description == "cannot connect to 127.0.0.1:1: Connection refused")
    try await client.refreshMetadata(nil)
    #expect(client.view.clusterID == "fake")
    client.close()
  }

  @Test(arguments: [[], [0, 0], [0, 0, 0, 99, 1, 2], Array(repeating: 255, count: 300)] as [[UInt8]])
  func bytesThatAreNoAnswerEndTheConnection(bytes: [UInt8]) async throws {
    // A frame of no bytes is refused below this module already.
    let garbage = bytes.isEmpty ? [7] : bytes
    let cluster = try FakeCluster()
    _ = try cluster.add { $0.header.key == .listGroups ? .garbage(garbage) : nil }
    let client = cluster.client()
    let address = cluster.address()
    let error = await #expect(throws: ClientError.self) {
      _ = try await client.send(ListGroupsRequest(), to: address, span: .seconds(10))
    }
    guard case .disconnected(address, .listGroups, _) = error else {
      Issue.record("it was taken for \(String(describing: error))")
      return
    }
    client.close()
  }

  @Test func whatIsAskedAfterTheEndFails() async throws {
    let cluster = try FakeCluster()
    _ = try cluster.add()
    let client = cluster.client()
    client.close()
    let error = await #expect(throws: ClientError.self) { try await client.refreshMetadata(nil) }
    #expect(error == .closed)
  }

  @Test func pausesGrowUpToTheirLimit() {
    var backoff = Backoff(first: .milliseconds(100), most: .seconds(1))
    let pauses = (0..<6).map { _ in backoff.fail(chance: 0).milliseconds }
    #expect(pauses == [80, 160, 320, 640, 800, 800])
    backoff.succeed()
    #expect(backoff.fail(chance: 255) == .milliseconds(120))
  }
}
