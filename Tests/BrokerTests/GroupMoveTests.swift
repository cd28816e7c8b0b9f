import Coordination
import KafkaProtocol
import LogStorage
import Replication
import Testing
import Vocabulary

@testable import Broker

/// Groups go where their partition is led.
@Suite(.serialized) struct GroupMoveTests {
  private enum Told: Sendable {
    case answer(GroupAnswer)
    case refused(ErrorCode)

    var refusal: ErrorCode? { if case .refused(let code) = self { code } else { nil } }
  }

  private func commit(_ offset: Int64, _ groups: Groups) throws -> Told {
    let topic = try #require(TopicName("orders"))
    let request = CommitRequest(
      group: GroupID("g"), committer: Committer(member: .unknown, generationOrEpoch: -1, knows: .classicGroupsOnly),
      topics: [OfTopic(topic, [.init(partition: PartitionIndex(0), offset: Offset(offset), metadata: "")])])
    return try ask(groups) { coordinator, token, now, effects in
      coordinator.commit(request, token, at: now, into: &effects)
    }
  }

  private func committed(_ groups: Groups) throws -> Int64? {
    let request = FetchOffsetsRequest(groups: [.init(GroupID("g"), topics: nil)], stability: .notRequired)
    let told = try ask(groups) { coordinator, token, _, effects in
      coordinator.fetchOffsets(request, token, into: &effects)
    }
    guard case .answer(.fetchOffsets(let found)) = told else { return nil }
    return found.first?.topics.first?.partitions.first?.offset.value
  }

  /// Asks again while the coordinator is reading its log.
  private func ask(_ groups: Groups, _ ask: GroupShard.Ask) throws -> Told {
    while true {
      let events = Events<Told>()
      groups.ask("g", ask, answer: { events.add(.answer($0)) }, refused: { events.add(.refused($0)) })
      let told = try events.next()
      if told.refusal != .coordinatorLoadInProgress { return told }
    }
  }

  @Test func whatWasCommittedIsThereWithTheNextCoordinator() throws {
    let rig = try ClusterRig()
    try rig.create("__consumer_offsets", replicas: [1, 2, 3], ["cleanup.policy": "compact"])
    let (first, second) = (try rig.node(1), try rig.node(2))
    for offset in Int64(1)...5 { #expect(try commit(offset, first.groups).refusal == nil) }
    #expect(try commit(9, second.groups).refusal == .notCoordinator)
    #expect(try committed(first.groups) == 5)
    try rig.elect(2)
    #expect(try commit(6, first.groups).refusal == .notCoordinator)
    #expect(try committed(second.groups) == 5)
    #expect(try commit(7, second.groups).refusal == nil)
    try rig.elect(1)
    #expect(try committed(first.groups) == 7)
    #expect(try committed(second.groups) == nil)
  }

  @Test func whoWaitsForACopyIsToldWhenTheCoordinatorMoves() throws {
    let rig = try ClusterRig(["replica.lag.time.max.ms": "60000"])
    try rig.create("__consumer_offsets", replicas: [1, 2], ["cleanup.policy": "compact"])
    let first = try rig.node(1)
    #expect(try commit(1, first.groups).refusal == nil)
    try rig.node(2).replication.fetchers.stop()
    let told = Events<Told>()
    let topic = try #require(TopicName("orders"))
    let request = CommitRequest(
      group: GroupID("g"), committer: Committer(member: .unknown, generationOrEpoch: -1, knows: .classicGroupsOnly),
      topics: [OfTopic(topic, [.init(partition: PartitionIndex(0), offset: Offset(2), metadata: "")])])
    first.groups.ask("g") { coordinator, token, now, effects in
      coordinator.commit(request, token, at: now, into: &effects)
    } answer: {
      told.add(.answer($0))
    } refused: {
      told.add(.refused($0))
    }
    try rig.elect(2)
    #expect(try told.next().refusal == .notCoordinator)
  }

  /// A shard of an earlier term has decided on what it knew then.
  @Test func aRecordOfAnEarlierTermIsNotAppended() throws {
    let workshop = try Workshop()
    let partition = try workshop.partition("__consumer_offsets")
    partition.lead(in: LeaderEpoch(3))
    let outcomes = Events<AppendOutcome>()
    for epoch: Int32 in [2, 3, 4] {
      var bytes = batch(["x"])
      bytes.withUnsafeMutableBytes {
        partition.append(
          $0, origin: .coordinator, acks: .allInSync, inEpoch: LeaderEpoch(epoch), now: Timestamp(milliseconds: 1)
        ) { outcomes.add($0) }
      }
    }
    #expect(try outcomes.next().refusal == .notLeaderOrFollower)
    #expect(try outcomes.next().isKept)
    #expect(try outcomes.next().refusal == .notLeaderOrFollower)
    #expect(partition.log.endOffset == Offset(1))
  }
}
