import ClusterMetadata
import Consensus
import EventLoop
import KafkaClient
import KafkaProtocol
import LogStorage
import SimulatedWorld
import Synchronization
import Testing
import Vocabulary

@testable import Broker

/// What a quorum told its observer.
enum Told: Sendable {
  case committed([ClusterMetadata.MetadataRecord], upTo: Offset)
  case replaced(upTo: Offset)
  case leads(LeaderEpoch)
  case leadsNoLonger(LeaderEpoch)
  case leader(NodeID?, LeaderEpoch)
  case trouble(String)
}

final class QuorumRecorder: MetadataQuorumObserver {
  let events = Events<Told>()
  /// Rings for everything that any node of a test tells.
  private let bell: Events<NodeID>
  private let node: NodeID

  init(_ node: NodeID, bell: Events<NodeID>) {
    self.node = node
    self.bell = bell
  }

  func add(_ told: Told) {
    events.add(told)
    bell.add(node)
  }

  func committed(_ records: [ClusterMetadata.MetadataRecord], _ image: MetadataImage, upTo: Offset) {
    add(.committed(records, upTo: upTo))
  }
  func replaced(by image: MetadataImage, upTo: Offset) { add(.replaced(upTo: upTo)) }
  func becameLeader(_ epoch: LeaderEpoch) { add(.leads(epoch)) }
  func lostLeadership(_ epoch: LeaderEpoch) { add(.leadsNoLonger(epoch)) }
  func leaderChanged(_ leader: NodeID?, _ epoch: LeaderEpoch) { add(.leader(leader, epoch)) }

  /// Waits for the first event that says what is asked for.
  func first<T>(_ wanted: (Told) -> T?) throws -> T {
    while true {
      if let found = wanted(try events.next()) { return found }
    }
  }

  func untilLeading() throws -> LeaderEpoch { try first { if case .leads(let epoch) = $0 { epoch } else { nil } } }

  /// Waits until everything before an offset is applied, by records or by a snapshot.
  func until(_ offset: Offset) throws {
    try first { told -> Void? in
      switch told {
      case .committed(_, let end) where end >= offset, .replaced(let end) where end >= offset: ()
      default: nil
      }
    }
  }
}

/// One node: a disk that outlives its quorums, a loop, and a server that knows the quorum's requests and no others.
final class QuorumNode {
  static let cluster = "test-cluster"
  static let folder = "data/__cluster_metadata-0"

  let id: NodeID
  let directory: UniqueID
  let disk: SimulatedDisk
  let loop: EventLoop
  let pool: BlockingPool
  let server: FrameServer
  let port: UInt16
  private let service = QuorumTestService()
  private let bell: Events<NodeID>
  private(set) var recorder: QuorumRecorder
  private(set) var quorum: MetadataQuorum?

  /// - Parameter other: the node that had this id and disk before.
  init(_ id: Int32, bell: Events<NodeID> = Events(), insteadOf other: QuorumNode? = nil) throws {
    self.id = NodeID(id)
    self.bell = bell
    recorder = QuorumRecorder(NodeID(id), bell: bell)
    directory = UniqueID(high: 77, low: UInt64(id) + 1)
    disk = other?.disk ?? SimulatedDisk(seed: UInt64(id) + 1)
    try disk.createDirectory("data")
    loop = try EventLoop(name: "node-\(id)")
    try loop.start()
    pool = try BlockingPool(threads: 2, name: "node-\(id)")
    server = try FrameServer(loops: [loop], pool: pool, limits: ConnectionLimits(), service: service)
    port = try server.listen(host: "127.0.0.1", port: 0, name: "CONTROLLER")
  }

  deinit {
    stop()
    server.shutdown(drain: .zero)
    loop.stop()
    pool.stop()
  }

  var address: BrokerAddress { BrokerAddress(host: "127.0.0.1", port: port) }
  var voter: Voter {
    Voter(
      ReplicaKey(id, directory),
      endpoints: [Consensus.Endpoint(listener: "CONTROLLER", host: "127.0.0.1", port: port)])
  }

  static func log(_ disk: any Disk) throws -> PartitionLog {
    try PartitionLog.open(
      disk: disk, openFiles: OpenFiles(limit: 64), directory: folder,
      topicPartition: TopicPartition(.clusterMetadata, PartitionIndex(0)), topicID: .clusterMetadataTopic,
      settings: LogSettings(), recovery: .afterCrash(recoveryPoint: .zero), now: Timestamp(milliseconds: 1))
  }

  func setup() throws -> MetadataQuorum.Setup {
    var settings = QuorumSettings()
    settings.electionTimeout = .milliseconds(200)
    settings.fetchTimeout = .milliseconds(600)
    settings.electionBackoffMax = .milliseconds(200)
    settings.requestTimeout = .milliseconds(1500)
    settings.fetchMaxWait = .milliseconds(100)
    let recorder = recorder
    return MetadataQuorum.Setup(
      clusterID: Self.cluster, local: voter, isController: true, settings: settings, log: try Self.log(disk),
      disk: disk,
      loop: loop, pool: pool, report: { message, detail in recorder.add(.trouble("\(message): \(detail)")) })
  }

  /// Starts, or starts again, from what is on the disk.
  func start(_ change: (inout MetadataQuorum.Setup) -> Void = { _ in }) throws {
    recorder = QuorumRecorder(id, bell: bell)
    var setup = try setup()
    change(&setup)
    let quorum = try MetadataQuorum(setup)
    self.quorum = quorum
    service.quorum.withLock { $0 = quorum }
    quorum.start(recorder)
  }

  func stop() {
    service.quorum.withLock { $0 = nil }
    quorum?.stop()
    quorum?.setup.log.close()
    quorum = nil
  }

  /// Appends on the quorum's thread, and waits for what it says.
  func append(_ records: [ClusterMetadata.MetadataRecord], in epoch: LeaderEpoch) throws -> Offset {
    let quorum = try #require(quorum)
    let said = Events<Result<Offset, Refusal>>()
    quorum.run {
      do throws(Refusal) {
        said.add(.success(try quorum.append(records, in: epoch)))
      } catch {
        said.add(.failure(error))
      }
    }
    return try said.next().get()
  }
}

/// Several nodes on this machine.
struct QuorumNodes {
  let all: [QuorumNode]
  let bell = Events<NodeID>()

  init(_ count: Int32) throws {
    let bell = bell
    all = try (1...count).map { try QuorumNode($0, bell: bell) }
  }

  /// Waits until something is so, which is looked at whenever a node tells something.
  func until<T>(_ found: () throws -> T?) throws -> T {
    while true {
      if let found = try found() { return found }
      _ = try bell.next()
    }
  }

  func start(_ node: QuorumNode, _ change: (inout MetadataQuorum.Setup) -> Void = { _ in }) throws {
    try node.start { setup in
      setup.configuredVoters = all.map { ($0.id, $0.address) }
      change(&setup)
    }
  }

  /// Waits until these agree on a leader among them that has everything, and returns it with its epoch.
  func leader(of nodes: [QuorumNode]) throws -> (QuorumNode, LeaderEpoch) {
    try until {
      let named = nodes.map { $0.quorum?.leader }
      guard let first = named.first ?? nil, named.allSatisfy({ $0?.id == first.id && $0?.epoch == first.epoch }),
        let node = nodes.first(where: { $0.id == first.id }), node.quorum?.isLeading(in: first.epoch) == true
      else { return nil }
      return (node, first.epoch)
    }
  }
}

/// Requests of the quorum, each to its function.
final class QuorumTestService: FrameService, FrameReceiver {
  let quorum = Mutex<MetadataQuorum?>(nil)

  func received(
    _ frame: UnsafeMutableRawBufferPointer, from connection: ConnectionInfo, reply: Reply
  ) -> FrameFlow {
    guard let quorum = quorum.withLock({ $0 }),
      let (header, start) = try? RequestHeader.decode(UnsafeRawBufferPointer(frame))
    else {
      reply.close(because: "there is no quorum")
      return .exclusive
    }
    let body = UnsafeRawBufferPointer(rebasing: frame[start...])
    func serve<Question: RequestBody>(
      _: Question.Type, _ ask: (Question, @escaping @Sendable (Question.Response) -> Void) -> Void
    ) {
      guard let request = try? Question.decode(body, version: header.version) else {
        return reply.close(because: "it cannot be read")
      }
      ask(request) {
        reply.send(Outgoing($0.payload(version: header.version, correlationID: header.correlationID).bytes))
      }
    }
    switch header.key {
    case .vote: serve(KafkaProtocol.VoteRequest.self) { quorum.vote($0, answer: $1) }
    case .beginQuorumEpoch: serve(BeginQuorumEpochRequest.self) { quorum.beginQuorumEpoch($0, answer: $1) }
    case .endQuorumEpoch: serve(EndQuorumEpochRequest.self) { quorum.endQuorumEpoch($0, answer: $1) }
    case .fetch: serve(KafkaProtocol.FetchRequest.self) { quorum.fetch($0, answer: $1) }
    case .fetchSnapshot: serve(KafkaProtocol.FetchSnapshotRequest.self) { quorum.fetchSnapshot($0, answer: $1) }
    case .updateRaftVoter: serve(UpdateRaftVoterRequest.self) { quorum.updateRaftVoter($0, answer: $1) }
    case .addRaftVoter: serve(AddRaftVoterRequest.self) { quorum.addRaftVoter($0, answer: $1) }
    case .removeRaftVoter: serve(RemoveRaftVoterRequest.self) { quorum.removeRaftVoter($0, answer: $1) }
    case .describeQuorum: serve(DescribeQuorumRequest.self) { quorum.describeQuorum($0, answer: $1) }
    case .apiVersions: serve(ApiVersionsRequest.self) { $1(Self.versions) }
    default: reply.close(because: "nobody asks for this here")
    }
    return .exclusive
  }

  private static var versions: ApiVersionsResponse {
    func entry<Question: RequestBody>(_: Question.Type) -> ApiVersionsResponse.APIVersion {
      var entry = ApiVersionsResponse.APIVersion()
      entry.apiKey = Question.key.rawValue
      entry.minVersion = Question.versions.lowerBound
      entry.maxVersion = Question.versions.upperBound
      return entry
    }
    var response = ApiVersionsResponse()
    response.apiKeys = [
      entry(ApiVersionsRequest.self), entry(KafkaProtocol.VoteRequest.self), entry(BeginQuorumEpochRequest.self),
      entry(EndQuorumEpochRequest.self), entry(KafkaProtocol.FetchRequest.self),
      entry(KafkaProtocol.FetchSnapshotRequest.self), entry(UpdateRaftVoterRequest.self),
      entry(AddRaftVoterRequest.self), entry(RemoveRaftVoterRequest.self), entry(DescribeQuorumRequest.self),
    ]
    return response
  }

  func closed(_ connection: ConnectionInfo, because: CloseReason) {}
  func refused(_ peer: SocketAddress?, listener: String, because: RefusalReason) {}
}

func feature(_ name: String, _ level: Int16 = 1) -> ClusterMetadata.MetadataRecord {
  .featureChanged(name: name, level: level)
}

extension MetadataQuorum {
  fileprivate func isLeading(in epoch: LeaderEpoch) -> Bool {
    state.withLock { if case .announced(epoch) = $0.leading { true } else { false } }
  }
}
