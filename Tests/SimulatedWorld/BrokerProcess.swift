import EventLoop
import Synchronization
import Vocabulary

/// One life of one process: conducts what is made while it runs, until it dies.
final class BrokerProcess: Conductor {
  /// The clock of the day when virtual time begins, in milliseconds: no timestamp is impossible.
  private static let began: Int64 = 1_700_000_000_000
  /// Monotonic clocks begin anywhere.
  private static let booted: Int64 = 1_000_000_000_000

  typealias Accept = @Sendable (_ from: SocketAddress, any FrameLine) -> FrameEnd?

  private struct Seat {
    let performer: any ConductedPart
    var stalledUntil: Int64 = 0
  }
  private struct State {
    var seats: [Seat] = []
    var isDead = false
    var listeners: [UInt16: Accept] = [:]
    var lines: [BrokerLine] = []
    /// Done with what is left of the process when nothing of it is performed any more.
    var whenOver: (@Sendable () -> Void)?
    /// Deaths that are cleared away when nothing of the process is under way.
    var depth = 0
    /// What the node's clock of the day is ahead, in milliseconds.
    var wallAhead: Int64 = 0
    /// Nothing is performed before, as if the process had been stopped.
    var frozenUntil: Int64 = 0
  }
  let stage: BrokerStage
  let host: BrokerHost
  /// Counts the lives of all processes.
  let number: Int
  private let state = Mutex(State())

  init(_ stage: BrokerStage, host: BrokerHost, number: Int, wallAhead: Int64 = 0) {
    self.stage = stage
    self.host = host
    self.number = number
    state.withLock { $0.wallAhead = wallAhead }
    stage.enter(self)
  }

  var isDead: Bool { state.withLock { $0.isDead } }

  private var clocks: (Instant, Timestamp) {
    let now = stage.now
    let ahead = state.withLock { $0.wallAhead }
    return (
      Instant(nanoseconds: Self.booted + now * 1000), Timestamp(milliseconds: Self.began + now / 1000 + ahead)
    )
  }

  /// Sets the clock of the day.
  func setClock(ahead: Int64) { state.withLock { $0.wallAhead = ahead } }
  /// As SIGSTOP and, later, SIGCONT.
  func freeze(until time: Int64) { state.withLock { $0.frozenUntil = time } }

  /// Runs the body as a part of the process, unless it is dead.
  func run(_ body: () -> Void) {
    let isAlive = state.withLock { state in
      if state.isDead { return false }
      state.depth += 1
      return true
    }
    guard isAlive else { return }
    let (now, time) = clocks
    Conducting.with(self, at: now, time, body)
    let mustClear = state.withLock { state in
      state.depth -= 1
      return state.isDead && state.depth == 0
    }
    if mustClear { clear() }
  }

  // MARK: Performing

  /// When each of what performs has something to do.
  var duties: [Int64] {
    let (seats, frozen) = state.withLock { state in (state.isDead ? [] : state.seats, state.frozenUntil) }
    return seats.map { seat in
      guard let duty = seat.performer.nextDuty else { return .max }
      let at = duty.nanoseconds <= 0 ? 0 : (duty.nanoseconds - Self.booted + 999) / 1000
      return max(at, seat.stalledUntil, frozen)
    }
  }

  func perform(_ index: Int) {
    guard let performer = state.withLock({ $0.seats.indices.contains(index) ? $0.seats[index].performer : nil }) else {
      return
    }
    run { performer.perform() }
  }

  func stall(_ index: Int, until time: Int64) { state.withLock { $0.seats[index].stalledUntil = time } }

  func joined(_ performer: any ConductedPart) {
    let isDead = state.withLock { state in
      if !state.isDead { state.seats.append(Seat(performer: performer)) }
      return state.isDead
    }
    if isDead { performer.abandon() }
  }

  func wait(until deadline: Instant, _ isOver: () -> Bool) {
    let end = deadline == .never ? .max : (deadline.nanoseconds - Self.booted) / 1000
    while !isOver(), !isDead, stage.now < end, stage.step() {}
    let (now, time) = clocks
    Conducting.advance(to: now, time)
  }

  func chance() -> UInt64 { stage.chance() }

  // MARK: Dying

  /// The process is killed: nothing of it happens any more. Where the power fails, nobody is told.
  func die(_ way: BrokerDeath) {
    let (isNew, lines, isIdle) = state.withLock { state in
      let isNew = !state.isDead
      state.isDead = true
      return (isNew, state.lines, state.depth == 0)
    }
    guard isNew else { return }
    stage.leave(self)
    if way == .killed { for line in lines { line.end() } }
    if isIdle { clear() }
  }

  private func clear() {
    let (seats, whenOver) = state.withLock { state in
      defer {
        state.seats = []
        state.listeners = [:]
        state.lines = []
        state.whenOver = nil
      }
      return (state.seats, state.whenOver)
    }
    for seat in seats { seat.performer.abandon() }
    whenOver?()
  }

  /// Calls it once, when the process has died.
  func whenOver(_ job: @escaping @Sendable () -> Void) { state.withLock { $0.whenOver = job } }

  // MARK: Connections

  func listen(host: String, port: UInt16, _ accept: @escaping Accept) throws(SystemError) {
    state.withLock { $0.listeners[port] = accept }
  }

  func listener(at port: UInt16) -> Accept? { state.withLock { $0.isDead ? nil : $0.listeners[port] } }

  func connect(
    host: String, port: UInt16, until deadline: Instant, _ done: @escaping @Sendable (Connecting) -> FrameEnd?
  ) {
    let end = (deadline.nanoseconds - Self.booted) / 1000
    BrokerLine.connect(self, to: host, port, until: end, done)
  }

  /// A way out of this process: it ends with it.
  func add(_ line: BrokerLine) { state.withLock { $0.lines.append(line) } }
  func remove(_ line: BrokerLine) { state.withLock { state in state.lines.removeAll { $0 === line } } }
}

/// How a process ends.
enum BrokerDeath: Sendable {
  /// The system closes its connections and keeps what it has written.
  case killed
  /// What was not synced may be lost, and nobody hears of it.
  case powerLost
}
