import EventLoop
import KafkaProtocol
public import Vocabulary

/// Reads a topic as a member of a consumer group (KIP-848): the coordinator says which partitions are its own. It
/// belongs to one task, which polls more often than `rebalanceSpan`: a poll is also what keeps the membership alive.
///
/// What was handed out is committed only after `finished` said that it was dealt with: at least once.
public final class GroupReader {
  /// How long the member may take to give partitions back.
  public static let rebalanceSpan = TimeSpan.seconds(45)
  /// How often what is finished is committed.
  public static let commitInterval = TimeSpan.seconds(5)

  private let client: ClusterClient
  private let topic: TopicName
  private let reset: OffsetReset
  private let reader: PartitionReader
  private var membership: Membership
  private var nextHeartbeat = Instant(nanoseconds: 0)
  private var nextCommit: Instant
  private var finishedOffsets: [TopicPartition: Offset] = [:]
  /// What the member reads now.
  public var partitions: [TopicPartition] { reader.positions.keys.sorted() }

  /// `reset` says where to begin in partitions that the group has not committed.
  public init(
    _ client: ClusterClient, group: String, topic: TopicName, reset: OffsetReset,
    _ settings: ReaderSettings = ReaderSettings()
  ) {
    var random = SystemRandomNumberGenerator()
    let id = UniqueID(high: random.next(), low: random.next())
    self.client = client
    self.topic = topic
    self.reset = reset
    var settings = settings
    settings.reset = reset
    reader = PartitionReader(client, from: [:], settings)
    membership = Membership(group: group, id: "\(id)", topic: topic, rebalanceSpan: Self.rebalanceSpan)
    nextCommit = monotonicNow() + Self.commitInterval
  }

  /// The next records of the member's partitions, none when there were none for `ReaderSettings.waitMax`.
  public func poll() async throws(ClientError) -> [FetchedRecords] {
    if monotonicNow() >= nextHeartbeat { try await beat() }
    if monotonicNow() >= nextCommit { try await commit() }
    guard !reader.positions.isEmpty else {
      // Nothing is assigned yet, or there are more members than partitions.
      await client.pause(.milliseconds(100))
      return []
    }
    return try await reader.poll()
  }

  /// Everything of the partition below `next` was dealt with.
  public func finished(_ partition: TopicPartition, upTo next: Offset) {
    if reader.positions[partition] != nil { finishedOffsets[partition] = next }
  }

  /// Commits what is finished, and leaves the group, so that others take the partitions over at once.
  public func leave() async throws(ClientError) {
    try await commit()
    let group = membership.group
    _ = try await client.call(membership.leaving, to: .coordinator(group: group)) { response in
      response.errorCode == .unknownMemberId ? nil : PartialRefusal("group \(group)", response.errorCode)
    }
  }

  private func beat() async throws(ClientError) {
    let group = membership.group
    let reply = try await client.call(membership.heartbeat, to: .coordinator(group: group)) { response in
      switch response.errorCode {
      // The membership itself deals with these.
      case .fencedMemberEpoch, .unknownMemberId: nil
      case let code: PartialRefusal("group \(group)", code, response.errorMessage)
      }
    }
    switch membership.learn(reply.response) {
    case .none: break
    case .lost:
      reader.positions = [:]
      finishedOffsets = [:]
    case .assigned(let places): try await adopt(places)
    }
    nextHeartbeat = monotonicNow() + membership.interval
  }

  /// Gives up what is no longer the member's, after a commit, and takes the rest up where the group left off.
  private func adopt(_ places: Set<Membership.Place>) async throws(ClientError) {
    let id = try await client.topic(topic).id
    let wanted = Set(
      places.filter { $0.topic == id }.map { TopicPartition(topic, PartitionIndex($0.partition)) })
    try await commit()
    for partition in reader.positions.keys where !wanted.contains(partition) { reader.positions[partition] = nil }
    finishedOffsets = finishedOffsets.filter { wanted.contains($0.key) }
    let new = wanted.filter { reader.positions[$0] == nil }.sorted()
    guard !new.isEmpty else { return }
    let committed = try await client.committedOffsets(of: membership.group)
    for partition in new {
      if let found = committed.first(where: { $0.partition == partition }) {
        reader.positions[partition] = found.offset
      } else {
        reader.positions[partition] = try await client.offset(
          of: partition, at: reset == .latest ? .latest : .earliest)
      }
    }
  }

  private func commit() async throws(ClientError) {
    nextCommit = monotonicNow() + Self.commitInterval
    guard !finishedOffsets.isEmpty else { return }
    do throws(ClientError) {
      try await client.commit(
        finishedOffsets, for: membership.group, member: membership.id, generation: membership.epoch)
      finishedOffsets = [:]
    } catch {
      switch error.code {
      // The next heartbeat brings the new epoch, or says that the membership is lost; what is not committed by then
      // is read again by whoever has the partition.
      case .staleMemberEpoch, .fencedMemberEpoch, .unknownMemberId: nextHeartbeat = Instant(nanoseconds: 0)
      default: throw error
      }
    }
  }
}
