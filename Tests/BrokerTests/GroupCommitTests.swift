import EventLoop
import LogStorage
import SimulatedWorld
import Testing
import Vocabulary

@testable import Broker

/// `flush.messages=1`: what is acknowledged is on disk, and one sync serves everyone who waits.
@Suite struct GroupCommitTests {
  private let workshop: Workshop
  private let partition: Partition
  private let outcomes = Events<AppendOutcome>()

  init() throws {
    workshop = try Workshop()
    partition = try workshop.partition("orders", ["flush.messages": "1"])
    workshop.disk.close()
  }

  private func put(_ values: [String]) {
    let outcomes = outcomes
    partition.put(values) { outcomes.add($0) }
  }

  private func isEmptyForConsumers() throws -> Bool {
    if case .empty = try partition.log.read(
      from: .zero, maxBytes: 1000, upTo: partition.highWatermark, minimum: .oneBatch)
    {
      return true
    }
    return false
  }

  @Test func nothingIsAcknowledgedOrShownBeforeItsSync() throws {
    put(["a", "b"])
    _ = try workshop.disk.began.next()
    #expect(outcomes.count == 0)
    #expect(partition.highWatermark == .zero)
    #expect(try isEmptyForConsumers())
    workshop.disk.permitOne()
    #expect(try outcomes.next().isKept)
    #expect(partition.highWatermark == Offset(2))
    #expect(partition.log.syncedOffset == Offset(2))
  }

  @Test func whoComesDuringASyncSharesTheNextOne() throws {
    put(["first"])
    _ = try workshop.disk.began.next()
    for value in ["second", "third", "fourth"] { put([value]) }
    workshop.disk.permitOne()
    #expect(try outcomes.next().isKept)
    #expect(try workshop.disk.began.next() == 2)
    #expect(outcomes.count == 0, "the sync that ran already says nothing about what came during it")
    #expect(partition.highWatermark == Offset(1))
    workshop.disk.permitOne()
    for _ in 0..<3 { #expect(try outcomes.next().isKept) }
    #expect(partition.highWatermark == Offset(4))
    #expect(workshop.disk.syncs == 2)
  }

  @Test func aFailedSyncFailsEveryoneAndShowsNothing() throws {
    put(["first"])
    _ = try workshop.disk.began.next()
    for value in ["second", "third"] { put([value]) }
    workshop.disk.inner.failNextSync()
    workshop.disk.permitOne()
    for _ in 0..<3 { #expect(try outcomes.next().isFailed) }
    #expect(partition.highWatermark == .zero)
    #expect(try isEmptyForConsumers())
    put(["after"])
    #expect(try outcomes.next().isFailed, "a log whose sync failed takes no more writes")
    #expect(workshop.disk.syncs == 1, "it is not tried again: the kernel forgets a failure with the pages")
  }

  @Test func aConsumerThatWaitsIsWokenByTheSyncAndNotByTheAppend() throws {
    let woken = Events<Void>()
    FetchWait(partitions: [partition]) { woken.add(()) }
      .start(seen: [partition.highWatermark], until: .never, on: workshop.loop)
    put(["a"])
    _ = try workshop.disk.began.next()
    #expect(woken.count == 0)
    workshop.disk.permitOne()
    try woken.next()
  }

  @Test func aDeletedPartitionFailsWhoWaitsForItsSync() throws {
    put(["a"])
    _ = try workshop.disk.began.next()
    partition.retire()
    #expect(try outcomes.next().isFailed)
    workshop.disk.permitOne()
  }

  @Test func withoutItAnAppendIsKeptInThePageCache() throws {
    let fast = try workshop.partition("fast")
    let outcomes = Events<AppendOutcome>()
    fast.put(["a"]) { outcomes.add($0) }
    #expect(outcomes.count == 1)
    #expect(try outcomes.next().isKept)
    #expect(fast.highWatermark == Offset(1))
    #expect(workshop.disk.syncs == 0)
  }

  @Test func everySoManyRecordsAreSyncedInTheBackground() throws {
    let counted = try workshop.partition("counted", ["flush.messages": "3"])
    counted.put("1")
    counted.put("2")
    #expect(workshop.disk.syncs == 0)
    counted.put("3")
    #expect(counted.highWatermark == Offset(3), "nobody waits for it")
    _ = try workshop.disk.began.next()
    workshop.disk.permitOne()
  }

  @Test func aRecordIsDueForASyncOnlyAfterItsTime() throws {
    let timed = try workshop.partition("timed", ["flush.ms": "1000"])
    let before = monotonicNow()
    #expect(!timed.isSyncDue(at: .never))
    timed.put("1")
    #expect(!timed.isSyncDue(at: before))
    #expect(timed.isSyncDue(at: monotonicNow() + .milliseconds(1000)))
  }
}
