import SimulatedWorld
import Testing
import Vocabulary

@testable import LogStorage

/// A compacted segment takes its predecessor's indexes away before it takes its place: others may look for one then.
@Suite struct VanishingIndexTests {
  private func log() throws -> PartitionLog {
    let disk = SimulatedDisk(seed: 1)
    disk.removesWhenOpened("index")
    let log = try Make.log(disk, CleanerTests.settings())
    for n in 0..<40 { try log.put(Make.batch(["v\(n)"], keys: ["k\(n)"])) }
    #expect(log.segmentCount > 2)
    return log
  }

  @Test func aFlushNeedsNoIndexThatIsBeingReplaced() throws {
    let log = try log()
    #expect(try log.flush() == Offset(40))
    #expect(log.failure == nil)
  }

  @Test func aReaderWalksWhereAnIndexHasJustGone() throws {
    let log = try log()
    #expect(try log.values() == (0..<40).map { "v\($0)" })
    #expect(try log.offset(forTimestamp: Timestamp(milliseconds: 1))?.offset == .zero)
    #expect(log.failure == nil)
  }
}
