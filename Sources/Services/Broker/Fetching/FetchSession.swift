import EventLoop
import KafkaProtocol
import Synchronization
import Vocabulary

/// What one client reads again and again, so that its requests and our answers hold only what changed (KIP-227).
final class FetchSession: Sendable {
  let id: Int32
  private let state: Mutex<State>

  private struct State {
    /// The epoch that the next request must carry.
    var nextEpoch: Int32
    /// In the order in which they are read; those that gave records go to the end, so that none starves.
    var items: [FetchItem]
    var byID: Bool
  }

  init(id: Int32, items: [FetchItem], byID: Bool, nextEpoch: Int32 = 1) {
    self.id = id
    state = Mutex(State(nextEpoch: nextEpoch, items: items, byID: byID))
  }

  /// Takes a request's changes in, and says what to read.
  func update(_ request: FetchRequest, byID: Bool) -> Result<[FetchItem], Refusal> {
    state.withLock { state in
      guard request.sessionEpoch == state.nextEpoch else {
        return .failure(
          Refusal(
            .invalidFetchSessionEpoch, "session \(id) expects epoch \(state.nextEpoch), not \(request.sessionEpoch)"))
      }
      guard byID == state.byID else {
        return .failure(Refusal(.fetchSessionTopicIdError, "session \(id) mixes topic names and topic ids"))
      }
      state.nextEpoch = state.nextEpoch == .max ? 1 : state.nextEpoch + 1
      let forgotten = Set(FetchKeys.forgotten(in: request, byID: byID))
      if !forgotten.isEmpty { state.items.removeAll { forgotten.contains($0.key) } }
      let changed = FetchKeys.items(in: request, byID: byID)
      if !changed.isEmpty { Self.merge(changed, into: &state.items) }
      return .success(state.items)
    }
  }

  private static func merge(_ changed: [FetchItem], into items: inout [FetchItem]) {
    var places: [FetchKey: Int] = [:]
    for (index, item) in items.enumerated() { places[item.key] = index }
    for item in changed {
      if let place = places[item.key] {
        items[place].ask = item.ask
      } else {
        places[item.key] = items.count
        items.append(item)
      }
    }
  }

  /// Leaves out what the client knows already, and remembers what it is told now.
  func changes(in result: FetchResult) -> FetchResult {
    var answer = result
    answer.items = []
    var told: [FetchKey: (FetchItem.Told, gaveRecords: Bool)] = [:]
    for (item, fetched) in result.items {
      let now = FetchItem.Told(fetched.answer)
      let isNews =
        fetched.records != nil || fetched.answer.errorCode != .none || fetched.answer.divergingEpoch.epoch >= 0
        || fetched.answer.preferredReadReplica >= 0 || item.told != now
      guard isNews else { continue }
      answer.items.append((item, fetched))
      // An error is told again until it is gone.
      told[item.key] = (fetched.answer.errorCode == .none ? now : .nothing, fetched.records != nil)
    }
    remember(told)
    return answer
  }

  private func remember(_ told: [FetchKey: (FetchItem.Told, gaveRecords: Bool)]) {
    guard !told.isEmpty else { return }
    state.withLock { state in
      var front: [FetchItem] = []
      var back: [FetchItem] = []
      for var item in state.items {
        guard let (now, gaveRecords) = told[item.key] else {
          front.append(item)
          continue
        }
        item.told = now
        if gaveRecords { back.append(item) } else { front.append(item) }
      }
      state.items = front + back
    }
  }
}

/// Reads the partitions that a Fetch names.
enum FetchKeys {
  static func items(in request: FetchRequest, byID: Bool) -> [FetchItem] {
    var items: [FetchItem] = []
    for topic in request.topics {
      for partition in topic.partitions {
        let key = FetchKey(topic: byID ? .id(topic.topicID) : .name(topic.topic), partition: partition.partition)
        items.append(FetchItem(key: key, ask: partition))
      }
    }
    return items
  }

  static func forgotten(in request: FetchRequest, byID: Bool) -> [FetchKey] {
    request.forgottenTopicsData.flatMap { topic in
      topic.partitions.map { FetchKey(topic: byID ? .id(topic.topicID) : .name(topic.topic), partition: $0) }
    }
  }
}

/// The sessions that are kept. At the limit the one that was idle longest goes, if it was idle for two minutes;
/// otherwise the new client is served without a session, which is only slower.
final class FetchSessions: Sendable {
  private static let idleBeforeEviction = TimeSpan.seconds(120)
  private let limit: Int
  private let state = Mutex(State())

  private struct State {
    var sessions: [Int32: (session: FetchSession, lastUse: Instant)] = [:]
  }

  init(limit: Int) { self.limit = limit }

  func find(_ id: Int32, now: Instant) -> FetchSession? {
    state.withLock { state in
      guard let session = state.sessions[id]?.session else { return nil }
      state.sessions[id]?.lastUse = now
      return session
    }
  }

  func open(_ items: [FetchItem], byID: Bool, now: Instant) -> FetchSession? {
    state.withLock { state in
      if state.sessions.count >= limit {
        guard let oldest = state.sessions.min(by: { $0.value.lastUse < $1.value.lastUse }),
          now - oldest.value.lastUse > Self.idleBeforeEviction
        else { return nil }
        state.sessions.removeValue(forKey: oldest.key)
      }
      var chance = Chance()
      var id = Int32.random(in: 1 ... .max, using: &chance)
      while state.sessions[id] != nil { id = Int32.random(in: 1 ... .max, using: &chance) }
      let session = FetchSession(id: id, items: items, byID: byID)
      state.sessions[id] = (session, now)
      return session
    }
  }

  func close(_ id: Int32) { state.withLock { _ = $0.sessions.removeValue(forKey: id) } }

  var count: Int { state.withLock { $0.sessions.count } }
}
