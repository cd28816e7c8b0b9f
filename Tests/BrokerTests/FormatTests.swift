import Consensus
import LogStorage
import SimulatedWorld
import Testing
import Vocabulary

@testable import Broker

/// What is said about options that cannot be meant, and what is written for those that can.
@Suite struct FormatTests {
  private static let fresh = UniqueID(high: 3, low: 4)
  private static let one = UniqueID(high: 1, low: 1)
  private static let two = UniqueID(high: 1, low: 2)

  private static let controller = [
    "node.id": "1", "process.roles": "broker,controller", "controller.listener.names": "CONTROLLER",
    "listeners": "PLAINTEXT://localhost:9092,CONTROLLER://node1:9093",
    "controller.quorum.bootstrap.servers": "node1:9093",
  ]

  private func plan(_ words: [String], _ changes: [String: String?] = [:]) throws -> FormatPlan {
    var values = Self.controller
    for (key, value) in changes { values[key] = value }
    return try FormatPlan(try FormatOptions(["-t", "c"] + words), try BrokerSettings(values), fresh: Self.fresh)
  }

  private func sentence(_ words: [String], _ changes: [String: String?] = [:]) -> String {
    do {
      _ = try plan(words, changes)
      return ""
    } catch let error as StorageUsageError {
      return error.sentence
    } catch {
      return "another error: \(error)"
    }
  }

  private static func voter(_ id: Int32, _ directory: UniqueID) -> Voter {
    Voter(
      ReplicaKey(NodeID(id), directory),
      endpoints: [Consensus.Endpoint(listener: "CONTROLLER", host: "node\(id)", port: 9093)])
  }

  @Test func aStandaloneControllerIsItsOwnQuorumUnderAFreshName() throws {
    let plan = try plan(["--standalone"])
    #expect(plan.key == ReplicaKey(NodeID(1), Self.fresh))
    #expect(plan.voters == VoterSet([Self.voter(1, Self.fresh)]))
  }

  @Test func initialControllersGiveTheFolderItsName() throws {
    let plan = try plan(["-I", "2@node2:9093:\(Self.two),1@node1:9093:\(Self.one)"])
    #expect(plan.key == ReplicaKey(NodeID(1), Self.one))
    #expect(plan.voters == VoterSet([Self.voter(1, Self.one), Self.voter(2, Self.two)]))
  }

  @Test func withoutInitialControllersNothingSaysWhoVotes() throws {
    #expect(try plan(["-N"]).voters == nil)
    #expect(
      try plan(
        [], ["process.roles": "broker", "listeners": "PLAINTEXT://localhost:9092"]
      ).voters == nil)
  }

  @Test(arguments: [
    (["-s", "-N"], "--standalone and --no-initial-controllers exclude each other"),
    (["-s", "-s"], "--standalone is there twice"),
    (["-I", "1@node1:9093:\(one),1@node2:9093:\(two)"], "names node 1 twice"),
    (["-I", "1@node1:9093:\(one),2@node2:9093:\(one)"], "to two nodes"),
    (["-I", "2@node2:9093:\(two)"], "does not name node 1, which is this one"),
    (["-I", "1@node1:9093:nonsense"], "'nonsense' of node 1 is no directory id"),
    (["-I", "1@node1:9093:AAAAAAAAAAAAAAAAAAAAAA"], "is no directory id"),
    (["-I", "1@node1:\(one)"], "is not id@host:port:directory-id"),
    (["-I", "x@node1:9093:\(one)"], "which is no node.id"),
    (["-I", ""], "is not id@host:port:directory-id"),
    (["-I"], "-I needs a value after it"),
    ([], "needs one of --standalone, --initial-controllers and --no-initial-controllers"),
    (["-f", "kraft.version=0"], "kraft.version has the level 1"),
    (["-f", "share.version=1"], "there is no feature share.version"),
    (["-r", "2.8"], "a release from 3.0 on is needed"),
    (["--what"], "unknown option --what"),
  ]) func whatCannotBeMeantIsSaidInOneSentence(words: [String], part: String) {
    #expect(sentence(words).contains(part))
  }

  @Test func whatSaysTheSameAnywayIsAccepted() throws {
    let plan = try plan(["-s", "-f", "kraft.version=1", "--feature", "metadata.version=30", "-r", "3.9-IV0"])
    #expect(plan.voters?.count == 1)
  }

  @Test func optionsThatContradictTheConfigurationAreRefused() {
    let fixed: [String: String?] = [
      "controller.quorum.bootstrap.servers": nil, "controller.quorum.voters": "1@node1:9093",
    ]
    #expect(sentence(["-s"], fixed).contains("controller.quorum.voters says already who votes"))
    #expect(sentence([], fixed) == "")
    let broker: [String: String?] = ["process.roles": "broker", "listeners": "PLAINTEXT://localhost:9092"]
    #expect(sentence(["-s"], broker).contains("process.roles does not say controller"))
    let alone: [String: String?] = [
      "controller.quorum.bootstrap.servers": nil, "controller.listener.names": nil, "process.roles": nil,
      "listeners": "PLAINTEXT://localhost:9092",
    ]
    #expect(sentence(["-s"], alone) == "")
    #expect(sentence(["-N"], alone).contains("is a quorum of its own"))
  }

  /// A crash while the folder is formatted leaves nothing that a node would start from, and nothing in the way.
  @Test(arguments: 0..<16) func aFormatThatACrashInterruptsIsDoneAgain(effect: Int) throws {
    let disk = SimulatedDisk(seed: UInt64(effect) + 1)
    try disk.createDirectory("data")
    let folder = "data/\(MetadataLog.folder)"
    let identity = DirectoryIdentity(clusterID: "c", nodeID: NodeID(1), directoryID: Self.one)
    let voters = VoterSet([Self.voter(1, Self.one)])
    func format() throws {
      try QuorumBootstrap.removeRemains(folder: folder, disk: disk)
      try LogDirectory.format(disk: disk, path: "data", identity: identity) { () throws(StorageError) in
        try QuorumBootstrap.write(voters: voters, folder: folder, disk: disk, now: Timestamp(milliseconds: 1))
      }
    }
    disk.cutPower(atEffect: disk.effects + effect)
    let isDone = (try? format()) != nil
    disk.cutPower(atEffect: nil)
    disk.cutPower()
    disk.restorePower()
    if try LogDirectory.clusterID(disk: disk, path: "data") == nil {
      #expect(!isDone, "what was said to be done is there")
      try format()
    }
    let read = try SnapshotFile(disk: disk, folder: folder).read(QuorumBootstrap.snapshot)
    #expect(read.voters == voters, "who is formatted knows who votes")
  }
}
