import Coordination
import Testing
import Vocabulary

@Suite struct ClassicJoinTests {
  @Test func aDynamicMemberWithoutAnIDIsGivenOneAndMustJoinWithIt() throws {
    let bench = Bench()
    let first = try #require(bench.joined(bench.join(unknown: .mustRejoinWithItsID)))
    #expect(first.error == .memberIdRequired)
    #expect(first.member.text.hasPrefix("c-"))
    #expect(bench.state == .empty)
    let second = bench.join(first.member, unknown: .mustRejoinWithItsID)
    bench.pass(.seconds(3))
    #expect(bench.joined(second)?.error == ErrorCode.none)
    #expect(bench.joined(second)?.member == first.member)
  }

  @Test func anIDThatIsNotUsedInTimeIsForgotten() throws {
    let bench = Bench()
    let given = try #require(bench.joined(bench.join(session: .seconds(10), unknown: .mustRejoinWithItsID)))
    bench.pass(.seconds(11))
    #expect(bench.joined(bench.join(given.member))?.error == .unknownMemberId)
  }

  @Test func aGroupThatIsBeingGatheredWaitsForThoseWhoWereGivenAnID() throws {
    let bench = Bench()
    let stable = bench.stableGroup(of: 1)
    let given = try #require(bench.joined(bench.join(unknown: .mustRejoinWithItsID)))
    let leader = bench.join(stable.leader)
    #expect(bench.joined(leader) == nil)
    let newcomer = bench.join(given.member)
    #expect(bench.joined(leader)?.members.count == 2)
    #expect(bench.joined(newcomer)?.generation == bench.joined(leader)?.generation)
  }

  @Test(arguments: [5999, 1_800_001] as [Int64])
  func aSessionTimeoutOutsideTheLimitsIsRefused(milliseconds: Int64) {
    let bench = Bench()
    #expect(bench.joined(bench.join(session: .milliseconds(milliseconds)))?.error == .invalidSessionTimeout)
  }

  @Test(arguments: [6000, 1_800_000] as [Int64])
  func aSessionTimeoutAtTheLimitsIsAccepted(milliseconds: Int64) {
    let bench = Bench()
    let token = bench.join(session: .milliseconds(milliseconds))
    bench.pass(.seconds(3))
    #expect(bench.joined(token)?.error == ErrorCode.none)
  }

  @Test func anEmptyGroupNameIsInvalid() {
    let bench = Bench()
    #expect(bench.joined(bench.join(group: GroupID("")))?.error == .invalidGroupId)
  }

  @Test func aMemberNobodyKnowsIsToldSo() {
    let bench = Bench()
    #expect(bench.joined(bench.join(MemberID("x")))?.error == .unknownMemberId)
    _ = bench.stableGroup(of: 1)
    #expect(bench.joined(bench.join(MemberID("x")))?.error == .unknownMemberId)
  }

  @Test func theFirstMemberWaitsForOthersAndLongerWhileTheyCome() {
    let bench = Bench()
    let first = bench.join(rebalance: .seconds(10))
    bench.pass(.seconds(2))
    let second = bench.join(rebalance: .seconds(10))
    bench.pass(.milliseconds(1500))
    #expect(bench.joined(first) == nil)
    let third = bench.join(rebalance: .seconds(10))
    bench.pass(.milliseconds(2500))
    #expect(bench.joined(first) == nil)
    bench.pass(.seconds(3))
    for token in [first, second, third] { #expect(bench.joined(token)?.generation == Generation(1)) }
  }

  @Test func theInitialDelayNeverExceedsTheRebalanceTimeout() {
    let bench = Bench()
    let first = bench.join(rebalance: .seconds(7))
    for _ in 0..<6 {
      bench.pass(.seconds(1))
      _ = bench.join(rebalance: .seconds(7))
    }
    bench.pass(.seconds(1))
    #expect(bench.joined(first)?.error == ErrorCode.none)
  }

  @Test func onlyTheLeaderLearnsTheMembers() throws {
    let bench = Bench()
    let tokens = (0..<3).map {
      bench.join(protocols: [MemberProtocol(name: "range", metadata: [UInt8($0)])])
    }
    bench.pass(.seconds(9))
    let answers = tokens.compactMap { bench.joined($0) }
    let leader = try #require(answers.first { $0.leader == $0.member })
    #expect(leader.members.map(\.member) == answers.map(\.member).sorted())
    #expect(Set(leader.members.map(\.metadata)) == [[0], [1], [2]])
    for follower in answers where follower.member != leader.member {
      #expect(follower.members.isEmpty)
      #expect(follower.leader == leader.member)
    }
  }

  @Test func theProtocolIsTheOneMostMembersPreferAmongThoseAllSupport() {
    let bench = Bench()
    func protocols(_ names: [String]) -> [MemberProtocol] { names.map { MemberProtocol(name: $0, metadata: []) } }
    let tokens = [["solo", "sticky", "range"], ["range", "sticky"], ["sticky", "range"]].map {
      bench.join(protocols: protocols($0))
    }
    bench.pass(.seconds(9))
    for token in tokens { #expect(bench.joined(token)?.protocolName == "sticky") }
  }

  @Test func aMemberWithoutACommonProtocolOrOfAnotherTypeIsRefused() {
    let bench = Bench()
    _ = bench.stableGroup(of: 2)
    let other = [MemberProtocol(name: "other", metadata: [])]
    #expect(bench.joined(bench.join(protocols: other))?.error == .inconsistentGroupProtocol)
    #expect(bench.joined(bench.join(type: "connect"))?.error == .inconsistentGroupProtocol)
    #expect(bench.state == .stable)
  }

  @Test func aFirstMemberWithoutProtocolsCreatesNothing() {
    let bench = Bench()
    #expect(bench.joined(bench.join(protocols: []))?.error == .inconsistentGroupProtocol)
    #expect(bench.joined(bench.join(type: ""))?.error == .inconsistentGroupProtocol)
    #expect(bench.list().isEmpty)
    #expect(bench.log.isEmpty)
  }

  @Test func aFollowerThatRejoinsUnchangedGetsItsGenerationAtOnce() throws {
    let bench = Bench()
    let stable = bench.stableGroup(of: 2)
    let answer = try #require(bench.joined(bench.join(stable.followers[0])))
    #expect(answer.generation == stable.generation)
    #expect(answer.leader == stable.leader)
    #expect(bench.state == .stable)
  }

  @Test func aFollowerThatRejoinsWithNewMetadataStartsARebalance() {
    let bench = Bench()
    let stable = bench.stableGroup(of: 2)
    let changed = bench.join(stable.followers[0], protocols: [MemberProtocol(name: "range", metadata: [9])])
    #expect(bench.state == .preparingRebalance)
    let leader = bench.join(stable.leader)
    #expect(bench.joined(changed)?.generation == Generation(2))
    #expect(bench.joined(leader)?.members.contains { $0.metadata == [9] } == true)
  }

  @Test func theLeaderStartsARebalanceByRejoining() {
    let bench = Bench()
    let stable = bench.stableGroup(of: 2)
    let token = bench.join(stable.leader)
    #expect(bench.joined(token) == nil)
    #expect(bench.state == .preparingRebalance)
  }

  @Test func membersThatDoNotRejoinInTimeAreOut() throws {
    let bench = Bench()
    let stable = bench.stableGroup(of: 3, session: .seconds(30), rebalance: .seconds(20))
    let token = bench.join(
      stable.followers[0], rebalance: .seconds(20),
      protocols: [
        MemberProtocol(name: "range", metadata: [3])
      ])
    bench.pass(.seconds(19))
    #expect(bench.joined(token) == nil)
    bench.pass(.seconds(1))
    let answer = try #require(bench.joined(token))
    #expect(answer.error == ErrorCode.none)
    #expect(answer.leader == stable.followers[0])
    #expect(answer.members.map(\.member) == [stable.followers[0]])
    #expect(bench.heartbeat(stable.leader, answer.generation) == .unknownMemberId)
  }

  @Test func aNewMemberThatWaitsTooLongForTheOthersIsOut() {
    let bench = Bench()
    let stable = bench.stableGroup(of: 1, session: .seconds(1800), rebalance: .seconds(900))
    let newcomer = bench.join(rebalance: .seconds(900))
    for _ in 0..<29 {
      bench.pass(.seconds(10))
      #expect(bench.heartbeat(stable.leader, stable.generation) == .rebalanceInProgress)
    }
    bench.pass(.seconds(10))
    #expect(bench.joined(newcomer)?.error == .unknownMemberId)
  }

  @Test func membersBeyondTheMaximumAreRefused() {
    var settings = GroupSettings()
    settings.classicMembersMax = 2
    let bench = Bench(settings)
    let stable = bench.stableGroup(of: 2)
    let refused = bench.joined(bench.join())
    #expect(refused?.error == .groupMaxSizeReached)
    #expect(refused?.member == .unknown)
    #expect(bench.joined(bench.join(stable.followers[0]))?.error == ErrorCode.none)
  }

  @Test func whileMembersGatherTheFirstToComeStay() {
    var settings = GroupSettings()
    settings.classicMembersMax = 2
    let bench = Bench(settings)
    let tokens = (0..<3).map { _ in bench.join() }
    bench.pass(.seconds(9))
    #expect(tokens.map { bench.joined($0)?.error } == [ErrorCode.none, ErrorCode.none, .groupMaxSizeReached])
  }

  @Test func aRequestThatIsGivenUpForALaterOneIsAnsweredToo() {
    let bench = Bench()
    let stable = bench.stableGroup(of: 2)
    let first = bench.join(stable.leader)
    let second = bench.join(stable.leader)
    #expect(bench.joined(first)?.error == .rebalanceInProgress)
    _ = bench.join(stable.followers[0])
    #expect(bench.joined(second)?.error == ErrorCode.none)
  }

  @Test func aProtocolNamedTwiceCountsOnce() {
    let bench = Bench()
    let twice = [MemberProtocol(name: "range", metadata: [1]), MemberProtocol(name: "range", metadata: [2])]
    let first = bench.join(protocols: twice)
    let second = bench.join(protocols: [MemberProtocol(name: "other", metadata: [])])
    bench.pass(.seconds(9))
    #expect(bench.joined(first)?.error == ErrorCode.none)
    #expect(bench.joined(second)?.error == .inconsistentGroupProtocol)
  }
}
