import EventLoop
import KafkaProtocol
import Testing

@testable import Broker

@Suite struct RouteTests {
  private static let messages: [APIKey: ClosedRange<Int16>] = Dictionary(
    uniqueKeysWithValues: allRequests.map { ($0.key, $0.versions) })

  @Test func everyKeyIsServedOnce() {
    #expect(Set(Routes.broker.all.map(\.key)).count == Routes.broker.all.count)
    #expect(Routes.broker.advertised.count == Routes.broker.all.count)
  }

  @Test(arguments: Routes.broker.all.map(\.key)) func whatIsAdvertisedHasAHandlerWhoseVersionsTheMessageHas(key: APIKey)
    throws
  {
    let route = try #require(Routes.broker.route(for: key.rawValue))
    #expect(route.key == key)
    let readable = try #require(Self.messages[key])
    #expect(readable.lowerBound <= route.served.lowerBound && route.served.upperBound <= readable.upperBound)
    let told = try #require(Routes.broker.advertised.first { $0.apiKey == key.rawValue })
    #expect(told.maxVersion == route.served.upperBound)
    if key != .produce { #expect(told.minVersion == route.served.lowerBound) }
  }

  @Test func produceIsAdvertisedFromZeroForOldLibrdkafka() throws {
    let produce = try #require(Routes.broker.advertised.first { $0.apiKey == APIKey.produce.rawValue })
    #expect(produce.minVersion == 0)
    #expect(try #require(Routes.broker.route(for: 0)).served.lowerBound == 3)
  }

  @Test(arguments: [Int16.min, -1, 4, 29, 77, .max]) func aKeyThatIsNotServedHasNoRoute(key: Int16) {
    #expect(Routes.broker.route(for: key) == nil)
  }

  /// Their answers may come in any order of completion, so that a connection may go on with the next request.
  @Test func onlyProduceLetsLaterRequestsStart() {
    #expect(Routes.broker.all.filter { $0.flow == .concurrent }.map(\.key) == [.produce])
  }
}
