import ClusterMetadata
import EventLoop
import LogStorage
import SimulatedWorld
import Synchronization
import Testing
import Vocabulary

@testable import Broker

@Suite struct ProducerIDTests {
  private struct Start {
    let ids: ProducerIDs
    let controller: Controller
  }

  /// A controller that knows what the log says, as after a restart.
  private func start(_ log: PartitionLog) throws -> Start {
    let metadata = MetadataLog(log: log)
    let controller = try Controller(log: metadata, image: metadata.load()) { _, _ in }
    return Start(ids: ProducerIDs(controller: controller, broker: NodeID(1)), controller: controller)
  }

  /// Asks from several threads at once, for more than several blocks.
  private func take(_ count: Int, from ids: ProducerIDs) throws -> [Int64] {
    let threads = 4
    let pool = try BlockingPool(threads: threads, name: "askers")
    let given = Mutex<[Int64]>([])
    let finished = Events<Bool>()
    for _ in 0..<threads {
      pool.run {
        for _ in 0..<count / threads {
          ids.next { result in
            guard case .success(let id) = result else { return finished.add(false) }
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
    return given.withLock { $0 }
  }

  @Test func anIDIsNeverGivenTwiceByManyThreadsAndAfterRestarts() throws {
    let workshop = try Workshop()
    let log = try workshop.log("__cluster_metadata")
    var seen: Set<Int64> = []
    for _ in 0..<3 {
      let start = try start(log)
      let given = try take(5000, from: start.ids)
      start.controller.stop()
      #expect(given.count == 5000)
      let new = Set(given)
      #expect(new.count == given.count, "given twice at once")
      #expect(seen.isDisjoint(with: new), "given again after a restart")
      #expect(new.allSatisfy { $0 >= 0 })
      seen.formUnion(new)
    }
  }

  @Test func anIDIsGivenOnlyOnceItsBlockIsOnDisk() throws {
    let workshop = try Workshop()
    let log = try workshop.log("__cluster_metadata")
    let start = try start(log)
    let given = Events<Bool>()
    workshop.disk.close()
    for _ in 0..<3 {
      start.ids.next { result in given.add((try? result.get()) != nil) }
    }
    _ = try workshop.disk.began.next()
    #expect(given.count == 0)
    workshop.disk.permitOne()
    for _ in 0..<3 { #expect(try given.next()) }
    #expect(workshop.disk.syncs == 1, "one write serves all who wait")
    start.controller.stop()
  }

  @Test func aDiskThatFailsGivesNobodyAnID() throws {
    let workshop = try Workshop()
    let log = try workshop.log("__cluster_metadata")
    let start = try start(log)
    let given = Events<Bool>()
    workshop.disk.inner.failNextSync()
    for _ in 0..<3 {
      start.ids.next { result in given.add((try? result.get()) != nil) }
    }
    for _ in 0..<3 { #expect(try !given.next()) }
    start.controller.stop()
  }
}
