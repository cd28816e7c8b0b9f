import EventLoop
import KafkaProtocol
import LogStorage
import Telemetry
import Vocabulary

extension Broker {
  /// Fetch, v4–18: record batches as they lie on disk, sent from the page cache to the socket.
  ///
  /// Answers at once when there are min_bytes, an error, or nothing to wait for; otherwise when records come or
  /// max_wait or `connections.max.idle.ms` is over. v7 has sessions (KIP-227), v12 finds diverged readers (KIP-320),
  /// v13 names topics by id.
  /// Differs from Apache Kafka: nothing is ever converted down, and quotas are not applied.
  func fetch(_ call: Call<FetchRequest>) {
    metrics.fetchRequests.add(1)
    let request = call.request
    let byID = call.context.version >= 13
    let now = monotonicNow()
    let opened = openFetch(request, byID: byID, now: now)
    guard case .success(let (items, session, isIncremental)) = opened else {
      if case .failure(let refusal) = opened { call.answer(refused(refusal.code)) }
      return
    }
    let plan = FetchPlan(
      items: items, version: call.context.version, maxBytes: min(Int(request.maxBytes), fetchBytesMax),
      isolation: request.isolationLevel)
    // While a fetch waits, nobody sees that its client has gone: it waits no longer than an idle connection lives.
    let wait = min(max(Int64(request.maxWaitMs), 0), max(0, settings.idleLimit.milliseconds))
    FetchInProgress(
      broker: self, call: call, plan: plan, session: session, isIncremental: isIncremental,
      deadline: now + .milliseconds(wait)
    ).proceed(canWait: wait > 0)
  }

  private typealias Opened = (items: [FetchItem], session: FetchSession?, isIncremental: Bool)

  private func openFetch(_ request: FetchRequest, byID: Bool, now: Instant) -> Result<Opened, Refusal> {
    switch request.sessionEpoch {
    case -1:
      if request.sessionID != 0 { fetchSessions.close(request.sessionID) }
      return .success((FetchKeys.items(in: request, byID: byID), nil, false))
    case 0:
      if request.sessionID != 0 { fetchSessions.close(request.sessionID) }
      let items = FetchKeys.items(in: request, byID: byID)
      return .success((items, fetchSessions.open(items, byID: byID, now: now), false))
    default:
      guard let session = fetchSessions.find(request.sessionID, now: now) else {
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
  let broker: Broker
  let call: Call<FetchRequest>
  let plan: FetchPlan
  let session: FetchSession?
  let isIncremental: Bool
  let deadline: Instant

  /// Readers at the end of a log are served at once; finding the place of the others may wait for the disk, which
  /// no loop does.
  func proceed(canWait: Bool) {
    if plan.staysInMemory(broker.partitions) {
      decide(canWait: canWait)
    } else {
      broker.pool.run { decide(canWait: canWait) }
    }
  }

  private func decide(canWait: Bool) {
    let result = plan.read(from: broker.partitions)
    let mustAnswer =
      !canWait || plan.items.isEmpty && !isIncremental || result.isUrgent
      || result.bytes >= Int(call.request.minBytes) || monotonicNow() >= deadline
    if mustAnswer { answer(result) } else { wait(for: result) }
  }

  private func wait(for result: FetchResult) {
    var partitions: [Partition] = []
    var seen: [Offset] = []
    for (_, fetched) in result.items {
      guard let partition = fetched.partition else { continue }
      partitions.append(partition)
      seen.append(fetched.seen)
    }
    let loop = call.context.loop
    // The read goes back to the connection's own loop: a producer does not pay for its consumers.
    let wait = FetchWait(partitions: partitions) { loop.post { self.proceed(canWait: true) } }
    wait.start(seen: seen, until: deadline, on: loop)
  }

  private func answer(_ result: FetchResult) {
    let told = isIncremental ? session?.changes(in: result) ?? result : remembered(result)
    var response = FetchResponse()
    response.sessionID = session?.id ?? 0
    var records: [LogSlice] = []
    for (item, fetched) in told.items {
      append(hinted(fetched.answer, &response), of: item.key, to: &response)
      if let slice = fetched.records { records.append(slice) }
      if fetched.answer.errorCode != .none { broker.metrics.failedFetches.add(1) }
    }
    broker.metrics.bytesOut.add(told.bytes)
    call.answer(response, records: records)
  }

  /// Who believes in an earlier leader is told of the present one, and where it is (KIP-951).
  private func hinted(
    _ answer: FetchResponse.Partition, _ response: inout FetchResponse
  ) -> FetchResponse.Partition {
    guard answer.currentLeader.leaderEpoch >= 0,
      let listener = broker.settings.listeners.first(where: { $0.name == call.context.listener })
    else { return answer }
    var answer = answer
    answer.currentLeader.leaderID = broker.settings.nodeID.value
    if response.nodeEndpoints.isEmpty {
      var endpoint = FetchResponse.NodeEndpoint()
      endpoint.nodeID = broker.settings.nodeID.value
      endpoint.host = listener.advertised.host
      endpoint.port = Int32(listener.advertised.port)
      endpoint.rack = broker.settings.rack
      response.nodeEndpoints = [endpoint]
    }
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
