import EventLoop
import KafkaClient
import KafkaProtocol
import Synchronization
import Testing
import Vocabulary

/// A request as a broker of the test's own gets it.
struct Call: Sendable {
  let header: RequestHeader
  let body: [UInt8]
  /// Which connection of the broker it came on, from 1.
  let connection: UInt64

  func decode<Body: RequestBody>(_: Body.Type) throws -> (request: Body, frame: [UInt8]) {
    (try body.withUnsafeBytes { try Body.decode($0, version: header.version) }, body)
  }
}

enum Act: Sendable {
  case reply(any ResponseBody)
  /// In the form of another version than that of the request.
  case replyIn(version: Int16, any ResponseBody)
  case silence
  case close
  case garbage([UInt8])
}

/// A broker that answers real requests with what the test gives it. What the script leaves open it answers itself:
/// which versions it knows, and who leads what.
final class FakeBroker: FrameService, FrameReceiver {
  typealias Script = @Sendable (Call) throws -> Act?
  let node: Int32
  private let script: Script
  private let cluster: FakeCluster
  let calls = Mutex<[Call]>([])

  init(_ node: Int32, of cluster: FakeCluster, _ script: @escaping Script) {
    self.node = node
    self.cluster = cluster
    self.script = script
  }

  func calls(_ key: APIKey) -> [Call] { calls.withLock { $0.filter { $0.header.key == key } } }

  func received(
    _ frame: UnsafeMutableRawBufferPointer, from connection: ConnectionInfo, reply: Reply
  ) -> FrameFlow {
    let bytes = UnsafeRawBufferPointer(frame)
    do {
      let (header, start) = try RequestHeader.decode(bytes)
      let call = Call(header: header, body: [UInt8](bytes[start...]), connection: connection.id)
      calls.withLock { $0.append(call) }
      switch try script(call) ?? cluster.answer(call) {
      case .silence: return .exclusive
      case .close: reply.close(because: "the script says so")
      case .garbage(let bytes): reply.send(Outgoing(bytes))
      case .reply(let response): send(response, version: header.version, header, reply)
      case .replyIn(let version, let response): send(response, version: version, header, reply)
      }
    } catch {
      Issue.record("a request that cannot be read: \(error)")
      reply.close(because: "\(error)")
    }
    return .concurrent
  }

  private func send(_ response: any ResponseBody, version: Int16, _ header: RequestHeader, _ reply: Reply) {
    reply.send(Outgoing(response.payload(version: version, correlationID: header.correlationID).bytes))
  }

  func closed(_ connection: ConnectionInfo, because: CloseReason) {}
  func refused(_ peer: SocketAddress?, listener: String, because: RefusalReason) {}
}

/// Brokers on the loopback, with the topic `t` of two partitions.
final class FakeCluster: Sendable {
  static let topic = TopicName("t")!
  let loop: EventLoop
  let pool: BlockingPool
  private struct State {
    var brokers: [(node: Int32, port: UInt16, server: FrameServer)] = []
    var leaders: [Int32] = [1, 1]
    var epoch: Int32 = 1
    var versions: [APIKey: ClosedRange<Int16>] = [:]
    var coordinator: Int32 = 1
  }
  private let state = Mutex(State())

  init() throws {
    ignoreBrokenPipes()
    loop = try EventLoop(name: "fake")
    pool = try BlockingPool(threads: 2)
    try loop.start()
  }
  deinit {
    for broker in state.withLock({ $0.brokers }) { broker.server.shutdown(drain: .zero) }
    loop.stop()
    pool.stop()
  }

  func add(_ node: Int32 = 1, _ script: @escaping FakeBroker.Script = { _ in nil }) throws -> FakeBroker {
    let broker = FakeBroker(node, of: self, script)
    let server = try FrameServer(loops: [loop], pool: pool, limits: ConnectionLimits(), service: broker)
    let port = try server.listen(host: "127.0.0.1", port: 0, name: "TEST")
    state.withLock { $0.brokers.append((node, port, server)) }
    return broker
  }

  /// The leader of every partition changes.
  func lead(_ node: Int32) {
    state.withLock { state in
      state.leaders = state.leaders.map { _ in node }
      state.epoch += 1
    }
  }
  func coordinate(_ node: Int32) { state.withLock { $0.coordinator = node } }
  func offer(_ key: APIKey, _ versions: ClosedRange<Int16>?) {
    state.withLock { $0.versions[key] = versions ?? 30000...30000 }
  }

  func address(of node: Int32 = 1) -> BrokerAddress {
    BrokerAddress(host: "127.0.0.1", port: state.withLock { $0.brokers.first { $0.node == node }?.port ?? 1 })
  }

  func client(_ change: (inout ClientSettings) -> Void = { _ in }) -> ClusterClient {
    var settings = ClientSettings(bootstrap: [address()])
    settings.pauseFirst = .milliseconds(1)
    settings.pauseMax = .milliseconds(5)
    // On a busy machine everything may take as long as it likes: what a test says of time, it sets itself.
    settings.requestSpan = .seconds(3600)
    settings.connectSpan = .seconds(3600)
    settings.retrySpan = .seconds(3600)
    change(&settings)
    return ClusterClient(settings, loop: loop, pool: pool)
  }

  func versions() -> ApiVersionsResponse {
    let offered = state.withLock { $0.versions }
    return ApiVersionsResponse { response in
      response.apiKeys = allRequests.map { request in
        let range = offered[request.key] ?? request.versions
        return .init {
          $0.apiKey = request.key.rawValue
          $0.minVersion = range.lowerBound
          $0.maxVersion = range.upperBound
        }
      }
    }
  }

  func answer(_ call: Call) throws -> Act {
    switch call.header.key {
    case .apiVersions: .reply(versions())
    case .metadata: .reply(metadata(try call.decode(MetadataRequest.self).request))
    case .findCoordinator: .reply(coordinator())
    case .initProducerId:
      .reply(
        InitProducerIDResponse {
          $0.producerID = 4000
          $0.producerEpoch = 0
        })
    default: .close
    }
  }

  private func metadata(_ request: MetadataRequest) -> MetadataResponse {
    state.withLock { state in
      MetadataResponse { response in
        response.clusterID = "fake"
        response.controllerID = 1
        response.brokers = state.brokers.map { broker in
          .init {
            $0.nodeID = broker.node
            $0.host = "127.0.0.1"
            $0.port = Int32(broker.port)
          }
        }
        let names = request.topics.map { $0.map { $0.name ?? "" } } ?? [FakeCluster.topic.text]
        response.topics = names.map { name in
          .init { topic in
            topic.name = name
            guard name == FakeCluster.topic.text else { return topic.errorCode = .unknownTopicOrPartition }
            topic.topicID = UniqueID(high: 1, low: 1)
            topic.partitions = state.leaders.enumerated().map { index, leader in
              .init {
                $0.partitionIndex = Int32(index)
                $0.leaderID = leader
                $0.leaderEpoch = state.epoch
                $0.replicaNodes = [leader]
                $0.isrNodes = [leader]
              }
            }
          }
        }
      }
    }
  }

  private func coordinator() -> FindCoordinatorResponse {
    let node = state.withLock { $0.coordinator }
    let address = address(of: node)
    return FindCoordinatorResponse { response in
      response.nodeID = node
      response.host = address.host
      response.port = Int32(address.port)
      response.coordinators = [
        .init {
          $0.nodeID = node
          $0.host = address.host
          $0.port = Int32(address.port)
        }
      ]
    }
  }
}

/// The answer that appends every batch of a request at offset 0, or refuses it.
func produced(_ request: ProduceRequest, _ code: ErrorCode = .none) -> ProduceResponse {
  ProduceResponse { response in
    response.responses = request.topicData.map { topic in
      .init { answer in
        answer.name = topic.name
        answer.partitionResponses = topic.partitionData.map { partition in
          .init {
            $0.index = partition.index
            $0.errorCode = code
          }
        }
      }
    }
  }
}

/// The batches of a Produce request.
func batches(_ call: Call) throws -> [[UInt8]] {
  let (request, frame) = try call.decode(ProduceRequest.self)
  return request.topicData.flatMap(\.partitionData).compactMap { partition in
    if case .inFrame(let range) = partition.records { Array(frame[range]) } else { nil }
  }
}

func record(_ value: String, key: String? = nil) -> OwnedRecord {
  OwnedRecord(timestamp: Timestamp(milliseconds: 1000), key: key.map { Array($0.utf8) }, value: Array(value.utf8))
}
