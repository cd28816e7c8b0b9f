import ClusterMetadata
import Consensus
import KafkaProtocol
import LogStorage
import SimulatedWorld
import Testing
import Vocabulary

@testable import Broker

@Suite struct QuorumFileTests {
  private static let directory = UniqueID(high: 9, low: 8)
  static let elections = [
    ElectionRecord(), ElectionRecord(epoch: LeaderEpoch(4)),
    ElectionRecord(epoch: LeaderEpoch(4), votedFor: ReplicaKey(NodeID(2), directory)),
    ElectionRecord(epoch: LeaderEpoch(.max), votedFor: ReplicaKey(NodeID(0)), leader: NodeID(0)),
    ElectionRecord(epoch: LeaderEpoch(4), leader: NodeID(7)),
  ]

  @Test(arguments: elections) func anElectionComesBackAsItWasWritten(record: ElectionRecord) throws {
    let disk = SimulatedDisk(seed: 1)
    try disk.createDirectory("data")
    try disk.syncDirectory("data")
    #expect(try ElectionFile.read(disk, "data") == nil)
    try ElectionFile.write(record, disk, "data")
    #expect(try ElectionFile.read(disk, "data") == record)
    disk.cutPower()
    disk.restorePower()
    #expect(try ElectionFile.read(disk, "data") == record, "it is durable")
  }

  @Test func kafkasOwnFilesAreRead() throws {
    let first = """
      {"clusterId":"","leaderId":1,"leaderEpoch":12,"votedId":-1,"appliedOffset":0,
       "currentVoters":[{"voterId":1},{"voterId":2}],"data_version":0}
      """
    #expect(try ElectionFile.decode(Array(first.utf8)) == ElectionRecord(epoch: LeaderEpoch(12), leader: NodeID(1)))
    let second = """
      {"leaderId":-1,"leaderEpoch":3,"votedId":2,"votedDirectoryId":"\(Self.directory)","data_version":1}
      """
    #expect(
      try ElectionFile.decode(Array(second.utf8))
        == ElectionRecord(epoch: LeaderEpoch(3), votedFor: ReplicaKey(NodeID(2), Self.directory)))
  }

  @Test(arguments: [
    "", "{", "{}", "[]", "null", #"{"leaderId":1}"#, #"{"leaderId":1,"leaderEpoch":-4,"votedId":-1,"data_version":0}"#,
    #"{"leaderId":1,"leaderEpoch":4,"votedId":-1,"data_version":2}"#,
    #"{"leaderId":1,"leaderEpoch":4,"votedId":-1,"data_version":1}"#,
    #"{"leaderId":1,"leaderEpoch":99999999999,"votedId":-1,"data_version":0}"#,
    #"{"leaderId":1,"leaderEpoch":"4","votedId":-1,"data_version":0}"#,
    #"{"leaderId":1,"leaderEpoch":4,"votedId":-1,"data_version":0} x"#,
    #"{"leaderId":1,"leaderId":2,"leaderEpoch":4,"votedId":-1,"data_version":0}"#, #"{"leaderId":1,"leaderEpo"#,
  ]) func aDamagedElectionIsNotBelieved(text: String) {
    #expect(throws: ElectionFile.StateFault.self) { try ElectionFile.decode(Array(text.utf8)) }
  }

  @Test func aNodeDoesNotStartWithADamagedElection() throws {
    let node = try QuorumNode(1)
    try node.start()
    _ = try node.recorder.untilLeading()
    node.stop()
    node.disk.damage("\(QuorumNode.folder)/quorum-state") { $0.removeLast(10) }
    let error = #expect(throws: StartRefusal.self) { try node.start() }
    #expect(error?.description.contains("quorum-state cannot be read") == true)
  }

  @Test func deepListsDoNotEndTheProcess() {
    let text = #"{"a":"# + String(repeating: "[", count: 100_000)
    #expect(FlatJSON.read(Array(text.utf8)) == nil)
    #expect(
      FlatJSON.read(Array(#"{"a":[1,{"b":true}],"c":"\"x","d":-3}"#.utf8)) == [
        "a": .other, "c": .text("\"x"), "d": .number(-3),
      ])
  }

  // MARK: Snapshots

  private static let content: SnapshotFile.Content = {
    var image = MetadataImage()
    image.replay(.featureChanged(name: "metadata.version", level: 30))
    for id in 0..<60 as Range<UInt64> {
      guard let name = TopicName("topic-\(id)") else { continue }
      let topic = UniqueID(high: 5, low: id + 1)
      image.replay(.topicCreated(name, topic))
      image.replay(
        .partitionCreated(
          topic: topic, PartitionIndex(0),
          PartitionState(
            replicas: [NodeID(1), NodeID(2)], inSync: [NodeID(1)], leader: NodeID(1), leaderEpoch: LeaderEpoch(3),
            partitionEpoch: 4, directories: [.zero, .zero])))
      image.replay(
        .configChanged(.topic(name.text), key: "placement", value: String(repeating: "x", count: 20_000)))
    }
    let voter = Voter(
      ReplicaKey(NodeID(1), directory),
      endpoints: [Consensus.Endpoint(listener: "CONTROLLER", host: "localhost", port: 9093)])
    return SnapshotFile.Content(image: image, voters: VoterSet([voter]))
  }()
  private static let id = SnapshotID(end: Offset(123_456), epoch: LeaderEpoch(7))

  private func files() throws -> (SimulatedDisk, SnapshotFile) {
    let disk = SimulatedDisk(seed: 1)
    try disk.createDirectory("data")
    try disk.syncDirectory("data")
    return (disk, SnapshotFile(disk: disk, folder: "data"))
  }

  private func written() throws -> (SimulatedDisk, SnapshotFile, Snapshot) {
    let (disk, files) = try files()
    let time = Timestamp(milliseconds: 1)
    return (disk, files, try files.write(Self.id, Self.content, lastTimestamp: time, now: time))
  }

  @Test func aSnapshotComesBackAsItWasWritten() throws {
    let (disk, files, snapshot) = try written()
    #expect(files.path(Self.id) == "data/00000000000000123456-0000000007.checkpoint")
    #expect(try files.list() == [Self.id])
    #expect(try files.read(Self.id) == Self.content)
    #expect(try files.size(of: Self.id) == snapshot.size)
    #expect(snapshot.size > .mebibytes(1), "there are several batches")
    disk.cutPower()
    disk.restorePower()
    #expect(try files.read(Self.id) == Self.content, "it is durable")
  }

  @Test func aSnapshotIsWholeOrItIsNone() throws {
    let (disk, files, _) = try written()
    let bytes = try #require(disk.peek(files.path(Self.id)))
    for end in stride(from: 0, to: bytes.count, by: 49_999) {
      #expect(throws: (any Error).self) { try SnapshotFile.decode(Array(bytes.prefix(end))) }
    }
    #expect(throws: (any Error).self) { try SnapshotFile.decode(bytes + bytes) }
    #expect(throws: (any Error).self) { try SnapshotFile.decode(bytes + [0]) }
    for place in stride(from: 17, to: bytes.count, by: 60_013) {
      var damaged = bytes
      damaged[place] ^= 1
      #expect(throws: (any Error).self) { try SnapshotFile.decode(damaged) }
    }
  }

  /// Whenever the power fails, there is a whole snapshot or none.
  @Test(arguments: 0..<12) func anInterruptedSnapshotIsNoSnapshot(effect: Int) throws {
    let (disk, files) = try files()
    var content = SnapshotFile.Content(image: MetadataImage(), voters: Self.content.voters)
    for level in 1...9 as ClosedRange<Int16> { content.image.replay(feature("feature-\(level)", level)) }
    disk.cutPower(atEffect: disk.effects + effect)
    let time = Timestamp(milliseconds: 1)
    _ = try? files.write(Self.id, content, lastTimestamp: time, now: time)
    disk.cutPower(atEffect: nil)
    disk.cutPower()
    disk.restorePower()
    if try files.list().contains(Self.id) { #expect(try files.read(Self.id) == content) }
    try files.removeParts()
    #expect(try disk.list("data").allSatisfy { $0.hasSuffix(".checkpoint") })
  }

  @Test func otherFilesAreNoSnapshots() {
    for name in [
      "00000000000000000000.log", "00000000000000123456-0000000007.checkpoint.part", "quorum-state",
      "123456-7.checkpoint", "-0000000000000123456-0000000007.checkpoint", "00000000000000123456-000000000x.checkpoint",
      "0000000000000012345678-00000007.checkpoint",
    ] { #expect(SnapshotFile.id(name) == nil, "\(name)") }
    #expect(SnapshotFile.id(SnapshotFile.name(Self.id)) == Self.id)
    #expect(SnapshotFile.name(QuorumBootstrap.snapshot) == "00000000000000000000-0000000000.checkpoint")
  }
}
