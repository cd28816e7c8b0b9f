import Coordination
import Testing
import Vocabulary

/// KIP-345 and KIP-814: members with an instance id come back without a rebalance.
@Suite struct StaticMemberTests {
  let a = InstanceID("a")
  let b = InstanceID("b")

  @Test func aStaticMemberNeedsNoSecondJoinForItsID() {
    let bench = Bench()
    let token = bench.join(instance: a, unknown: .mustRejoinWithItsID)
    bench.pass(.seconds(3))
    #expect(bench.joined(token)?.error == ErrorCode.none)
    #expect(bench.joined(token)?.member.text.hasPrefix("a-") == true)
  }

  @Test func aRestartedFollowerKeepsItsAssignmentWithoutARebalance() throws {
    let bench = Bench()
    let all = bench.stableGroup(of: 2, instances: [a, b])
    let old = all.followers[0]
    let index = try #require(all.ids.firstIndex(of: old))
    let answer = try #require(bench.joined(bench.join(instance: index == 0 ? a : b)))
    #expect(answer.error == ErrorCode.none)
    #expect(answer.generation == all.generation)
    #expect(answer.member != old)
    #expect(answer.duty == .assign)
    #expect(bench.state == .stable)
    #expect(bench.synced(bench.sync(answer.member, all.generation))?.assignment == [UInt8(index)])
  }

  @Test func aRestartedLeaderIsToldToKeepTheAssignment() throws {
    let bench = Bench()
    let all = bench.stableGroup(of: 2, instances: [a, b])
    let instance = all.ids[0] == all.leader ? a : b
    let answer = try #require(bench.joined(bench.join(instance: instance, skipping: .supported)))
    #expect(answer.leader == answer.member)
    #expect(answer.duty == .skipAssignment)
    #expect(answer.members.count == 2)
    #expect(bench.state == .stable)
  }

  @Test func anOlderLeaderIsMadeToBelieveItFollows() throws {
    let bench = Bench()
    let all = bench.stableGroup(of: 2, instances: [a, b])
    let instance = all.ids[0] == all.leader ? a : b
    let answer = try #require(bench.joined(bench.join(instance: instance, skipping: .unsupported)))
    #expect(answer.leader == all.leader)
    #expect(answer.leader != answer.member)
    #expect(answer.members.isEmpty)
  }

  @Test func theReplacementIsWrittenBeforeItIsTold() throws {
    let bench = Bench()
    _ = bench.stableGroup(of: 1, instances: [a])
    let count = bench.log.count
    let answer = try #require(bench.joined(bench.join(instance: a)))
    guard case .classicGroup(_, let record?) = bench.log.last?.record else {
      Issue.record("the replacement is not written")
      return
    }
    #expect(bench.log.count == count + 1)
    #expect(record.members.map(\.member) == [answer.member])
    #expect(record.leader == answer.member)
  }

  @Test func aRestartThatChangesTheProtocolStartsARebalance() {
    let bench = Bench()
    let both = [MemberProtocol(name: "range", metadata: [1]), MemberProtocol(name: "sticky", metadata: [1])]
    let all = bench.stableGroup(of: 2, instances: [a, b], protocols: both)
    let sticky = [MemberProtocol(name: "sticky", metadata: [1])]
    let token = bench.join(instance: all.ids[0] == all.leader ? b : a, protocols: sticky)
    #expect(bench.joined(token) == nil)
    #expect(bench.state == .preparingRebalance)
  }

  @Test func theOldIDOfAnInstanceIsFenced() {
    let bench = Bench()
    let all = bench.stableGroup(of: 1, instances: [a])
    _ = bench.join(instance: a)
    let old = all.leader
    #expect(bench.heartbeat(old, all.generation, instance: a) == .fencedInstanceId)
    #expect(bench.synced(bench.sync(old, all.generation, instance: a))?.error == .fencedInstanceId)
    #expect(bench.joined(bench.join(old, instance: a))?.error == .fencedInstanceId)
    #expect(bench.commit(5, member: old, generation: 1, instance: a) == .fencedInstanceId)
    #expect(bench.leave([LeaveRequest.Leaver(member: old, instance: a)])?.members.first?.error == .fencedInstanceId)
    #expect(bench.heartbeat(old, all.generation) == .unknownMemberId)
  }

  @Test func whoeverWaitsUnderTheOldIDIsFenced() throws {
    let bench = Bench()
    let all = bench.stableGroup(of: 2, instances: [a, b])
    let waiting = bench.join(all.ids[0], instance: a, protocols: [MemberProtocol(name: "range", metadata: [5])])
    #expect(bench.joined(waiting) == nil)
    let replacement = bench.join(instance: a)
    #expect(bench.joined(waiting)?.error == .fencedInstanceId)
    _ = bench.join(all.ids[1], instance: b)
    #expect(bench.joined(replacement)?.error == ErrorCode.none)
  }

  @Test func aReplacementDuringTheSyncPhaseStartsOverAndFencesTheOldSync() {
    let bench = Bench()
    let tokens = [bench.join(instance: a), bench.join(instance: b)]
    bench.pass(.seconds(9))
    let answers = tokens.compactMap { bench.joined($0) }
    let follower = answers.first { $0.member != $0.leader }
    let waiting = bench.sync(follower?.member ?? .unknown, Generation(1))
    let replacement = bench.join(instance: follower?.member == answers[0].member ? a : b)
    #expect(bench.synced(waiting)?.error == .fencedInstanceId)
    #expect(bench.joined(replacement) == nil)
    #expect(bench.state == .preparingRebalance)
  }

  @Test func aStaticMemberThatIsAwayStaysThroughARebalanceUntilItsSessionEnds() {
    let bench = Bench()
    let all = bench.stableGroup(of: 2, instances: [a, nil], session: .seconds(60), rebalance: .seconds(10))
    let away = all.ids[0]
    let rejoined = bench.join(
      all.ids[1], session: .seconds(60), rebalance: .seconds(10),
      protocols: [
        MemberProtocol(name: "range", metadata: [8])
      ])
    bench.pass(.seconds(10))
    let answer = bench.joined(rejoined)
    #expect(answer?.leader == all.ids[1])
    #expect(answer?.members.map(\.member).sorted() == [away, all.ids[1]].sorted())
  }

  @Test func aMemberThatComesBackLateUnderItsInstanceIsReplacedEvenWhileOthersGather() {
    let bench = Bench()
    let all = bench.stableGroup(of: 2, instances: [a, b])
    let first = bench.join(all.ids[1], instance: b, protocols: [MemberProtocol(name: "range", metadata: [8])])
    let second = bench.join(instance: a)
    #expect(bench.joined(first)?.error == ErrorCode.none)
    #expect(bench.joined(second)?.error == ErrorCode.none)
    #expect(bench.joined(first)?.generation == all.generation.followed)
  }
}
