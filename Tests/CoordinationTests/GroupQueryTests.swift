import Coordination
import Testing
import Vocabulary

@Suite struct GroupQueryTests {
  @Test func aGroupThatDoesNotExistIsDescribedAsDeadWithoutAnError() {
    let bench = Bench()
    #expect(bench.describe(GroupID("none"))?.state == .dead)
    #expect(bench.describe(GroupID("none"))?.error == ErrorCode.none)
    #expect(bench.describe(GroupID(""))?.error == .invalidGroupId)
  }

  @Test func aStableGroupIsDescribedWithItsProtocolAndItsMembersInOrder() {
    let bench = Bench()
    let all = bench.stableGroup(of: 3)
    let description = bench.describe()
    #expect(description?.state == .stable)
    #expect(description?.protocolType == "consumer")
    #expect(description?.protocolName == "range")
    #expect(description?.members.map(\.member) == all.ids.sorted())
    #expect(description?.members.allSatisfy { $0.metadata == [1] && $0.client.id == "c" } == true)
  }

  @Test func theStatesHaveKafkasNames() {
    let bench = Bench()
    _ = bench.commit(1)
    #expect(bench.state?.rawValue == "Empty")
    let token = bench.join()
    #expect(bench.state?.rawValue == "PreparingRebalance")
    bench.pass(.seconds(3))
    #expect(bench.state?.rawValue == "CompletingRebalance")
    let answer = bench.joined(token)
    _ = bench.sync(answer?.member ?? .unknown, Generation(1))
    #expect(bench.state?.rawValue == "Stable")
  }

  @Test func listsAreOrderedAndFilteredWithoutRegardToCase() {
    let bench = Bench()
    _ = bench.commit(1, group: GroupID("b"))
    _ = bench.commit(1, group: GroupID("a"))
    _ = bench.stableGroup(of: 1, group: GroupID("c"))
    #expect(bench.list().map(\.group.text) == ["a", "b", "c"])
    #expect(bench.list(ListFilter(states: ["STABLE"])).map(\.group.text) == ["c"])
    #expect(bench.list(ListFilter(states: ["empty", "Stable"])).count == 3)
    #expect(bench.list(ListFilter(states: ["nonsense"])).isEmpty)
    #expect(bench.list(ListFilter(types: ["Classic"])).count == 3)
    #expect(bench.list(ListFilter(types: ["consumer"])).isEmpty)
    #expect(bench.list().last?.protocolType == "consumer")
    #expect(bench.list().first?.protocolType == "")
  }

  @Test func aReloadedCoordinatorKnowsTheGroupsAndGivesTheirMembersTime() {
    let bench = Bench()
    let all = bench.stableGroup(of: 2, session: .seconds(10))
    _ = bench.commit(4, member: all.leader, generation: all.generation.value)
    let before = bench.describe()
    bench.pass(.seconds(9))
    bench.reload()
    #expect(bench.describe() == before)
    #expect(bench.fetch()?.offset == Offset(4))
    bench.pass(.seconds(9))
    #expect(bench.heartbeat(all.leader, all.generation) == ErrorCode.none)
    #expect(bench.synced(bench.sync(all.ids[1], all.generation))?.assignment == [1])
    bench.pass(.seconds(2))
    #expect(bench.heartbeat(all.followers[0], all.generation) == .unknownMemberId)
  }

  @Test func aRoundThatAReloadInterruptsStartsAgain() {
    let bench = Bench()
    let all = bench.stableGroup(of: 2)
    _ = bench.join(all.leader)
    _ = bench.join(all.followers[0])
    #expect(bench.state == .completingRebalance)
    bench.reload()
    #expect(bench.state == .stable)
    #expect(bench.heartbeat(all.leader, all.generation.followed) == .illegalGeneration)
    let tokens = [
      bench.join(all.leader),
      bench.join(
        all.followers[0],
        protocols: [
          MemberProtocol(name: "range", metadata: [2])
        ]),
    ]
    #expect(tokens.map { bench.joined($0)?.generation } == [all.generation.followed, all.generation.followed])
  }

  @Test func aReloadedGroupThatIsTooLargeIsGatheredAnew() {
    let bench = Bench()
    _ = bench.stableGroup(of: 3)
    var settings = GroupSettings()
    settings.classicMembersMax = 2
    var coordinator = GroupCoordinator(settings: settings)
    for (record, writer) in bench.log { coordinator.replay(record, by: writer) }
    var effects: [GroupEffect] = []
    coordinator.loaded(at: bench.moment, into: &effects)
    coordinator.list(ListFilter(), Token(1), into: &effects)
    guard case .answer(_, .list(let groups)) = effects.last else { return }
    #expect(groups.map(\.state) == [.preparingRebalance])
  }
}
