import EventLoop
import LogStorage
import Synchronization
import Testing
import Vocabulary

@testable import Broker

@Suite struct FetchWaitTests {
  @Test func anAppendBetweenReadAndWaitWakesAtOnce() throws {
    let workshop = try Workshop()
    let partition = try workshop.partition()
    let seen = partition.highWatermark
    partition.put("late")
    let woken = Events<Void>()
    FetchWait(partitions: [partition]) { woken.add(()) }.start(seen: [seen], until: .never, on: workshop.loop)
    #expect(woken.count == 1)
  }

  @Test func anAppendWakesWhoWaits() throws {
    let workshop = try Workshop()
    let partitions = try [workshop.partition("a"), workshop.partition("b")]
    let woken = Events<Void>()
    FetchWait(partitions: partitions) { woken.add(()) }
      .start(seen: partitions.map(\.highWatermark), until: .never, on: workshop.loop)
    #expect(woken.count == 0)
    partitions[1].put("new")
    #expect(woken.count == 1)
    partitions[0].put("newer")
    partitions[1].put("newest")
    #expect(woken.count == 1, "it ends once")
  }

  @Test func itsTimeEndsIt() throws {
    let workshop = try Workshop()
    let partition = try workshop.partition()
    let woken = Events<Void>()
    FetchWait(partitions: [partition]) { woken.add(()) }
      .start(seen: [partition.highWatermark], until: monotonicNow(), on: workshop.loop)
    try woken.next()
    partition.put("later")
    #expect(woken.count == 0)
  }

  @Test func aDeletedPartitionEndsIt() throws {
    let workshop = try Workshop()
    let partition = try workshop.partition()
    let woken = Events<Void>()
    FetchWait(partitions: [partition]) { woken.add(()) }
      .start(seen: [partition.highWatermark], until: .never, on: workshop.loop)
    partition.retire()
    #expect(woken.count == 1)
  }

  @Test func aPartitionThatWasDeletedBetweenReadAndWaitEndsIt() throws {
    let workshop = try Workshop()
    let partition = try workshop.partition()
    let seen = partition.highWatermark
    partition.retire()
    let woken = Events<Void>()
    FetchWait(partitions: [partition]) { woken.add(()) }.start(seen: [seen], until: .never, on: workshop.loop)
    #expect(woken.count == 1)
  }

  /// An append may end it while it is still telling its later partitions that it waits.
  @Test func aWaitThatEndedWhileItBeganLeavesNothingBehind() throws {
    let workshop = try Workshop()
    let partition = try workshop.partition()
    weak var wait: FetchWait?
    do {
      let begun = FetchWait(partitions: [partition]) {}
      wait = begun
      begun.finish()
      begun.start(seen: [partition.highWatermark], until: .never, on: workshop.loop)
    }
    #expect(wait == nil, "the partition holds a wait that is over, for as long as it lives")
  }

  @Test func aWaitThatEndedIsForgotten() throws {
    let workshop = try Workshop()
    let partition = try workshop.partition()
    weak var wait: FetchWait?
    do {
      let begun = FetchWait(partitions: [partition]) {}
      wait = begun
      begun.start(seen: [partition.highWatermark], until: .never, on: workshop.loop)
      partition.put("new")
    }
    #expect(wait == nil)
  }

  /// Appends, the timer and a deletion meet, again and again: somebody ends each wait, and nobody ends it twice.
  @Test func whoeverComesFirstEndsItAndNobodyElse() throws {
    let workshop = try Workshop()
    let ended = Events<Int>()
    for round in 0..<200 {
      let partitions = try [workshop.partition("a\(round)"), workshop.partition("b\(round)")]
      let wait = FetchWait(partitions: partitions) { ended.add(round) }
      let seen = partitions.map(\.highWatermark)
      let done = Events<Void>()
      for partition in partitions {
        workshop.pool.run {
          partition.put("x")
          done.add(())
        }
      }
      workshop.pool.run {
        partitions[1].retire()
        done.add(())
      }
      wait.start(seen: seen, until: monotonicNow(), on: workshop.loop)
      #expect(try ended.next() == round)
      for _ in 0..<3 { try done.next() }
    }
    #expect(ended.count == 0)
  }
}
