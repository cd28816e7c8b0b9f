import Telemetry
import Testing
import Vocabulary

@testable import KubernetesAPI

@Suite struct WorkQueueTests {
  var core = WorkQueueCore<String>()
  let start = Instant(nanoseconds: 1_000_000_000)
  func at(_ milliseconds: Int64) -> Instant { start + .milliseconds(milliseconds) }

  @Test mutating func keysComeInTheOrderInWhichTheyWereAdded() {
    for key in ["c", "a", "b", "a", "c"] { core.add(key) }
    #expect([core.next(at: start), core.next(at: start), core.next(at: start)] == ["c", "a", "b"])
    #expect(core.next(at: start) == nil)
  }

  @Test mutating func aKeyIsNeverWorkedOnTwiceAtOnceAndNeverLost() {
    core.add("a")
    #expect(core.next(at: start) == "a")
    core.add("a")
    core.add("a")
    core.add("b")
    #expect(core.next(at: start) == "b")
    #expect(core.next(at: start) == nil)
    core.done("a")
    #expect(core.next(at: start) == "a")
    core.done("a")
    #expect(core.next(at: start) == nil)
    core.done("b")
    #expect(core.runningCount == 0)
  }

  @Test mutating func aDelayedKeyComesWhenItIsDueAndTheEarliestWishCounts() {
    core.add("a", after: .milliseconds(100), at: start)
    core.add("b", after: .milliseconds(50), at: start)
    core.add("a", after: .milliseconds(20), at: start)
    core.add("b", after: .milliseconds(500), at: start)
    #expect(core.nextDue == at(20))
    #expect(core.next(at: at(19)) == nil)
    #expect(core.next(at: at(20)) == "a")
    core.done("a")
    #expect(core.next(at: at(49)) == nil)
    #expect(core.next(at: at(2000)) == "b")
    core.done("b")
    #expect(core.next(at: at(5000)) == nil)
    #expect(core.delayedCount == 0)
  }

  @Test mutating func aKeyThatFailsWaitsTwiceAsLongEachTimeUntilItSucceeds() {
    let pauses = (0..<14).map { _ in core.retry("a", at: start).milliseconds }
    #expect(
      pauses == [50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000, 60_000])
    for _ in 0..<100 { core.retry("a", at: start) }
    #expect(core.failures(of: "a") == 114)
    #expect(core.retry("b", at: start) == .milliseconds(50))
    core.forget("a")
    #expect(core.retry("a", at: start) == .milliseconds(50))
  }

  @Test func aQueueTellsOfItselfWhatOtherControllersTell() async {
    struct Refused: Error {}
    let metrics = MetricRegistry()
    let queue = WorkQueue<String>("keys", metrics: metrics)
    for key in ["a", "b", "a"] { queue.add(key) }
    func told() -> [Substring] {
      String(decoding: metrics.exposition(), as: UTF8.self).split(separator: "\n").filter { line in
        ["depth", "adds", "retries", "work_duration_seconds_count"].contains { line.hasPrefix("workqueue_\($0)") }
      }
    }
    #expect(told().contains(#"workqueue_depth{name="keys"} 2"#))
    await queue.work(tasks: 1) { key in
      if key == "a", queue.failures(of: key) == 0 { throw Refused() }
      if key == "a" { queue.close() }
      return nil
    }
    #expect(
      Set(told()) == [
        #"workqueue_depth{name="keys"} 0"#, #"workqueue_adds_total{name="keys"} 3"#,
        #"workqueue_retries_total{name="keys"} 1"#, #"workqueue_work_duration_seconds_count{name="keys"} 3"#,
      ])
  }

  @Test mutating func aKeyThatFailsWhileItIsAddedAgainComesAtOnce() {
    core.add("a")
    _ = core.next(at: start)
    core.add("a")
    core.retry("a", at: start)
    core.done("a")
    #expect(core.next(at: start) == "a")
  }

  @Test(arguments: 0..<50) func whateverHappensEveryWishIsMetOnce(seed: UInt64) {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    func below(_ bound: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(bound))
    }
    var core = WorkQueueCore<Int>()
    var now = start
    var running: [Int] = []
    // When a key was last wished for, and when it was last given.
    var step = 0
    var wished: [Int: Int] = [:]
    var given: [Int: Int] = [:]
    for _ in 0..<2000 {
      step += 1
      let key = below(20)
      switch below(5) {
      case 0:
        core.add(key)
        wished[key] = step
      case 1:
        core.add(key, after: .milliseconds(Int64(below(30))), at: now)
        wished[key] = step
      case 2:
        if let next = core.next(at: now) {
          #expect(!running.contains(next), "worked on twice at once")
          running.append(next)
          given[next] = step
        }
      case 3: if !running.isEmpty { core.done(running.remove(at: below(running.count))) }
      default: now = now + .milliseconds(Int64(below(10)))
      }
    }
    for key in running { core.done(key) }
    now = now + .seconds(10)
    while let next = core.next(at: now) {
      step += 1
      given[next] = step
      core.done(next)
    }
    for (key, when) in wished { #expect(given[key] ?? 0 > when, "key \(key) was lost") }
    #expect(core.readyCount == 0 && core.delayedCount == 0)
  }

  @Test func tasksTakeKeysAndFailuresComeAgain() async {
    var pauses = WorkQueueCore<Int>.Pauses()
    pauses.first = .milliseconds(1)
    let queue = WorkQueue<Int>(pauses: pauses)
    let tally = Tally()
    for key in 0..<100 { queue.add(key) }
    await queue.work(tasks: 4) { key in
      let tries = await tally.count(key)
      if key % 10 == 0 && tries < 3 { throw Failure() }
      if await tally.finish(key) == 100 { queue.close() }
      return nil
    }
    #expect(await tally.tries == 120)
    #expect(await queue.next() == nil)
  }

  @Test func workThatHasNotBegunLeavesItsFailuresAsTheyWere() async {
    let queue = WorkQueue<Int>(pauses: .init(first: .milliseconds(1)))
    let tally = Tally()
    queue.add(1)
    await queue.work(tasks: 1) { key in
      switch await tally.count(key) {
      case 1, 2: throw Failure()
      case 3: throw WorkLater(.milliseconds(1))
      case 4:
        #expect(queue.failures(of: key) == 2)
        return .milliseconds(1)
      default:
        #expect(queue.failures(of: key) == 0)
        queue.close()
        return nil
      }
    }
    #expect(await tally.tries == 5)
  }

  struct Failure: Error {}
  actor Tally {
    private var counts: [Int: Int] = [:]
    private var finished: Set<Int> = []
    var tries: Int { counts.values.reduce(0, +) }
    func count(_ key: Int) -> Int {
      counts[key, default: 0] += 1
      return counts[key] ?? 0
    }
    func finish(_ key: Int) -> Int {
      finished.insert(key)
      return finished.count
    }
  }
}
