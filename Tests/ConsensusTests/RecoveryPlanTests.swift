import Consensus
import Testing
import Vocabulary

@Suite struct RecoveryPlanTests {
  private static func voter(_ id: Int32, _ directory: UInt64? = nil) -> Voter {
    Voter(
      ReplicaKey(NodeID(id), UniqueID(high: 1, low: directory ?? UInt64(id))),
      endpoints: [Endpoint(listener: "CONTROLLER", host: "node\(id)", port: 9093)])
  }

  private static func survivor(
    _ id: Int32, epoch: Int32 = 3, last: Int32 = 3, end: Int64 = 100, of voters: [Int32] = [1, 2, 3, 4, 5]
  ) -> Survivor {
    Survivor(
      voter(id).key, epoch: LeaderEpoch(epoch), lastEpoch: LeaderEpoch(last), end: Offset(end),
      voters: VoterSet(voters.map { voter($0) }))
  }

  @Test func theHighestLastEpochBecomesTheSeedAlsoWhereAnotherLogIsLonger() throws {
    let plan = try RecoveryPlan([Self.survivor(1, last: 2, end: 900), Self.survivor(2, last: 3, end: 100)])
    #expect(plan.seed.key.id == NodeID(2))
    #expect(plan.others.map(\.key.id) == [NodeID(1)])
    #expect(plan.lost.map(\.key.id) == [NodeID(3), NodeID(4), NodeID(5)])
    #expect(plan.voter == Self.voter(2))
  }

  @Test func inOneEpochTheLongestLogBecomesTheSeed() throws {
    #expect(try RecoveryPlan([Self.survivor(1, end: 99), Self.survivor(2, end: 100)]).seed.key.id == NodeID(2))
    #expect(try RecoveryPlan([Self.survivor(1, end: 100), Self.survivor(2, end: 99)]).seed.key.id == NodeID(1))
  }

  @Test func theOrderInWhichSurvivorsAreNamedChangesNothing() throws {
    let both = [Self.survivor(4), Self.survivor(2)]
    #expect(try RecoveryPlan(both) == RecoveryPlan(both.reversed()))
    #expect(try RecoveryPlan(both).seed.key.id == NodeID(2))
  }

  @Test func theNewEpochIsHigherThanEveryOneThatWasSeen() throws {
    // Node 1 voted in epoch 9, and has nothing of it in its log.
    let plan = try RecoveryPlan([Self.survivor(1, epoch: 9, last: 2), Self.survivor(2, epoch: 3)])
    #expect(plan.seed.key.id == NodeID(2))
    #expect(plan.epoch == LeaderEpoch(10))
    #expect(throws: RecoveryPlan.Refusal.epochsAreUsedUp) {
      try RecoveryPlan([Self.survivor(1, epoch: .max)])
    }
  }

  @Test func aMajorityThatIsThereNeedsNoRecovery() {
    let three = [1, 2, 3].map { Self.survivor($0) }
    #expect(throws: RecoveryPlan.Refusal.majoritySurvives(three[0].voters, surviving: 3)) { try RecoveryPlan(three) }
    let alone = Self.survivor(1, of: [1])
    #expect(throws: RecoveryPlan.Refusal.majoritySurvives(alone.voters, surviving: 1)) { try RecoveryPlan([alone]) }
  }

  @Test func theNewestLogSaysWhoVotes() throws {
    // Node 1 has not heard that the voters are 2 and 3 by now.
    let survivors = [Self.survivor(1, last: 2, of: [1, 2]), Self.survivor(2, last: 3, of: [2, 3, 4])]
    let plan = try RecoveryPlan(survivors)
    #expect(plan.seed.key.id == NodeID(2))
    #expect(plan.lost.map(\.key.id) == [NodeID(3), NodeID(4)])
  }

  @Test func whoOnlyFollowsIsNoSeedAndWhatItHasMoreIsNamed() throws {
    let plan = try RecoveryPlan([Self.survivor(1, end: 100), Self.survivor(8, end: 120)])
    #expect(plan.seed.key.id == NodeID(1))
    #expect(plan.further.map(\.key.id) == [NodeID(8)])
    #expect(throws: RecoveryPlan.Refusal.noVoterSurvives(Self.survivor(8).voters)) {
      try RecoveryPlan([Self.survivor(8)])
    }
  }

  @Test func anotherDirectoryOfAVotersNodeIsNotThatVoter() {
    let other = Survivor(
      ReplicaKey(NodeID(1), UniqueID(high: 7, low: 7)), epoch: LeaderEpoch(3), lastEpoch: LeaderEpoch(3),
      end: Offset(100), voters: Self.survivor(1).voters)
    #expect(throws: RecoveryPlan.Refusal.noVoterSurvives(other.voters)) { try RecoveryPlan([other]) }
  }

  @Test func nothingAndTheSameTwiceAreRefused() {
    #expect(throws: RecoveryPlan.Refusal.nothingSurvives) { try RecoveryPlan([]) }
    #expect(throws: RecoveryPlan.Refusal.namedTwice(Self.voter(1).key)) {
      try RecoveryPlan([Self.survivor(1), Self.survivor(1, end: 5)])
    }
  }
}
