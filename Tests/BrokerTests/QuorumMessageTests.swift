import Consensus
import KafkaClient
import KafkaProtocol
import Testing
import Vocabulary

@testable import Broker

/// What the quorum says goes through bytes and comes back as it was.
@Suite struct QuorumMessageTests {
  private static let local = ReplicaKey(NodeID(3), UniqueID(high: 1, low: 3))
  private static let other = ReplicaKey(NodeID(1), UniqueID(high: 1, low: 1))
  private static let endpoints = [
    Consensus.Endpoint(listener: "CONTROLLER", host: "c1.example.com", port: 9093),
    Consensus.Endpoint(listener: "OTHER", host: "10.0.0.1", port: 65_535),
  ]
  private static let place = QuorumMessages.LeaderPlace(
    id: NodeID(1), address: BrokerAddress(host: "c1.example.com", port: 9093))
  private static let heads = [
    AnswerHead(.none, epoch: LeaderEpoch(7), leader: NodeID(1)),
    AnswerHead(.fencedLeaderEpoch, epoch: LeaderEpoch(9), leader: nil),
  ]

  static var describeRequest: DescribeQuorumRequest {
    var topic = DescribeQuorumRequest.Topic()
    topic.topicName = "__cluster_metadata"
    topic.partitions = [DescribeQuorumRequest.Partition()]
    var request = DescribeQuorumRequest()
    request.topics = [topic]
    return request
  }

  private func again<Message: RequestBody>(_ message: Message, _ version: Int16? = nil) throws -> Message {
    let version = version ?? Message.versions.upperBound
    return try message.encode(version: version).bytes.withUnsafeBytes { try Message.decode($0, version: version) }
  }

  private func again<Message: ResponseBody>(_ message: Message) throws -> (Message, ArraySlice<UInt8>) {
    let version = Message.Request.versions.upperBound
    let bytes = message.encode(version: version).bytes
    return (try bytes.withUnsafeBytes { try Message.decode($0, version: version) }, bytes[...])
  }

  private func expectPlace(_ heard: QuorumMessages.Heard, _ head: AnswerHead) {
    #expect(heard.leader == (head.leader == nil ? nil : Self.place), "an address belongs to the leader that is named")
  }

  @Test(arguments: [Consensus.VoteRequest.Kind.preVote, .vote]) func votesComeBack(kind: Consensus.VoteRequest.Kind)
    throws
  {
    let vote = Consensus.VoteRequest(
      kind, candidate: Self.other, voter: Self.local, epoch: LeaderEpoch(8), lastEpoch: LeaderEpoch(7), end: Offset(99))
    let message = try again(QuorumMessages.request(vote, cluster: "c"))
    #expect(message.clusterID == "c")
    #expect(QuorumMessages.read(message, local: Self.local) == vote)
    for head in Self.heads {
      for ballot in [Ballot.granted, .denied] {
        let (answer, _) = try again(QuorumMessages.voteResponse(head, ballot, Self.place))
        let heard = try #require(QuorumMessages.read(answer))
        #expect(heard.answer == .vote(head, ballot))
        expectPlace(heard, head)
      }
    }
  }

  @Test func aVoteFromBeforeDirectoriesMeansThisNode() throws {
    let vote = Consensus.VoteRequest(
      .vote, candidate: Self.other, voter: Self.local, epoch: LeaderEpoch(8), lastEpoch: LeaderEpoch(7), end: Offset(99)
    )
    let read = QuorumMessages.read(
      try again(QuorumMessages.request(vote, cluster: "c"), 0), local: Self.local)
    #expect(read?.voter == ReplicaKey(Self.local.id))
    #expect(read?.candidate == ReplicaKey(Self.other.id))
  }

  @Test func epochsBeginAndEnd() throws {
    let begin = BeginQuorumEpoch(leader: NodeID(1), epoch: LeaderEpoch(7), voter: Self.local)
    let asked = try again(QuorumMessages.request(begin, cluster: "c", endpoints: Self.endpoints))
    #expect(QuorumMessages.read(asked, local: Self.local) == begin)
    #expect(QuorumMessages.endpoints(asked) == Self.endpoints)
    let end = EndQuorumEpoch(leader: NodeID(1), epoch: LeaderEpoch(7), successors: [Self.local, Self.other])
    #expect(QuorumMessages.read(try again(QuorumMessages.request(end, cluster: "c", endpoints: []))) == end)
    #expect(
      QuorumMessages.read(try again(QuorumMessages.request(end, cluster: "c", endpoints: []), 0))?.successors
        == [ReplicaKey(NodeID(3)), ReplicaKey(NodeID(1))])
    for head in Self.heads {
      let (begun, _) = try again(QuorumMessages.beginResponse(head, Self.place))
      let heard = try #require(QuorumMessages.read(begun))
      #expect(heard.answer == .beginQuorumEpoch(head))
      expectPlace(heard, head)
      let (ended, _) = try again(QuorumMessages.endResponse(head, Self.place))
      #expect(QuorumMessages.read(ended)?.answer == .endQuorumEpoch(head))
    }
  }

  @Test(arguments: [Int16(17), 18]) func fetchRequestsComeBack(version: Int16) throws {
    let fetch = Consensus.FetchRequest(
      replica: Self.local, epoch: LeaderEpoch(7), offset: Offset(12), lastFetchedEpoch: LeaderEpoch(6),
      maxWait: .milliseconds(500))
    let message = try again(QuorumMessages.request(fetch, cluster: "c", highWatermark: Offset(10)), version)
    #expect(MetadataQuorum.isMeant(by: message))
    #expect(QuorumMessages.read(message) == fetch)
  }

  private static let batches: [UInt8] = {
    let now = Timestamp(milliseconds: 5)
    let voters = VoterSet([Voter(other, endpoints: endpoints), Voter(local)])
    return MetadataBatches.control(
      [MetadataBatches.leaderChange(NodeID(1), voters: [NodeID(1), NodeID(3)], grantedBy: [NodeID(1)])],
      base: Offset(12), epoch: LeaderEpoch(7), now: now)
      + MetadataBatches.control(
        [VoterRecords.kraftVersion, .voters(VoterRecords.record(voters))], base: Offset(13), epoch: LeaderEpoch(7),
        now: now)
      + MetadataBatches.data([feature("a"), feature("b")], base: Offset(15), epoch: LeaderEpoch(7), now: now)
  }()

  @Test func fetchedBatchesAreDescribedAndTheirBytesKept() throws {
    let head = Self.heads[0]
    // A batch that is cut off at the end is left out.
    let (answer, body) = try again(
      QuorumMessages.fetchResponse(
        head, highWatermark: Offset(12), .range(from: Offset(12), to: Offset(17)),
        records: Self.batches + Self.batches.prefix(80), logStart: .zero, Self.place))
    let (heard, bytes) = try #require(try QuorumMessages.read(answer, body: body))
    #expect(bytes == Self.batches)
    let voters = VoterSet([Voter(Self.other, endpoints: Self.endpoints), Voter(Self.local)])
    #expect(
      heard.answer
        == .fetch(
          head, highWatermark: Offset(12),
          .batches([
            LogBatch(
              base: Offset(12), epoch: LeaderEpoch(7), count: 1,
              content: .leaderChange(NodeID(1), voters: [NodeID(1), NodeID(3)], grantedBy: [NodeID(1)])),
            LogBatch(base: Offset(13), epoch: LeaderEpoch(7), count: 2, content: .voters(voters)),
            LogBatch(base: Offset(15), epoch: LeaderEpoch(7), count: 2, content: .data(2)),
          ])))
    expectPlace(heard, head)
  }

  @Test func whatElseAFetchBringsComesBack() throws {
    let said: [Fetched] = [
      .nothing, .diverging(EpochEnd(epoch: LeaderEpoch(3), end: Offset(40))),
      .snapshot(SnapshotID(end: Offset(900), epoch: LeaderEpoch(4))),
    ]
    for head in Self.heads {
      for fetched in said {
        let (answer, body) = try again(
          QuorumMessages.fetchResponse(
            head, highWatermark: Offset(12), fetched, records: [], logStart: .zero, Self.place))
        let heard = try #require(try QuorumMessages.read(answer, body: body)).heard
        #expect(heard.answer == .fetch(head, highWatermark: Offset(12), fetched))
      }
    }
  }

  /// What is taken is what was sent: of a batch only its place in the log is not under its checksum, and that is checked
  /// when it is appended.
  @Test func damagedBatchesAreNotTaken() throws {
    var starts: [Int] = []
    try Self.batches.withUnsafeBytes { raw in
      var cursor = RecordBatchCursor(raw)
      var start = 0
      while try cursor.next() != nil {
        starts.append(start)
        start = cursor.position
      }
    }
    #expect(starts.count == 3)
    var refused = 0
    for place in Self.batches.indices {
      var bytes = Self.batches
      bytes[place] ^= 0x10
      let (answer, body) = try again(
        QuorumMessages.fetchResponse(
          Self.heads[0], highWatermark: .zero, .range(from: Offset(12), to: Offset(17)), records: bytes,
          logStart: .zero, nil))
      let start = starts.last { $0 <= place } ?? 0
      do throws(MetadataBatchFault) {
        let taken = try QuorumMessages.read(answer, body: body)?.bytes ?? []
        let isInPlace = place - start < 8 || 12..<16 ~= place - start
        #expect(taken.count <= start || isInPlace, "the byte \(place) was not noticed")
        #expect(bytes.starts(with: taken))
      } catch {
        refused += 1
      }
    }
    #expect(refused > Self.batches.count / 2)
  }

  @Test func snapshotsComeInPieces() throws {
    let id = SnapshotID(end: Offset(900), epoch: LeaderEpoch(4))
    let fetch = Consensus.FetchSnapshotRequest(
      replica: Self.local, epoch: LeaderEpoch(7), snapshot: id, position: ByteCount(100))
    #expect(
      QuorumMessages.read(try again(QuorumMessages.request(fetch, cluster: "c", pieceMax: .mebibytes(8)))) == fetch)
    let piece = Piece(snapshot: id, size: ByteCount(1000), position: ByteCount(100), count: ByteCount(50))
    let bytes = (0..<50).map { UInt8($0) }
    let (answer, body) = try again(QuorumMessages.snapshotResponse(Self.heads[0], piece, bytes: bytes, Self.place))
    let (heard, arrived) = try #require(QuorumMessages.read(answer, body: body))
    #expect(heard.answer == .fetchSnapshot(Self.heads[0], piece))
    #expect(arrived == bytes)
    let refused = AnswerHead(.snapshotNotFound, epoch: LeaderEpoch(7), leader: NodeID(1))
    let (no, empty) = try again(QuorumMessages.snapshotResponse(refused, nil, bytes: [], Self.place))
    #expect(QuorumMessages.read(no, body: empty)?.heard.answer == .fetchSnapshot(refused, nil))
  }

  @Test func votersComeBack() throws {
    let update = UpdateVoter(epoch: LeaderEpoch(7), voter: Voter(Self.local, endpoints: Self.endpoints))
    #expect(QuorumMessages.read(try again(QuorumMessages.request(update, cluster: "c"))) == update)
    for head in Self.heads {
      let (answer, _) = try again(QuorumMessages.updateResponse(head, head.leader == nil ? nil : Self.place))
      let heard = QuorumMessages.read(answer)
      #expect(heard.answer == .updateVoter(head))
      expectPlace(heard, head)
    }
    let set = VoterSet([Voter(Self.other, endpoints: Self.endpoints), Voter(Self.local)])
    #expect(VoterRecords.voters(VoterRecords.record(set)) == set)
    var add = AddRaftVoterRequest()
    #expect(QuorumMessages.read(add) == nil, "a voter without a directory is nobody")
    add.voterID = 3
    add.voterDirectoryID = Self.local.directory
    var listener = AddRaftVoterRequest.Listener()
    listener.name = "CONTROLLER"
    listener.host = "c3"
    listener.port = 9093
    add.listeners = [listener]
    #expect(
      QuorumMessages.read(try again(add))
        == Voter(Self.local, endpoints: [Consensus.Endpoint(listener: "CONTROLLER", host: "c3", port: 9093)]))
  }

  @Test func aMessageForAnotherTopicIsRefused() {
    let fetch = Consensus.FetchRequest(
      replica: Self.local, epoch: LeaderEpoch(7), offset: Offset(12), lastFetchedEpoch: LeaderEpoch(6),
      maxWait: .milliseconds(500))
    var message = QuorumMessages.request(fetch, cluster: "c", highWatermark: .zero)
    message.topics[0].topicID = UniqueID(high: 4, low: 4)
    #expect(QuorumMessages.read(message) == nil)
    message = QuorumMessages.request(fetch, cluster: "c", highWatermark: .zero)
    message.topics[0].partitions[0].partition = 1
    #expect(QuorumMessages.read(message) == nil)
    message.topics = []
    #expect(QuorumMessages.read(message) == nil)
    #expect(QuorumMessages.isMeant(Self.describeRequest))
    #expect(!QuorumMessages.isMeant(DescribeQuorumRequest()))
  }
}
