import Replication
import Testing
import Vocabulary

/// A leader that neither the controller nor a follower answers.
@Suite struct IsolationTests {
  /// Longer than a session ago, everybody fetched for the last time.
  private static func isolated() -> Stage {
    var stage = Stage()
    stage.elect(0, epoch: 1)
    stage.fetch(1, at: 0)
    stage.fetch(2, at: 0)
    stage.now = 3_000
    return stage
  }

  @Test func whoeverWaitsForSilentFollowersIsSentAwayWhenTheControllerIsSilentToo() {
    var stage = Self.isolated()
    stage.write(upTo: 5)
    #expect(stage.feed(.controllerSilent).writes == [.refused(.notLeaderOrFollower)])
  }

  @Test func silentFollowersAloneSendNobodyAway() {
    var stage = Self.isolated()
    #expect(stage.replica.hearsNoFollower(at: Instant(nanoseconds: 3_000_000_000)))
    stage.write(upTo: 5)
    #expect(stage.feed(.tick).writes == [], "the controller will say who is in sync")
  }

  @Test func oneFollowerThatFetchesIsEnoughToStay() {
    var stage = Self.isolated()
    stage.fetch(2, at: 0)
    stage.write(upTo: 5)
    #expect(stage.feed(.controllerSilent).writes == [])
    #expect(!stage.replica.hearsNoFollower(at: Instant(nanoseconds: 3_000_000_000)))
  }

  @Test func whoeverIsInSyncAloneStays() {
    var stage = Stage(Minimum(replicas: 1, regions: 1), inSync: [NodeID(0)])
    stage.elect(0, epoch: 1)
    stage.now = 60_000
    #expect(stage.write(upTo: 5).writes == [.acknowledged])
    #expect(!stage.replica.hearsNoFollower(at: Instant(nanoseconds: 60_000_000_000)))
  }

  @Test func aNewLeaderGivesItsFollowersTheTimeToCome() {
    var stage = Stage()
    stage.now = 60_000
    stage.elect(0, epoch: 1)
    stage.write(upTo: 5)
    stage.now += 1_000
    #expect(stage.feed(.controllerSilent).writes == [])
    stage.now += 2_000
    #expect(stage.feed(.controllerSilent).writes == [.refused(.notLeaderOrFollower)])
  }

  /// The controller may be all that failed: what was written is still there, and so is the term.
  @Test func theTermGoesOnWhereItWasWhenFollowersComeBack() {
    var stage = Self.isolated()
    stage.write(upTo: 5)
    stage.feed(.controllerSilent)
    stage.fetch(1, at: 5)
    stage.fetch(2, at: 5)
    #expect(stage.mark == 5)
    #expect(stage.write(upTo: 6).writes == [])
    stage.fetch(1, at: 6)
    #expect(stage.fetch(2, at: 6).writes == [.acknowledged])
  }

  @Test func whoeverDoesNotLeadHasNobodyToSendAway() {
    var stage = Stage()
    stage.elect(1, epoch: 1)
    stage.now = 60_000
    #expect(!stage.replica.hearsNoFollower(at: Instant(nanoseconds: 60_000_000_000)))
    #expect(stage.feed(.controllerSilent).isEmpty)
  }
}
