import Coordination
import Testing
import Vocabulary

@Suite struct ClassicSyncTests {
  private func gathered(_ bench: Bench, _ count: Int) -> Bench.Generations {
    let tokens = (0..<count).map { _ in bench.join() }
    bench.pass(.seconds(9))
    let answers = tokens.compactMap { bench.joined($0) }
    return Bench.Generations(
      ids: answers.map(\.member), leader: answers[0].leader, generation: answers[0].generation)
  }

  @Test func followersWaitForTheLeadersAssignment() {
    let bench = Bench()
    let all = gathered(bench, 2)
    let follower = bench.sync(all.followers[0], all.generation)
    #expect(bench.synced(follower) == nil)
    let leader = bench.sync(all.leader, all.generation, assignments: [all.leader: [1], all.followers[0]: [2]])
    #expect(bench.synced(leader)?.assignment == [1])
    #expect(bench.synced(follower)?.assignment == [2])
    #expect(bench.synced(follower)?.protocolName == "range")
    #expect(bench.state == .stable)
  }

  @Test func theAssignmentIsWrittenBeforeAnyoneLearnsIt() throws {
    let bench = Bench()
    let all = gathered(bench, 2)
    let follower = bench.sync(all.followers[0], all.generation)
    let start = bench.history.count
    let leader = bench.sync(all.leader, all.generation, assignments: [all.leader: [1]])
    guard case .append(let records, .coordinator) = bench.history[start] else {
      Issue.record("the first effect is no append")
      return
    }
    guard case .classicGroup(Bench.group, let record?) = records.first else {
      Issue.record("the group is not written")
      return
    }
    #expect(record.members.first { $0.member == all.leader }?.assignment == [1])
    #expect(record.members.first { $0.member == all.followers[0] }?.assignment == [])
    for token in [follower, leader] {
      #expect(bench.history[(start + 1)...].contains { if case .answer(token, _) = $0 { true } else { false } })
    }
  }

  @Test func aStableGroupAnswersSyncAtOnce() {
    let bench = Bench()
    let all = bench.stableGroup(of: 2)
    #expect(bench.synced(bench.sync(all.ids[1], all.generation))?.assignment == [1])
  }

  @Test func syncIsRefusedForTheWrongGenerationMemberOrProtocol() {
    let bench = Bench()
    let all = bench.stableGroup(of: 1)
    #expect(bench.synced(bench.sync(all.leader, Generation(7)))?.error == .illegalGeneration)
    #expect(bench.synced(bench.sync(MemberID("x"), all.generation))?.error == .unknownMemberId)
    #expect(
      bench.synced(bench.sync(all.leader, all.generation, protocolName: "other"))?.error == .inconsistentGroupProtocol)
    #expect(bench.synced(bench.sync(all.leader, all.generation, group: GroupID("no")))?.error == .unknownMemberId)
  }

  @Test func syncDuringTheJoinPhaseSaysThatARebalanceIsInProgress() {
    let bench = Bench()
    let all = bench.stableGroup(of: 2)
    _ = bench.join(all.leader)
    #expect(bench.synced(bench.sync(all.followers[0], all.generation))?.error == .rebalanceInProgress)
  }

  @Test func aRebalanceSendsThoseWhoWaitForTheirAssignmentBackToJoin() {
    let bench = Bench()
    let all = gathered(bench, 2)
    let follower = bench.sync(all.followers[0], all.generation)
    _ = bench.join()
    #expect(bench.synced(follower)?.error == .rebalanceInProgress)
    #expect(bench.state == .preparingRebalance)
  }

  @Test func membersThatNeverSyncAreOutAfterTheRebalanceTimeout() {
    let bench = Bench()
    let all = gathered(bench, 2)
    let leader = bench.sync(all.leader, all.generation, assignments: [:])
    #expect(bench.synced(leader)?.error == ErrorCode.none)
    for _ in 0..<12 {
      bench.pass(.seconds(5))
      for member in all.ids { bench.heartbeat(member, all.generation) }
    }
    #expect(bench.state == .preparingRebalance)
    #expect(bench.heartbeat(all.followers[0], all.generation) == .unknownMemberId)
    #expect(bench.heartbeat(all.leader, all.generation) == .rebalanceInProgress)
  }

  @Test func aLeaderThatNeverSyncsIsReplaced() {
    let bench = Bench()
    let all = gathered(bench, 2)
    let follower = bench.sync(all.followers[0], all.generation)
    for _ in 0..<12 {
      bench.pass(.seconds(5))
      bench.heartbeat(all.leader, all.generation)
    }
    #expect(bench.synced(follower)?.error == .rebalanceInProgress)
    let again = bench.join(all.followers[0])
    #expect(bench.joined(again)?.leader == all.followers[0])
  }

  @Test func heartbeatsTellWhatAMemberMustDo() {
    let bench = Bench()
    let all = bench.stableGroup(of: 2)
    #expect(bench.heartbeat(all.leader, all.generation) == ErrorCode.none)
    #expect(bench.heartbeat(all.leader, Generation(9)) == .illegalGeneration)
    #expect(bench.heartbeat(MemberID("x"), all.generation) == .unknownMemberId)
    #expect(bench.heartbeat(all.leader, all.generation, group: GroupID("no")) == .unknownMemberId)
    _ = bench.join(all.leader)
    #expect(bench.heartbeat(all.followers[0], all.generation) == .rebalanceInProgress)
  }

  @Test func aSilentMemberIsOutAfterItsSession() {
    let bench = Bench()
    let all = bench.stableGroup(of: 2, session: .seconds(10))
    for _ in 0..<3 {
      bench.pass(.seconds(3))
      bench.heartbeat(all.leader, all.generation)
    }
    #expect(bench.state == .stable)
    bench.pass(.seconds(3))
    #expect(bench.state == .preparingRebalance)
    #expect(bench.heartbeat(all.followers[0], all.generation) == .unknownMemberId)
    let rejoined = bench.join(all.leader)
    #expect(bench.joined(rejoined)?.generation == all.generation.followed)
  }

  @Test func aMemberThatWaitsForOthersNeedsNoHeartbeat() {
    let bench = Bench()
    let all = bench.stableGroup(of: 2, session: .seconds(10), rebalance: .seconds(60))
    let leader = bench.join(all.leader)
    for _ in 0..<10 {
      bench.pass(.seconds(5))
      bench.heartbeat(all.followers[0], all.generation)
    }
    #expect(bench.joined(leader) == nil)
    _ = bench.join(all.followers[0])
    #expect(bench.joined(leader)?.error == ErrorCode.none)
  }

  @Test func theLastToLeaveLeavesAnEmptyGroupBehind() {
    let bench = Bench()
    let all = bench.stableGroup(of: 1)
    let answer = bench.leave([LeaveRequest.Leaver(member: all.leader)])
    #expect(answer?.members.map(\.error) == [ErrorCode.none])
    #expect(bench.state == .empty)
    guard case .classicGroup(_, let record?) = bench.log.last?.record else {
      Issue.record("the empty group is not written")
      return
    }
    #expect(record.members.isEmpty)
    #expect(record.generation == all.generation.followed)
  }

  @Test func leavingStartsARebalanceOfTheOthers() {
    let bench = Bench()
    let all = bench.stableGroup(of: 3)
    bench.leave([LeaveRequest.Leaver(member: all.followers[0])])
    #expect(bench.state == .preparingRebalance)
    #expect(bench.heartbeat(all.followers[1], all.generation) == .rebalanceInProgress)
  }

  @Test func everyMemberThatIsToLeaveHasItsOwnError() {
    let bench = Bench()
    let all = bench.stableGroup(of: 2, instances: [InstanceID("a"), InstanceID("b")])
    let answer = bench.leave([
      LeaveRequest.Leaver(member: .unknown, instance: InstanceID("a")),
      LeaveRequest.Leaver(member: MemberID("x"), instance: InstanceID("b")),
      LeaveRequest.Leaver(member: MemberID("y")),
      LeaveRequest.Leaver(member: .unknown, instance: InstanceID("z")),
      LeaveRequest.Leaver(member: all.ids[1], instance: InstanceID("b")),
    ])
    #expect(
      answer?.members.map(\.error) == [
        ErrorCode.none, .fencedInstanceId, .unknownMemberId, .unknownMemberId, ErrorCode.none,
      ])
    #expect(bench.state == .empty)
    #expect(bench.leave([], group: GroupID("no"))?.error == .unknownMemberId)
  }

  @Test func anIDThatWasGivenOutMayLeaveWithoutDisturbingAnyone() throws {
    let bench = Bench()
    _ = bench.stableGroup(of: 1)
    let given = try #require(bench.joined(bench.join(unknown: .mustRejoinWithItsID)))
    #expect(bench.leave([LeaveRequest.Leaver(member: given.member)])?.members.first?.error == ErrorCode.none)
    #expect(bench.state == .stable)
    #expect(bench.joined(bench.join(given.member))?.error == .unknownMemberId)
  }

  @Test func everyoneWhoWaitsIsAnsweredWhenTheCoordinatorMovesAway() {
    let bench = Bench()
    let all = bench.stableGroup(of: 2)
    let join = bench.join(all.leader)
    let initial = bench.join(group: GroupID("second"))
    bench.reload()
    #expect(bench.joined(join)?.error == .notCoordinator)
    #expect(bench.joined(initial)?.error == .notCoordinator)
  }

  @Test func anAssignmentThatIsTooLargeToBeKeptIsToldToNobody() {
    let bench = Bench()
    let all = gathered(bench, 2)
    let follower = bench.sync(all.followers[0], all.generation)
    let huge = [UInt8](repeating: 1, count: 2_000_000)
    let leader = bench.sync(all.leader, all.generation, assignments: [all.followers[0]: huge])
    #expect(bench.synced(follower)?.error == .unknownServerError)
    #expect(bench.synced(leader)?.error == .unknownServerError)
    #expect(bench.state == .preparingRebalance)
    #expect(bench.log.count == 1)
  }

  @Test func whenAnAppendFailsNobodyIsToldOfIt() {
    let bench = Bench()
    let all = gathered(bench, 2)
    let follower = bench.sync(all.followers[0], all.generation)
    bench.failsNextAppend = true
    let leader = bench.sync(all.leader, all.generation, assignments: [all.leader: [1]])
    #expect(bench.synced(follower)?.error == .notCoordinator)
    #expect(bench.synced(leader)?.error == .notCoordinator)
    #expect(bench.synced(leader)?.assignment == [])
    bench.failsNextAppend = true
    #expect(bench.commit(1, group: GroupID("simple")) == .notCoordinator)
    #expect(bench.fetch(group: GroupID("simple"))?.offset == Offset.none)
  }
}

extension Generation {
  var followed: Generation { Generation(value + 1) }
}
