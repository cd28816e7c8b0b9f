@testable import ClusterMetadata
import EventLoop
import LogStorage
import Replication
import SimulatedWorld
import Testing
import Vocabulary

@testable import Broker

/// Where a copy is put and found, on disks that can be looked at.
@Suite struct StoragePlacementTests {
  private static let node = NodeID(1)
  private static let folders = [UniqueID(high: 9, low: 1), UniqueID(high: 9, low: 2)]

  private func directories(_ disks: [SimulatedDisk]) throws -> [LogDirectory] {
    try zip(disks, Self.folders).map { disk, id in
      try LogDirectory.open(
        disk: disk, openFiles: OpenFiles(limit: 16), path: "data-\(id.low)",
        expected: DirectoryIdentity(clusterID: "c", nodeID: Self.node, directoryID: id))
    }
  }

  private func storage(_ disks: [SimulatedDisk], absent: [String] = []) throws -> Storage {
    let opened = try directories(disks)
    return Storage(
      LogDirectories(home: opened[0], partitions: opened, absent: absent),
      pool: try BlockingPool(threads: 1, name: "placement")
    ) { _, _ in }
  }

  private func topic(_ directory: UniqueID) -> TopicState {
    TopicState(
      name: TopicName("orders")!, id: UniqueID(high: 1, low: 7),
      partitions: [
        ClusterMetadata.PartitionState(
          replicas: [Self.node], inSync: [Self.node], leader: Self.node, leaderEpoch: LeaderEpoch(0), partitionEpoch: 0,
          directories: [directory])
      ])
  }

  private let name = TopicPartition(TopicName("orders")!, PartitionIndex(0))

  private func place(_ storage: Storage, _ directory: UniqueID) throws -> UniqueID? {
    try storage.place(of: name, topic(directory), Self.node)?.id
  }

  @Test func aCopyIsWhereItIsFoundWhateverTheMetadataSays() throws {
    let disks = [SimulatedDisk(seed: 1), SimulatedDisk(seed: 2)]
    let storage = try storage(disks)
    defer { storage.pool.stop() }
    try disks[1].createDirectory("data-2/orders-0")
    #expect(try place(storage, Self.folders[0]) == Self.folders[1])
    #expect(try place(storage, .unassignedDirectory) == Self.folders[1])
    try disks[0].createDirectory("data-1/orders-0")
    #expect(try place(storage, Self.folders[0]) == Self.folders[0], "of two the one counts that the metadata names")
    #expect(try place(storage, Self.folders[1]) == Self.folders[1])
  }

  @Test func aCopyThatIsNowhereIsMadeWhereThereIsLeast() throws {
    let storage = try storage([SimulatedDisk(seed: 1), SimulatedDisk(seed: 2)])
    defer { storage.pool.stop() }
    storage.folders[0].count(3)
    #expect(try place(storage, .unassignedDirectory) == nil)
    let anywhere = topic(.unassignedDirectory)
    #expect(try storage.newPlace(of: name, anywhere, Self.node).id == Self.folders[1])
    #expect(try storage.newPlace(of: name, topic(Self.folders[0]), Self.node).id == Self.folders[0])
    #expect(storage.folders[1].fail() && !storage.folders[1].fail())
    #expect(try storage.newPlace(of: name, anywhere, Self.node).id == Self.folders[0], "its disk is well")
    _ = storage.folders[0].fail()
    #expect(throws: StorageError.self) { try storage.newPlace(of: name, anywhere, Self.node) }
  }

  @Test func whatMayLieOnADiskThatFailedIsNotMadeAnewElsewhere() throws {
    let storage = try storage([SimulatedDisk(seed: 1), SimulatedDisk(seed: 2)], absent: ["data-3"])
    defer { storage.pool.stop() }
    #expect(throws: StorageError.self) { try place(storage, UniqueID(high: 9, low: 3)) }
    #expect(try place(storage, .unassignedDirectory) == nil, "it was never put anywhere")
    _ = storage.folders[1].fail()
    #expect(throws: StorageError.self) { try place(storage, Self.folders[1]) }
  }
}
