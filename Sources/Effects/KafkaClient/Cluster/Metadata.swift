import EventLoop
import Synchronization
public import KafkaProtocol
public import Vocabulary

extension ClusterClient {
  /// Asks for topics; nil asks for all. Never creates any. Who asks for all only to read the answer does not have the
  /// client keep the topics: `remembersTopics` is false.
  @discardableResult
  public func refreshMetadata(
    _ topics: [TopicName]?, remembersTopics: Bool = true
  ) async throws(ClientError) -> MetadataResponse {
    let request = MetadataRequest {
      $0.topics = topics.map { names in
        names.map { name in MetadataRequest.Topic { $0.name = name.text } }
      }
      $0.allowAutoTopicCreation = false
    }
    let reply = try await sendToAny(request)
    let now = monotonicNow()
    var learned = reply.response
    if !remembersTopics { learned.topics = [] }
    state.withLock { $0.view.learn(learned, at: now) }
    return reply.response
  }

  /// The topic as it is known, or as the cluster says now. Throws `noLeader` with UNKNOWN_TOPIC_OR_PARTITION and the
  /// like when it cannot be described.
  public func topic(_ name: TopicName) async throws(ClientError) -> TopicView {
    let now = monotonicNow()
    if let known = state.withLock({ $0.view.topic(name, at: now, age: settings.metadataAgeMax) }) { return known }
    let response = try await refreshMetadata([name])
    if let found = state.withLock({ $0.view.topic(name, at: monotonicNow(), age: settings.metadataAgeMax) }) {
      return found
    }
    throw .noLeader(name.text, response.topics.first?.errorCode ?? .unknownTopicOrPartition)
  }

  /// Sends the request to a broker that is known, or to the bootstrap servers one after the other. Throws the last
  /// error when none of them answers.
  public func sendToAny<Body: RequestBody>(
    _ body: Body, highest: Int16 = .max
  ) async throws(ClientError) -> BrokerReply<Body.Response> {
    for address in connectedBrokers() {
      do throws(ClientError) {
        return try await send(body, to: address, highest: highest)
      } catch {
        guard error.isOfTheNetwork else { throw error }
      }
    }
    var last: ClientError?
    let deadline = monotonicNow() + settings.bootstrapSpan
    var backoff = Backoff(first: settings.pauseFirst, most: settings.pauseMax)
    for round in 0..<max(1, settings.bootstrapRoundsMax) {
      if round > 0 { await pause(nextPause(&backoff)) }
      let start = state.withLock { $0.bootstrapStart }
      for step in settings.bootstrap.indices {
        let index = (start + step) % settings.bootstrap.count
        do throws(ClientError) {
          let reply = try await send(body, to: settings.bootstrap[index], highest: highest)
          state.withLock { $0.bootstrapStart = index }
          return reply
        } catch {
          guard error.isOfTheNetwork else { throw error }
          last = error
          guard monotonicNow() < deadline else {
            state.withLock { $0.bootstrapStart = index + 1 }
            throw error
          }
        }
      }
    }
    throw last ?? .closed
  }

  /// Brokers that a connection is open to, in the order of their names: those answer soonest.
  private func connectedBrokers() -> [BrokerAddress] {
    state.withLock { state in
      state.links.filter { $0.value.connection?.isOver == false }.map(\.key)
        .sorted { ($0.host, $0.port) < ($1.host, $1.port) }
    }
  }
}
