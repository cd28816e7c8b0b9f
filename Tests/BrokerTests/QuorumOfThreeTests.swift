import ClusterMetadata
import Consensus
import EventLoop
import KafkaClient
import KafkaProtocol
import LogStorage
import Synchronization
import Testing
import Vocabulary

@testable import Broker

/// Several quorums over real sockets on this machine.
@Suite(.serialized) struct QuorumOfThreeTests {
  @Test func theyElectOneWhoseRecordsAllGet() throws {
    let cluster = try QuorumNodes(3)
    let nodes = cluster.all
    for node in nodes { try cluster.start(node) }
    let (leader, epoch) = try cluster.leader(of: nodes)
    var end = Offset.zero
    for level in 1...20 { end = try leader.append([feature("x", Int16(level))], in: epoch) }
    for node in nodes {
      try node.recorder.until(end)
      #expect(node.quorum?.image.features == ["x": 20])
    }
    let follower = try #require(nodes.first { $0.id != leader.id })
    #expect(follower.quorum?.address(of: leader.id) == leader.address)
    #expect(throws: Refusal.self) { try follower.append([feature("y")], in: epoch) }
  }

  @Test func aLeaderThatStopsIsFollowedByAnotherAndNothingIsLost() throws {
    let cluster = try QuorumNodes(3)
    let nodes = cluster.all
    for node in nodes { try cluster.start(node) }
    let (leader, epoch) = try cluster.leader(of: nodes)
    let end = try leader.append([feature("kept")], in: epoch)
    for node in nodes { try node.recorder.until(end) }
    leader.stop()
    let others = nodes.filter { $0.id != leader.id }
    let (second, later) = try cluster.leader(of: others)
    #expect(later > epoch)
    #expect(second.quorum?.image.features == ["kept": 1])
    let next = try second.append([feature("more")], in: later)
    for node in others { try node.recorder.until(next) }
    // The first one comes back and follows.
    try cluster.start(leader)
    try leader.recorder.until(next)
    #expect(leader.quorum?.image.features == ["kept": 1, "more": 1])
  }

  /// Pods come back with other addresses, and who runs on knows those that were configured when it started.
  @Test func aVoterThatIsElsewhereNowIsAskedForItsVoteThere() throws {
    let cluster = try QuorumNodes(3)
    let nodes = cluster.all
    for node in nodes { try cluster.start(node) }
    let (leader, epoch) = try cluster.leader(of: nodes)
    let followers = nodes.filter { $0.id != leader.id }
    let (stays, moves) = (followers[0], followers[1])
    moves.stop()
    // Nobody is at the address where it was.
    moves.server.shutdown(drain: .zero)
    let moved = try QuorumNode(moves.id.value, bell: cluster.bell, insteadOf: moves)
    func start() throws { try cluster.start(moved) { $0.local = moved.voter } }
    try start()
    _ = try cluster.until {
      let voters = stays.quorum?.state.withLock { $0.quorum.log.voters.voters }
      return voters?.contains(moved.voter) == true ? true : nil
    }
    // It lacks what the other two have, so that it gives its vote and gets none.
    moved.stop()
    let end = try leader.append([feature("missed")], in: epoch)
    try stays.recorder.until(end)
    leader.stop()
    try start()
    let (second, later) = try cluster.leader(of: [stays, moved])
    #expect(second.id == stays.id)
    #expect(later > epoch)
    try moved.recorder.until(try stays.append([feature("on")], in: later))
    #expect(moved.quorum?.image.features == ["missed": 1, "on": 1])
  }

  @Test func whoIsFarBehindIsFedByASnapshot() throws {
    let cluster = try QuorumNodes(3)
    let nodes = cluster.all
    let early = Array(nodes.prefix(2))
    for node in early { try cluster.start(node) { $0.snapshotInterval = ByteCount(200) } }
    let (leader, epoch) = try cluster.leader(of: early)
    let quorum = try #require(leader.quorum)
    var end = Offset.zero
    var level: Int16 = 0
    // Until the log no longer begins at its beginning, and the snapshot has records.
    while quorum.setup.log.startOffset < Offset(6) {
      level += 1
      end = try leader.append([feature("x", level)], in: epoch)
      for node in early { try node.recorder.until(end) }
      let idle = Events<Bool>()
      leader.pool.run { quorum.run { idle.add(true) } }
      _ = try idle.next()
    }
    try cluster.start(nodes[2])
    _ = try nodes[2].recorder.first { if case .replaced(let end) = $0 { end } else { nil } }
    let last = try leader.append([feature("y")], in: epoch)
    try nodes[2].recorder.until(last)
    #expect(nodes[2].quorum?.image.features == ["x": level, "y": 1])
    #expect(nodes[2].quorum?.setup.log.startOffset ?? .zero > .zero)
    nodes[2].stop()
    try cluster.start(nodes[2])
    try nodes[2].recorder.until(last)
    #expect(nodes[2].quorum?.image.features == ["x": level, "y": 1])
  }

  @Test func anObserverFindsTheLeaderByABootstrapServerAndBecomesAVoter() throws {
    let first = try QuorumNode(1)
    try QuorumBootstrap.write(
      voters: VoterSet([first.voter]), folder: QuorumNode.folder, disk: first.disk, now: Timestamp(milliseconds: 1))
    try first.start()
    let epoch = try first.recorder.untilLeading()
    let end = try first.append([feature("a")], in: epoch)
    let second = try QuorumNode(2)
    try second.start { $0.bootstrapServers = [first.address] }
    try second.recorder.until(end)
    #expect(second.quorum?.image.features == ["a": 1])
    #expect(second.quorum?.status.role == "observer")

    let answer = Events<AddRaftVoterResponse>()
    var request = AddRaftVoterRequest()
    request.clusterID = QuorumNode.cluster
    request.voterID = 2
    request.voterDirectoryID = second.directory
    var listener = AddRaftVoterRequest.Listener()
    listener.name = "CONTROLLER"
    listener.host = "127.0.0.1"
    listener.port = second.port
    request.listeners = [listener]
    // Its next Fetch tells the leader that it has everything: before that it must try again, as a person does.
    var error = ErrorCode.requestTimedOut
    while error == .requestTimedOut {
      try #require(first.quorum).addRaftVoter(request) { answer.add($0) }
      error = try answer.next().errorCode
    }
    #expect(error == .none)
    #expect(first.quorum?.status.voters == VoterSet([first.voter, second.voter]))
    let next = try first.append([feature("b")], in: epoch)
    try second.recorder.until(next)
    #expect(second.quorum?.status.voters.count == 2)

    let described = Events<DescribeQuorumResponse>()
    try #require(first.quorum).describeQuorum(QuorumMessageTests.describeRequest) { described.add($0) }
    let partition = try #require(try described.next().topics.first?.partitions.first)
    #expect(partition.leaderID == 1)
    #expect(partition.currentVoters.map(\.replicaID) == [1, 2])
    #expect(partition.currentVoters.map(\.replicaDirectoryID) == [first.directory, second.directory])

    var removal = RemoveRaftVoterRequest()
    removal.clusterID = QuorumNode.cluster
    removal.voterID = 2
    removal.voterDirectoryID = second.directory
    let removed = Events<RemoveRaftVoterResponse>()
    try #require(first.quorum).removeRaftVoter(removal) { removed.add($0) }
    #expect(try removed.next().errorCode == .none)
    #expect(first.quorum?.status.voters == VoterSet([first.voter]))
  }

  @Test func aVoterThatComesBackElsewhereIsFound() throws {
    let bell = Events<NodeID>()
    let nodes = try (1...3).map { try QuorumNode($0, bell: bell) }
    for node in nodes {
      try QuorumBootstrap.write(
        voters: VoterSet(nodes.map(\.voter)), folder: QuorumNode.folder, disk: node.disk,
        now: Timestamp(milliseconds: 1))
      try node.start()
    }
    while !nodes.allSatisfy({ $0.quorum?.leader != nil }) { _ = try bell.next() }
    nodes[2].stop()
    let moved = try QuorumNode(3, bell: bell, insteadOf: nodes[2])
    #expect(moved.address != nodes[2].address)
    try moved.start()
    let running = [nodes[0], nodes[1], moved]
    let set = VoterSet(running.map(\.voter))
    while !running.allSatisfy({ $0.quorum?.status.voters == set }) { _ = try bell.next() }
    #expect(nodes[0].quorum?.address(of: NodeID(3)) == moved.address)
    #expect(nodes[1].quorum?.address(of: NodeID(3)) == moved.address)
  }

  @Test func anotherClusterIsRefused() throws {
    let node = try QuorumNode(1)
    try node.start()
    _ = try node.recorder.untilLeading()
    let quorum = try #require(node.quorum)
    let errors = Events<ErrorCode>()
    var vote = KafkaProtocol.VoteRequest()
    vote.clusterID = "another"
    quorum.vote(vote) { errors.add($0.errorCode) }
    var begin = BeginQuorumEpochRequest()
    begin.clusterID = "another"
    quorum.beginQuorumEpoch(begin) { errors.add($0.errorCode) }
    var end = EndQuorumEpochRequest()
    end.clusterID = "another"
    quorum.endQuorumEpoch(end) { errors.add($0.errorCode) }
    var fetch = KafkaProtocol.FetchRequest()
    fetch.clusterID = "another"
    quorum.fetch(fetch) { errors.add($0.errorCode) }
    var snapshot = KafkaProtocol.FetchSnapshotRequest()
    snapshot.clusterID = "another"
    quorum.fetchSnapshot(snapshot) { errors.add($0.errorCode) }
    var remove = RemoveRaftVoterRequest()
    remove.clusterID = "another"
    quorum.removeRaftVoter(remove) { errors.add($0.errorCode) }
    for _ in 0..<6 { #expect(try errors.next() == .inconsistentClusterId) }
    vote.clusterID = QuorumNode.cluster
    quorum.vote(vote) { errors.add($0.errorCode) }
    #expect(try errors.next() == .invalidRequest, "it names no partition")
  }
}
