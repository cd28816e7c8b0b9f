@testable import ClusterMetadata
import Testing
import Vocabulary

@Suite struct BrokerLifeTests {
  @Test func aBrokerIsFencedUntilItHasReadItsRegistration() throws {
    var cluster = SmallCluster([])
    let admitted = cluster.image.admit(SmallCluster.registration(1, rack: "eu"), after: .clean, session: .ended)
    cluster.apply(admitted.records)
    let epoch = try admitted.answer.get()
    #expect(cluster.image.brokers[NodeID(1)]?.isFenced == true)
    func beat(hasRead: Bool) -> Decision<Result<HeartbeatAnswer, Refusal>> {
      cluster.image.heartbeat(
        BrokerHeartbeat(broker: NodeID(1), epoch: epoch, wish: .serve, hasReadItsRegistration: hasRead))
    }
    #expect(try beat(hasRead: false).answer.get().isFenced)
    #expect(try !beat(hasRead: true).answer.get().isFenced)
    #expect(beat(hasRead: true).records == [.brokerFencing(NodeID(1), epoch: epoch, isFenced: false)])
  }

  @Test func anIdBelongsToOneProcessUntilItsSessionEnds() throws {
    let cluster = SmallCluster(["eu"])
    let other = SmallCluster.registration(1, rack: "eu", incarnation: 2)
    let refused = cluster.image.admit(other, after: .clean, session: .alive)
    #expect(refusal(of: refused.answer) == .duplicateBrokerRegistration && refused.records.isEmpty)
    #expect(try cluster.image.admit(other, after: .clean, session: .ended).answer.get() == 2)
    let same = cluster.image.admit(SmallCluster.registration(1, rack: "eu"), after: .clean, session: .alive)
    #expect(try same.answer.get() == 1, "the same process keeps its epoch")
  }

  @Test func whoSpeaksWithAnOldEpochIsRefused() {
    var cluster = SmallCluster(["eu"])
    cluster.start(1, rack: "eu", incarnation: 2)
    func beat(_ id: Int32, epoch: Int64) -> ErrorCode? {
      refusal(
        of: cluster.image.heartbeat(
          BrokerHeartbeat(broker: NodeID(id), epoch: epoch, wish: .serve, hasReadItsRegistration: true)
        ).answer)
    }
    #expect(beat(1, epoch: 1) == .staleBrokerEpoch)
    #expect(beat(1, epoch: 2) == nil)
    #expect(beat(9, epoch: 1) == .brokerIdNotRegistered)
  }

  @Test func anEpochIsNotGivenOutTwiceEvenAfterTheBrokerWasForgotten() throws {
    var cluster = SmallCluster(["eu", "us"])
    cluster.apply(cluster.image.unregister(NodeID(2)).records)
    #expect(cluster.image.brokers[NodeID(2)] == nil)
    cluster.start(2, rack: "us", incarnation: 2)
    #expect(cluster.image.brokers[NodeID(2)]?.epoch == 3)
    #expect(refusal(of: cluster.image.unregister(NodeID(9)).answer) == .brokerIdNotRegistered)
  }

  @Test func registrationsThatCannotBeAreRefused() {
    let cluster = SmallCluster(["eu"])
    var none = SmallCluster.registration(2, rack: "eu")
    none.logDirectories = []
    var others = SmallCluster.registration(2, rack: "eu")
    others.logDirectories = SmallCluster.registration(1, rack: "eu").logDirectories
    var twice = SmallCluster.registration(2, rack: "eu")
    twice.logDirectories += twice.logDirectories
    let negative = SmallCluster.registration(-1, rack: "eu")
    let racks = ["/zone", "eu,us", "eu:1"].map { SmallCluster.registration(2, rack: $0) }
    for wrong in [none, others, twice, negative] + racks {
      let decision = cluster.image.admit(wrong, after: .clean, session: .ended)
      #expect(refusal(of: decision.answer) == .invalidRegistration, "\(wrong)")
    }
  }

  @Test func leadersMoveAwayBeforeABrokerStopsAndItIsToldWhenItMay() throws {
    var cluster = SmallCluster(["eu", "us"])
    try cluster.topic(on: [1, 2])
    let first = cluster.beat(1, .stop, othersKnow: true)
    #expect(first == HeartbeatAnswer(isFenced: false, mayStop: false), "its leaders move in this very moment")
    #expect(cluster.leader == 2 && cluster.inSync == [2])
    #expect(cluster.beat(1, .stop)?.mayStop == false, "the others do not know yet")
    #expect(cluster.beat(1, .stop, othersKnow: true)?.mayStop == true)
    #expect(cluster.beat(2, .stop)?.mayStop == false)
    #expect(cluster.leader == -1 && cluster.inSync == [2], "nobody else is left to lead")
    #expect(cluster.beat(2, .stop, othersKnow: true)?.mayStop == true)
  }

  @Test func aFencedBrokerMayStopAtOnce() {
    var cluster = SmallCluster(["eu"])
    #expect(cluster.beat(1, .beFenced)?.isFenced == true)
    #expect(cluster.image.brokers[NodeID(1)]?.isFenced == true)
    #expect(cluster.beat(1, .stop) == HeartbeatAnswer(isFenced: true, mayStop: true))
  }

  @Test func anUnregisteredBrokerLeavesTheInSyncSetAndStaysAReplica() throws {
    var cluster = SmallCluster(["eu", "us"])
    try cluster.topic(on: [1, 2])
    cluster.apply(cluster.image.unregister(NodeID(1)).records)
    #expect(cluster.leader == 2 && cluster.inSync == [2])
    #expect(cluster.partition.replicas == [NodeID(1), NodeID(2)])
  }

  @Test func aBrokerMayNotCarryReplicasToARegionWhereTheyMayNotBe() throws {
    var cluster = SmallCluster(["eu", "us"])
    try cluster.topic(on: [1], ["placement.allowed.regions": "eu"])
    let moved = SmallCluster.registration(1, rack: "us", incarnation: 2)
    let decision = cluster.image.admit(moved, after: .clean, session: .ended)
    #expect(refusal(of: decision.answer) == .invalidRegistration)
    #expect(
      cluster.image.admit(SmallCluster.registration(1, rack: "eu/b", incarnation: 2), after: .clean, session: .ended)
        .records.isEmpty == false)
  }
}

@Suite struct BrokerSessionTests {
  let start = Instant(nanoseconds: 5)

  @Test func aBrokerOfWhichNothingIsHeardIsFencedWhenItsTimeIsOver() {
    var sessions = BrokerSessions()
    #expect(sessions.nextDeadline == .never)
    sessions.touch(NodeID(1), metadata: Offset(0), at: start)
    sessions.touch(NodeID(2), metadata: Offset(0), at: start + .milliseconds(1))
    sessions.touch(NodeID(1), metadata: Offset(0), at: start + .milliseconds(2))
    #expect(sessions.nextDeadline == start + .milliseconds(2001))
    #expect(sessions.expired(at: start + .milliseconds(2000)).isEmpty)
    #expect(sessions.expired(at: start + .milliseconds(2001)) == [NodeID(2)])
    #expect(sessions.expired(at: start + .milliseconds(2002)) == [NodeID(2), NodeID(1)])
    #expect(sessions.session(of: NodeID(2), at: start + .milliseconds(2001)) == .ended)
    #expect(sessions.session(of: NodeID(1), at: start + .milliseconds(2001)) == .alive)
    sessions.forget(NodeID(2))
    #expect(sessions.expired(at: .never) == [NodeID(1)])
  }

  @Test func aBrokerWhoseConnectionIsGoneHasLittleTimeToComeBack() {
    var sessions = BrokerSessions(timeout: .seconds(2))
    for id in [NodeID(1), NodeID(2)] { sessions.touch(id, metadata: Offset(0), at: start) }
    for id in [NodeID(1), NodeID(2), NodeID(3)] {
      sessions.suspect(id, patience: .milliseconds(500), at: start + .milliseconds(100))
    }
    sessions.touch(NodeID(2), metadata: Offset(0), at: start + .milliseconds(200))
    #expect(sessions.expired(at: start + .milliseconds(599)).isEmpty)
    #expect(sessions.expired(at: start + .milliseconds(600)) == [NodeID(1)])
    #expect(sessions.session(of: NodeID(2), at: start + .milliseconds(2199)) == .alive)
    #expect(sessions.session(of: NodeID(3), at: start) == .ended, "it never had one")
  }

  @Test func whoWouldBeFencedSoonerAnywayGetsNoMoreTime() {
    var sessions = BrokerSessions(timeout: .seconds(2))
    sessions.touch(NodeID(1), metadata: Offset(0), at: start)
    sessions.suspect(NodeID(1), patience: .milliseconds(500), at: start + .milliseconds(1900))
    #expect(sessions.expired(at: start + .seconds(2)) == [NodeID(1)])
  }

  @Test func aNewControllerGivesEveryoneHalfATimeout() {
    var cluster = SmallCluster(["eu", "us"])
    cluster.fence(2)
    let sessions = BrokerSessions(cluster.image, upTo: Offset(9), timeout: .seconds(1), at: start)
    #expect(sessions.session(of: NodeID(1), at: start + .milliseconds(499)) == .alive)
    #expect(sessions.session(of: NodeID(2), at: start) == .ended)
    #expect(sessions.expired(at: start + .milliseconds(500)) == [NodeID(1)])
  }

  /// Or a broker that was stopping when the controller changed would never be let go.
  @Test func aNewControllerLetsABrokerStopThatHadBegunToUnderTheOldOne() {
    var cluster = SmallCluster(["eu", "us"])
    cluster.beat(1, .stop)
    var sessions = BrokerSessions(cluster.image, upTo: Offset(9), at: start)
    sessions.touch(NodeID(1), metadata: Offset(9), at: start)
    sessions.touch(NodeID(2), metadata: Offset(8), at: start)
    #expect(!sessions.everyoneElseKnows(shutdownOf: NodeID(1), at: start))
    sessions.touch(NodeID(2), metadata: Offset(9), at: start)
    #expect(sessions.everyoneElseKnows(shutdownOf: NodeID(1), at: start))
    #expect(!sessions.everyoneElseKnows(shutdownOf: NodeID(2), at: start), "it does not stop")
  }

  @Test func aBrokerStopsWhenAllOthersHaveReadThatItLeadsNothing() {
    var sessions = BrokerSessions()
    for id: Int32 in 1...3 { sessions.touch(NodeID(id), metadata: Offset(10), at: start) }
    #expect(!sessions.everyoneElseKnows(shutdownOf: NodeID(1), at: start))
    sessions.shutdownBegan(NodeID(1), at: Offset(12))
    #expect(!sessions.everyoneElseKnows(shutdownOf: NodeID(1), at: start))
    sessions.touch(NodeID(2), metadata: Offset(12), at: start + .seconds(5))
    #expect(!sessions.everyoneElseKnows(shutdownOf: NodeID(1), at: start))
    #expect(sessions.everyoneElseKnows(shutdownOf: NodeID(1), at: start + .seconds(10)), "3 is gone")
    sessions.touch(NodeID(3), metadata: Offset(13), at: start)
    #expect(sessions.everyoneElseKnows(shutdownOf: NodeID(1), at: start))
    sessions.restart(NodeID(1), at: start)
    #expect(!sessions.everyoneElseKnows(shutdownOf: NodeID(1), at: start))
  }
}
