import KafkaProtocol
import Replication
import Vocabulary

/// A partition, as a Fetch that copies names it.
struct CopyKey: Hashable, Sendable {
  let topic: UniqueID
  let partition: Int32

  init(topic: UniqueID, partition: Int32) {
    self.topic = topic
    self.partition = partition
  }
  init(_ partition: Partition) {
    self.init(topic: partition.topicID, partition: partition.name.partition.value)
  }
}

/// What a broker that we copy from remembers of our Fetches, so that each says only what has changed since the last one
/// (KIP-227).
struct CopySession: Sendable {
  /// What is asked for of one partition. An order that asks for the same again need not be sent.
  struct Place: Hashable, Sendable {
    let leaderEpoch: LeaderEpoch
    let offset: Offset
    let lastEpoch: LeaderEpoch
    let logStart: Offset
    init(leaderEpoch: LeaderEpoch, offset: Offset, lastEpoch: LeaderEpoch, logStart: Offset) {
      self.leaderEpoch = leaderEpoch
      self.offset = offset
      self.lastEpoch = lastEpoch
      self.logStart = logStart
    }
    init(_ ask: Replication.FetchRequest) {
      leaderEpoch = ask.leaderEpoch
      offset = ask.offset
      lastEpoch = ask.lastEpoch
      logStart = ask.logStart
    }
  }

  private enum Phase {
    /// The next request names everything and asks for a session.
    case new
    case open(id: Int32, nextEpoch: Int32)
  }
  private var phase = Phase.new
  /// As the leader has them.
  private(set) var places: [CopyKey: Place] = [:]
  /// What may differ from that by now.
  private var changed: Set<CopyKey> = []

  mutating func changed(_ key: CopyKey) { changed.insert(key) }

  mutating func reset() { self = CopySession() }

  /// The next request: what has changed, or everything. It holds what no limit and no time depends on.
  mutating func request(for orders: [CopyKey: FetchOrder], partitionMaxBytes: Int32) -> KafkaProtocol.FetchRequest {
    request(among: orders.keys, partitionMaxBytes) { orders[$0].map { Place($0.ask) } }
  }

  /// The same for who looks at everything each time.
  mutating func request(for wanted: [CopyKey: Place], partitionMaxBytes: Int32) -> KafkaProtocol.FetchRequest {
    changed.formUnion(wanted.keys)
    changed.formUnion(places.keys)
    return request(among: wanted.keys, partitionMaxBytes) { wanted[$0] }
  }

  private mutating func request(
    among wanted: some Collection<CopyKey>, _ partitionMaxBytes: Int32, _ place: (CopyKey) -> Place?
  ) -> KafkaProtocol.FetchRequest {
    var request = KafkaProtocol.FetchRequest()
    var asked: [UniqueID: [KafkaProtocol.FetchRequest.Partition]] = [:]
    var forgotten: [UniqueID: [Int32]] = [:]
    let keys: any Collection<CopyKey>
    switch phase {
    case .new:
      request.sessionID = 0
      request.sessionEpoch = 0
      places = [:]
      keys = wanted
    case .open(let id, let epoch):
      request.sessionID = id
      request.sessionEpoch = epoch
      keys = changed
    }
    for key in keys {
      if let place = place(key) {
        guard places[key] != place else { continue }
        places[key] = place
        asked[key.topic, default: []].append(Self.ask(place, key.partition, partitionMaxBytes))
      } else if places.removeValue(forKey: key) != nil {
        forgotten[key.topic, default: []].append(key.partition)
      }
    }
    changed = []
    request.topics = asked.sorted { $0.key < $1.key }.map { id, partitions in
      var topic = KafkaProtocol.FetchRequest.Topic()
      topic.topicID = id
      topic.partitions = partitions.sorted { $0.partition < $1.partition }
      return topic
    }
    request.forgottenTopicsData = forgotten.sorted { $0.key < $1.key }.map { id, partitions in
      var topic = KafkaProtocol.FetchRequest.ForgottenTopic()
      topic.topicID = id
      topic.partitions = partitions.sorted()
      return topic
    }
    return request
  }

  private static func ask(
    _ place: Place, _ partition: Int32, _ maxBytes: Int32
  ) -> KafkaProtocol.FetchRequest.Partition {
    var ask = KafkaProtocol.FetchRequest.Partition()
    ask.partition = partition
    ask.currentLeaderEpoch = place.leaderEpoch.value
    ask.fetchOffset = place.offset.value
    ask.lastFetchedEpoch = place.lastEpoch.value
    ask.logStartOffset = place.logStart.value
    ask.partitionMaxBytes = maxBytes
    return ask
  }

  /// The request was answered without an error. Without a session the next request names everything again.
  mutating func answered(sessionID: Int32) {
    guard sessionID != 0 else { return reset() }
    if case .open(let id, let epoch) = phase, id == sessionID {
      phase = .open(id: id, nextEpoch: epoch == .max ? 1 : epoch + 1)
    } else {
      phase = .open(id: sessionID, nextEpoch: 1)
    }
  }
}
