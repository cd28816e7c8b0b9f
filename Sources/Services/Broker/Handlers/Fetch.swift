import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import Replication
import Telemetry
import Vocabulary

extension Broker {
  /// Fetch, v4–18: record batches as they lie on disk, sent from the page cache to the socket.
  ///
  /// Answers at once when there are min_bytes, an error, or nothing to wait for; otherwise when records come or
  /// max_wait or `connections.max.idle.ms` is over. v7 has sessions (KIP-227), v12 finds diverged readers (KIP-320),
  /// v13 names topics by id. Other brokers copy with it (v15, KIP-903). Who reads committed transactions only gets what
  /// lies below the last stable offset, and is told which transactions of it were taken back (KIP-98).
  /// Differs from Apache Kafka: nothing is ever converted down, and quotas are not applied; a follower whose offset is
  /// out of range is told the log's end in the place of the high watermark.
  func fetch(_ call: Call<KafkaProtocol.FetchRequest>) {
    metrics.fetchRequests.add(1)
    fetchServer.fetch(call)
  }

  private var fetchServer: FetchServer {
    let world = storage.world
    return FetchServer(
      node: settings.nodeID, table: partitions, sessions: fetchSessions, pool: pool, bytesMax: fetchBytesMax,
      waitMax: settings.idleLimit,
      selectsReplicas: world?.tellsFollowersOfHighWatermarks ?? false, throttle: world?.throttles.leader,
      metrics: metrics, image: { self.image }, planted: planted)
  }
}

/// Answers the Fetches of consumers and of other brokers.
struct FetchServer: Sendable {
  /// This broker.
  let node: NodeID
  let table: PartitionTable
  let sessions: FetchSessions
  let pool: BlockingPool
  let bytesMax: Int
  /// While a fetch waits, nobody sees that its client has gone: it waits no longer than an idle connection lives.
  let waitMax: TimeSpan
  /// Whether consumers are sent to the copies that are near them (KIP-392).
  let selectsReplicas: Bool
  /// For followers that are catching up.
  let throttle: ReplicationThrottle?
  let metrics: BrokerMetrics
  let image: @Sendable () -> MetadataImage
  var planted: BrokerMistake?

  func fetch(_ call: Call<KafkaProtocol.FetchRequest>) {
    let request = call.request
    let byID = call.context.version >= 13
    let now = monotonicNow()
    let opened = openFetch(request, byID: byID, now: now)
    guard case .success(let (items, session, isIncremental)) = opened else {
      if case .failure(let refusal) = opened { call.answer(refused(refusal.code)) }
      return
    }
    let plan = FetchPlan(
      items: items, version: call.context.version, maxBytes: min(Int(request.maxBytes), bytesMax),
      source: source(of: call), throttle: throttle, planted: planted)
    let wait = min(max(Int64(request.maxWaitMs), 0), max(0, waitMax.milliseconds))
    FetchInProgress(
      server: self, call: call, plan: plan, session: session, isIncremental: isIncremental,
      deadline: now + .milliseconds(wait)
    ).proceed(canWait: wait > 0, isNew: true)
  }

  private func source(of call: Call<KafkaProtocol.FetchRequest>) -> FetchSource {
    let request = call.request
    let isNew = call.context.version >= 15
    let replica = isNew ? request.replicaState.replicaID : request.replicaID
    if replica >= 0 {
      return .follower(NodeID(replica), BrokerEpoch(isNew ? request.replicaState.replicaEpoch : -1))
    }
    let knowsRacks = selectsReplicas && call.context.version >= 11 && !request.rackID.isEmpty
    return .consumer(
      region: knowsRacks ? Region(BrokerLocation(rack: request.rackID).region) : nil,
      committedOnly: request.isolationLevel == 1)
  }

  private typealias Opened = (items: [FetchItem], session: FetchSession?, isIncremental: Bool)

  private func openFetch(_ request: KafkaProtocol.FetchRequest, byID: Bool, now: Instant) -> Result<Opened, Refusal> {
    switch request.sessionEpoch {
    case -1:
      if request.sessionID != 0 { sessions.close(request.sessionID) }
      return .success((FetchKeys.items(in: request, byID: byID), nil, false))
    case 0:
      if request.sessionID != 0 { sessions.close(request.sessionID) }
      let items = FetchKeys.items(in: request, byID: byID)
      return .success((items, sessions.open(items, byID: byID, now: now), false))
    default:
      guard let session = sessions.find(request.sessionID, now: now) else {
        return .failure(Refusal(.fetchSessionIdNotFound, "there is no session \(request.sessionID)"))
      }
      return session.update(request, byID: byID).map { ($0, session, true) }
    }
  }

  private func refused(_ code: ErrorCode) -> FetchResponse {
    var response = FetchResponse()
    response.errorCode = code
    return response
  }
}

/// A Fetch from its first read to its answer.
private struct FetchInProgress: Sendable {
  let server: FetchServer
  let call: Call<KafkaProtocol.FetchRequest>
  let plan: FetchPlan
  let session: FetchSession?
  let isIncremental: Bool
  let deadline: Instant

  /// More partitions than these are looked through elsewhere, so that the other clients of a loop do not wait for it.
  private static let itemsOnLoopMax = 64

  /// Readers at the end of a log are served at once; finding the place of the others may wait for the disk, which
  /// no loop does.
  func proceed(canWait: Bool, isNew: Bool) {
    if plan.items.count <= Self.itemsOnLoopMax, plan.staysInMemory(server.table) {
      decide(canWait: canWait, isNew: isNew)
    } else {
      server.pool.run { decide(canWait: canWait, isNew: isNew) }
    }
  }

  private func decide(canWait: Bool, isNew: Bool) {
    let result = plan.read(from: server.table, isNew: isNew)
    let mustAnswer =
      !canWait || plan.items.isEmpty && !isIncremental || result.isUrgent
      || result.bytes >= Int(call.request.minBytes) || monotonicNow() >= deadline || tellsFollower(result)
    if mustAnswer { answer(result) } else { wait(for: result) }
  }

  /// Where consumers read from copies, a follower hears at once of what is committed; elsewhere with its next records
  /// (KAFKA-9731).
  private func tellsFollower(_ result: FetchResult) -> Bool {
    guard server.selectsReplicas, case .follower = plan.source else { return false }
    return result.items.contains { item, fetched in
      guard case .these(let told, _, _) = item.told else { return false }
      return fetched.answer.highWatermark > told
    }
  }

  private func wait(for result: FetchResult) {
    var partitions = result.quiet.map(\.partition)
    var seen = result.quiet.map(\.seen)
    for (_, fetched) in result.items {
      guard let partition = fetched.partition else { continue }
      partitions.append(partition)
      seen.append(fetched.seen)
    }
    let loop = call.context.loop
    // The read goes back to the connection's own loop: a producer does not pay for its consumers.
    let wait = FetchWait(partitions: partitions, as: plan.source.audience) {
      loop.post { self.proceed(canWait: true, isNew: false) }
    }
    wait.start(seen: seen, until: result.isHeldBack ? whenAllowed() : deadline, on: loop)
  }

  /// What is held back does not wait for records: it has some.
  private func whenAllowed() -> Instant {
    guard let throttle = server.throttle else { return deadline }
    return min(deadline, throttle.ready(at: monotonicNow()))
  }

  private func answer(_ result: FetchResult) {
    if result.throttledBytes > 0 { server.throttle?.take(result.throttledBytes, at: monotonicNow()) }
    let told = isIncremental ? session?.changes(in: result) ?? result : remembered(result)
    var response = FetchResponse()
    response.sessionID = session?.id ?? 0
    var records: [LogSlice] = []
    var hints = LeaderHints(on: server.node, image: server.image, listener: call.context.listener)
    for (item, fetched) in told.items {
      append(hinted(fetched.answer, item.key, &hints), of: item.key, to: &response)
      if let slice = fetched.records { records.append(slice) }
      if fetched.answer.errorCode != .none { server.metrics.failedFetches.add(1) }
    }
    response.nodeEndpoints = hints.nodes.map { node in
      var endpoint = FetchResponse.NodeEndpoint()
      endpoint.nodeID = node.id.value
      endpoint.host = node.host
      endpoint.port = node.port
      endpoint.rack = node.rack
      return endpoint
    }
    server.metrics.bytesOut.add(told.bytes)
    call.answer(response, records: records)
  }

  /// Who believes in an earlier leader, or in this broker, is told of the present one, and where it is (KIP-951).
  private func hinted(
    _ answer: FetchResponse.Partition, _ key: FetchKey, _ hints: inout LeaderHints
  ) -> FetchResponse.Partition {
    guard call.context.version >= 16 else { return answer }
    let topic: LeaderHints.Topic
    switch key.topic {
    case .name(let name): topic = .name(name)
    case .id(let id): topic = .id(id)
    }
    guard let leader = hints.leader(of: key.partition, of: topic, refusedWith: answer.errorCode) else { return answer }
    var answer = answer
    answer.currentLeader.leaderID = leader.id.value
    answer.currentLeader.leaderEpoch = leader.epoch.value
    return answer
  }

  /// The first answer of a session tells everything, and the session remembers it.
  private func remembered(_ result: FetchResult) -> FetchResult {
    _ = session?.changes(in: result)
    return result
  }

  /// Partitions of one topic that follow each other share its entry.
  private func append(_ answer: FetchResponse.Partition, of key: FetchKey, to response: inout FetchResponse) {
    var topic = FetchResponse.Topic()
    switch key.topic {
    case .name(let name): topic.topic = name
    case .id(let id): topic.topicID = id
    }
    if let last = response.responses.indices.last, response.responses[last].topic == topic.topic,
      response.responses[last].topicID == topic.topicID
    {
      response.responses[last].partitions.append(answer)
    } else {
      topic.partitions = [answer]
      response.responses.append(topic)
    }
  }
}
