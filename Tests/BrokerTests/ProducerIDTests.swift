import EventLoop
import KafkaProtocol
import Synchronization
import Testing
import Vocabulary

@testable import Broker

@Suite struct ProducerIDTests {
  /// Gives out blocks as a controller does: each once.
  private final class Blocks: Sendable {
    private let next = Mutex<Int64>(0)
    let asked = Mutex(0)
    func take() -> Range<Int64> {
      asked.withLock { $0 += 1 }
      return next.withLock { next in
        defer { next += 1000 }
        return next..<next + 1000
      }
    }
  }

  @Test func anIDIsNeverGivenTwiceByManyThreads() throws {
    let blocks = Blocks()
    let controller = try BlockingPool(threads: 1, name: "controller")
    let ids = ProducerIDs { arrived in controller.run { arrived(blocks.take()) } }
    let (count, threads) = (5000, 4)
    let pool = try BlockingPool(threads: threads, name: "askers")
    let given = Mutex<[Int64]>([])
    let finished = Events<Bool>()
    for _ in 0..<threads {
      pool.run {
        for _ in 0..<count / threads {
          ids.next { id in
            guard let id else { return finished.add(false) }
            let isLast = given.withLock { given in
              given.append(id.value)
              return given.count == count
            }
            if isLast { finished.add(true) }
          }
        }
      }
    }
    #expect(try finished.next())
    pool.stop()
    controller.stop()
    #expect(Set(given.withLock { $0 }).count == count)
    #expect(blocks.asked.withLock { $0 } == 5, "one request for a thousand ids")
  }

  @Test func oneRequestServesAllWhoWaitAndNobodyGetsAnIDBeforeIt() throws {
    let orders = Events<@Sendable (Range<Int64>?) -> Void>()
    let ids = ProducerIDs { orders.add($0) }
    let given = Events<ProducerID?>()
    for _ in 0..<3 { ids.next { given.add($0) } }
    let arrived = try orders.next()
    #expect(given.count == 0 && orders.count == 0)
    arrived(40..<1040)
    #expect(try (0..<3).map { _ in try given.next() } == [ProducerID(40), ProducerID(41), ProducerID(42)])
    #expect(orders.count == 0)
  }

  @Test func whoWaitsForABlockThatCannotBeHadIsToldAndTheNextOneAsksAgain() throws {
    let orders = Events<@Sendable (Range<Int64>?) -> Void>()
    let ids = ProducerIDs { orders.add($0) }
    let given = Events<ProducerID?>()
    for _ in 0..<3 { ids.next { given.add($0) } }
    try orders.next()(nil)
    for _ in 0..<3 { #expect(try given.next() == nil) }
    ids.next { given.add($0) }
    try orders.next()(7..<8)
    #expect(try given.next() == ProducerID(7))
  }

  @Test func anIDIsNotGivenAgainAfterARestart() throws {
    let folder = try TemporaryFolder()
    var seen: Set<Int64> = []
    for _ in 0..<3 {
      let running = try RunningBroker(in: folder)
      let client = try running.connect()
      for _ in 0..<5 {
        let answer = try client.ask(InitProducerIDRequest { $0.transactionalID = nil }, version: 4)
        #expect(answer.errorCode == .none)
        #expect(seen.insert(answer.producerID).inserted)
      }
    }
  }
}
