import EventLoop
import Synchronization
import Testing
import Vocabulary

@Suite struct EventLoopTests {
  @Test func jobsRunOnTheLoopInTheOrderOfTheirPosting() throws {
    let loop = try EventLoop(name: "order")
    let ran = Events<(Int, Bool)>()
    for number in 0..<500 { loop.post { ran.add((number, loop.isCurrent)) } }
    try loop.start()
    for number in 500..<1000 { loop.post { ran.add((number, loop.isCurrent)) } }
    for expected in 0..<1000 {
      let (number, isCurrent) = try ran.next()
      #expect(number == expected && isCurrent)
    }
    #expect(!loop.isCurrent)
    loop.stop()
  }

  @Test func stopRunsWhatWasPostedBeforeAndJoins() throws {
    let loop = try EventLoop(name: "stop")
    try loop.start()
    let ran = Atomic<Int>(0)
    for _ in 0..<100 { loop.post { ran.add(1, ordering: .relaxed) } }
    loop.stop()
    #expect(ran.load(ordering: .relaxed) == 100)
    loop.post { ran.add(1, ordering: .relaxed) }
    loop.stop()
    #expect(ran.load(ordering: .relaxed) == 100)
  }

  @Test func timersRunInTheOrderOfTheirTimesAndNotEarly() throws {
    let loop = try EventLoop(name: "timers")
    try loop.start()
    let ran = Events<(Int, Instant)>()
    let start = monotonicNow()
    for delay in [30, 5, 20, 0, 10] {
      loop.schedule(at: start + .milliseconds(Int64(delay))) { ran.add((delay, monotonicNow())) }
    }
    for expected in [0, 5, 10, 20, 30] {
      let (delay, time) = try ran.next()
      #expect(delay == expected)
      #expect(time >= start + .milliseconds(Int64(delay)))
    }
    loop.stop()
  }

  @Test func aCancelledTimerNeverRuns() throws {
    let loop = try EventLoop(name: "cancel")
    try loop.start()
    let ran = Events<Int>()
    let start = monotonicNow()
    let timers = (0..<5000).map { number in
      loop.schedule(at: start + .milliseconds(Int64(20 + number % 10))) { ran.add(number) }
    }
    var prevented = Set<Int>()
    for number in 0..<5000 where number % 5 != 0 { if timers[number].cancel() { prevented.insert(number) } }
    // The last one comes after all others.
    loop.schedule(at: start + .milliseconds(60)) { ran.add(-1) }
    var seen = Set<Int>()
    while case let number = try ran.next(), number >= 0 { seen.insert(number) }
    #expect(seen.isDisjoint(with: prevented))
    #expect(seen.union(prevented).count == 5000)
    #expect(timers.allSatisfy { !$0.cancel() })
    loop.stop()
  }

  @Test func aTimerThatIsSetWhileTheLoopSleepsLongerWakesIt() throws {
    let loop = try EventLoop(name: "earlier")
    try loop.start()
    let ran = Events<String>()
    let late = loop.schedule(after: .seconds(3600)) { ran.add("late") }
    loop.schedule(after: .milliseconds(1)) { ran.add("early") }
    #expect(try ran.next() == "early")
    #expect(late.cancel())
    loop.stop()
  }

  @Test func aPoolRunsEverythingThatItWasGivenBeforeItStops() throws {
    let pool = try BlockingPool(threads: 3)
    let ran = Atomic<Int>(0)
    for _ in 0..<1000 { pool.run { ran.add(1, ordering: .relaxed) } }
    pool.stop()
    #expect(ran.load(ordering: .relaxed) == 1000)
  }

  @Test func aPoolRunsAsManyJobsAtOnceAsItHasThreads() throws {
    let pool = try BlockingPool(threads: 3)
    let arrived = Events<Int>()
    let leave = (0..<3).map { _ in Events<Int>() }
    for number in 0..<3 {
      pool.run {
        arrived.add(number)
        _ = try? leave[number].next()
      }
    }
    var seen = Set<Int>()
    for _ in 0..<3 { seen.insert(try arrived.next()) }
    #expect(seen == [0, 1, 2])
    for gate in leave { gate.add(0) }
    pool.stop()
  }
}
