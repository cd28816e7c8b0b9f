import EventLoop
import Synchronization
import Vocabulary

/// One thread on which whole processes run as if each had threads, clocks and sockets of its own.
///
/// What a process has to do lies in its loops and pools. The stage has one of them do one thing, and then the next, in an
/// order that the seed draws; where nobody has anything to do, time passes. A thread that waits for another one (while
/// partitions are opened, or while a node stops) lets the stage go on below it.
final class BrokerStage: Sendable {
  /// Virtual microseconds.
  enum Spans {
    static let millisecond: Int64 = 1000
    static let second: Int64 = 1_000_000
  }
  /// How long doing one thing takes at most.
  private static let effortMax: Int64 = 20
  /// One step in so many leaves its performer standing for a while, as a scheduler may.
  private static let oddsOfStall: UInt64 = 200
  /// A history that has not ended by then turns in circles.
  static let stepsMax = 3_000_000

  private struct State {
    var now: Int64 = 0
    var random: SeededRandom
    var queue = EventQueue<@Sendable () -> Void>()
    var next: (at: Int64, job: @Sendable () -> Void)?
    var processes: [BrokerProcess] = []
    var steps = 0
    var hash: UInt64
    var trace: [String] = []
    var failure: String?
  }
  private let state: Mutex<State>
  let traces: Bool

  init(seed: UInt64, traces: Bool) {
    state = Mutex(State(random: SeededRandom(seed: seed &* 0x9e37_79b9 &+ 17), hash: seed))
    self.traces = traces
  }

  // MARK: What anybody may ask

  var now: Int64 { state.withLock { $0.now } }
  var steps: Int { state.withLock { $0.steps } }
  var hash: UInt64 { state.withLock { $0.hash } }
  var trace: [String] { state.withLock { $0.trace } }
  var failure: String? { state.withLock { $0.failure } }

  func chance() -> UInt64 { state.withLock { $0.random.next() } }
  /// A number from 0 up to, but not including, `end`.
  func draw(_ end: Int) -> Int { Int(chance() % UInt64(max(1, end))) }
  func happens(oneIn odds: Int) -> Bool { draw(odds) == 0 }

  /// Notes a broken promise: the first one counts.
  func fail(_ words: String) {
    note(words)
    state.withLock { $0.failure = $0.failure ?? words }
  }

  func note(_ words: @autoclosure () -> String) {
    guard traces else { return }
    let line = words()
    state.withLock { state in
      let micros = String(state.now % 1000)
      state.trace.append(
        "\(state.now / 1000).\(String(repeating: "0", count: 3 - micros.count) + micros) \(line)")
    }
  }

  /// Makes what has happened a part of what stands for the whole history.
  func mix(_ value: UInt64) { state.withLock { $0.hash = QuorumDisk.mix($0.hash, value) } }

  func schedule(after span: Int64, _ job: @escaping @Sendable () -> Void) {
    state.withLock { state in
      if let next = state.next {
        state.queue.add(next.job, at: next.at)
        state.next = nil
      }
      state.queue.add(job, at: state.now + max(0, span))
    }
  }

  func enter(_ process: BrokerProcess) { state.withLock { $0.processes.append(process) } }
  func leave(_ process: BrokerProcess) { state.withLock { state in state.processes.removeAll { $0 === process } } }

  // MARK: Steps

  private enum Step {
    case event(@Sendable () -> Void)
    case performance(BrokerProcess, Int)
    case ended
  }

  /// Lets one thing happen. False when nothing ever will, or when the history has become too long.
  @discardableResult func step() -> Bool {
    switch choose() {
    case .ended: return false
    case .event(let job): job()
    case .performance(let process, let index):
      process.perform(index)
      state.withLock { state in
        state.now += Int64(state.random.next() % UInt64(Self.effortMax))
        state.hash = QuorumDisk.mix(state.hash, UInt64(process.number) << 48 ^ UInt64(index) << 40 ^ UInt64(state.now))
      }
    }
    return true
  }

  private func choose() -> Step {
    while true {
      let (now, isOver, due) = state.withLock { state -> (Int64, Bool, Int64?) in
        state.steps += 1
        if state.next == nil { state.next = state.queue.next().map { (at: $0.0, job: $0.1) } }
        return (state.now, state.steps > Self.stepsMax, state.next?.at)
      }
      if isOver {
        fail("the history has more than \(Self.stepsMax) steps: something turns in circles")
        return .ended
      }
      var ready: [(BrokerProcess, Int)] = []
      var soonest = due ?? .max
      for process in state.withLock({ $0.processes }) {
        for (index, at) in process.duties.enumerated() {
          if at <= now { ready.append((process, index)) } else { soonest = min(soonest, at) }
        }
      }
      if let due, due <= now, ready.isEmpty || draw(ready.count + 1) == 0 {
        return state.withLock { state in
          defer { state.next = nil }
          return state.next.map { .event($0.job) } ?? .ended
        }
      }
      if !ready.isEmpty {
        let (process, index) = ready[draw(ready.count)]
        if chance() % Self.oddsOfStall == 0 {
          process.stall(index, until: now + Int64(draw(5000)))
          continue
        }
        return .performance(process, index)
      }
      guard soonest < .max else {
        fail("nobody has anything to do any more")
        return .ended
      }
      state.withLock { $0.now = max($0.now, soonest) }
    }
  }
}
