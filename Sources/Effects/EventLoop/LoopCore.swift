import CLinux
import Glibc
import Synchronization
import Vocabulary

/// The place of a handler in its loop and how often that place was used before: an event or a message for
/// an earlier user of the place finds nobody.
struct Registration: Hashable, Sendable {
  let bits: UInt64
  init(place: Int, generation: UInt32) { bits = UInt64(generation) << 32 | UInt64(UInt32(place)) }
  init(bits: UInt64) { self.bits = bits }
  var place: Int { Int(UInt32(truncatingIfNeeded: bits)) }
  var generation: UInt32 { UInt32(bits >> 32) }
  /// The loop's own eventfd.
  static let wakeUp = Registration(bits: .max)
}

/// What a loop calls for one socket. Handlers belong to their loop's thread and are never touched by another.
protocol EventHandler: AnyObject {
  func ready(_ events: UInt32, on core: LoopCore)
  /// Somebody asked for attention through `EventLoop.Message.attend`.
  func attend(on core: LoopCore)
  /// Called from time to time, to look at deadlines.
  func sweep(on core: LoopCore)
  /// The owner wants to end: finish what was begun and begin nothing more.
  func windDown(_ way: WindDown, of owner: ObjectIdentifier, on core: LoopCore)
}

enum WindDown: Sendable {
  case afterWhatIsBegun
  case atOnce
}

/// The part of an event loop that only its own thread sees.
final class LoopCore {
  /// Bytes are read into one buffer for all connections of a loop; what is whole there is never copied.
  static let readBufferSize = 128 << 10
  /// Small answers are gathered here and leave together.
  static let sendBufferSize = 64 << 10
  private static let eventsMax = 256

  private struct Place {
    var handler: (any EventHandler)?
    var generation: UInt32 = 0
    var descriptor: Int32 = -1
  }

  unowned let loop: EventLoop
  let readBuffer: UnsafeMutableRawBufferPointer
  let sendBuffer: UnsafeMutableRawBufferPointer
  let shelf = BufferShelf()
  /// When this round of events began.
  private(set) var now = monotonicNow()

  private var places: [Place] = []
  private var freePlaces: [Int] = []
  private var timers: TimerHeap
  private var sweepInterval: TimeSpan?
  private var nextSweep = Instant.never
  /// Only of a loop that is conducted: taken, and still to be delivered.
  private var backlog = Ring<EventLoop.Message>()

  init(_ loop: EventLoop) {
    self.loop = loop
    // Where there are no sockets there is nothing to be read or gathered.
    let hasSockets = loop.conductor == nil
    readBuffer = .allocate(byteCount: hasSockets ? Self.readBufferSize : 0, alignment: 64)
    sendBuffer = .allocate(byteCount: hasSockets ? Self.sendBufferSize : 0, alignment: 64)
    timers = TimerHeap(cancelled: loop.cancelledTimers)
  }
  deinit {
    readBuffer.deallocate()
    sendBuffer.deallocate()
  }

  // MARK: Handlers

  func register(
    _ descriptor: Int32, for events: UInt32, _ handler: any EventHandler
  ) throws(SystemError) -> Registration {
    let place = freePlaces.popLast() ?? places.count
    if place == places.count { places.append(Place()) }
    let registration = Registration(place: place, generation: places[place].generation)
    let status = linux_epoll_add(loop.epoll, descriptor, events, registration.bits)
    guard status == 0 else {
      freePlaces.append(place)
      throw SystemError("watch a socket", code: -status)
    }
    places[place].handler = handler
    places[place].descriptor = descriptor
    return registration
  }

  /// Of what has no descriptor: it hears of messages alone.
  func register(_ handler: any EventHandler) -> Registration {
    let place = freePlaces.popLast() ?? places.count
    if place == places.count { places.append(Place()) }
    places[place].handler = handler
    return Registration(place: place, generation: places[place].generation)
  }

  func change(_ registration: Registration, to events: UInt32) {
    guard handler(of: registration) != nil else { return }
    let status = linux_epoll_change(loop.epoll, places[registration.place].descriptor, events, registration.bits)
    precondition(status == 0, "a registered socket is not known to epoll")
  }

  /// To be called before the descriptor is closed.
  func unregister(_ registration: Registration) {
    guard handler(of: registration) != nil else { return }
    let place = registration.place
    if places[place].descriptor >= 0 { _ = linux_epoll_remove(loop.epoll, places[place].descriptor) }
    places[place].handler = nil
    places[place].descriptor = -1
    places[place].generation &+= 1
    freePlaces.append(place)
  }

  func handler(of registration: Registration) -> (any EventHandler)? {
    let place = registration.place
    guard place < places.count, places[place].generation == registration.generation else { return nil }
    return places[place].handler
  }

  /// Asks for sweeps at least as often as this.
  func sweep(every interval: TimeSpan) {
    if let present = sweepInterval, present <= interval { return }
    sweepInterval = interval
    nextSweep = min(nextSweep, now + interval)
  }

  func windDown(_ way: WindDown, of owner: ObjectIdentifier) {
    for handler in places.compactMap(\.handler) { handler.windDown(way, of: owner, on: self) }
  }

  func windDownListeners(of owner: ObjectIdentifier) {
    for case let listener as Listener in places.map(\.handler) { listener.windDown(.atOnce, of: owner, on: self) }
  }

  // MARK: The loop

  func run() {
    let events = UnsafeMutablePointer<linux_event>.allocate(capacity: Self.eventsMax)
    defer { events.deallocate() }
    var messages: [EventLoop.Message] = []
    while true {
      let isStopping = takeMessages(into: &messages)
      for message in messages { deliver(message) }
      // The capacity is kept for the next round, unless a burst made it large.
      messages.removeAll(keepingCapacity: messages.count < 1024)
      if isStopping { break }
      runTimers()
      let count = linux_epoll_wait(loop.epoll, events, Int32(Self.eventsMax), timeoutUntilNextDuty())
      now = monotonicNow()
      for index in 0..<max(0, Int(count)) { dispatch(events[index]) }
      if now >= nextSweep { sweepHandlers() }
    }
    end()
  }

  /// Does one thing; a conductor calls it in the place of `run`. False when the loop has ended.
  func performOne() -> Bool {
    now = monotonicNow()
    var messages: [EventLoop.Message] = []
    let isStopping = takeMessages(into: &messages)
    for message in messages { backlog.append(message) }
    if let message = backlog.popFirst() {
      deliver(message)
    } else if isStopping {
      end()
      return false
    } else if let job = timers.popDue(at: now) {
      job()
    } else if now >= nextSweep {
      sweepHandlers()
    }
    return true
  }

  /// Of a process that has died: lets go of everything that was still to be done.
  func abandon() {
    while let message = backlog.popFirst() {
      if case .timer(let node) = message { _ = node.take() }
    }
    timers.abandon()
    places = []
  }

  /// When there is something to be done besides what is in the inbox.
  var nextDuty: Instant { backlog.isEmpty ? min(timers.next ?? .never, nextSweep) : now }

  private func dispatch(_ event: linux_event) {
    let registration = Registration(bits: event.data)
    if registration == .wakeUp {
      var count: UInt64 = 0
      _ = read(loop.wakeUp, &count, 8)
    } else {
      handler(of: registration)?.ready(event.events, on: self)
    }
  }

  private func deliver(_ message: EventLoop.Message) {
    switch message {
    case .job(let job): job()
    case .inside(let job): job(self)
    case .attend(let registration): handler(of: registration)?.attend(on: self)
    case .timer(let node): timers.insert(node)
    }
  }

  /// Returns true when the loop is to end after these messages.
  private func takeMessages(into messages: inout [EventLoop.Message]) -> Bool {
    loop.inbox.withLock { inbox in
      inbox.isAsleep = false
      swap(&inbox.messages, &messages)
      if case .stopping = inbox.phase { return true }
      return false
    }
  }

  private func runTimers() {
    guard let first = timers.next else { return }
    now = monotonicNow()
    guard first <= now else { return }
    while let job = timers.popDue(at: now) { job() }
  }

  /// In milliseconds, rounded up; 0 when messages wait already, -1 when nothing is due.
  private func timeoutUntilNextDuty() -> Int32 {
    let hasMessages = loop.inbox.withLock { inbox in
      if case .stopping = inbox.phase { return true }
      inbox.isAsleep = inbox.messages.isEmpty
      return !inbox.messages.isEmpty
    }
    if hasMessages { return 0 }
    let due = min(timers.next ?? .never, nextSweep)
    if due == .never { return -1 }
    let rest = (due - monotonicNow()).nanoseconds
    return rest <= 0 ? 0 : Int32(clamping: (rest + 999_999) / 1_000_000)
  }

  private func sweepHandlers() {
    guard let interval = sweepInterval else { return }
    nextSweep = now + interval
    shelf.trim(at: now)
    for handler in places.compactMap(\.handler) { handler.sweep(on: self) }
  }

  /// Nothing is taken any more; what still came in since is dropped.
  private func end() {
    for place in places.indices {
      guard let handler = places[place].handler else { continue }
      handler.windDown(.atOnce, of: ObjectIdentifier(loop), on: self)
    }
    var last: [EventLoop.Message] = []
    loop.inbox.withLock { inbox in
      inbox.phase = .stopped
      swap(&inbox.messages, &last)
    }
    for message in last { if case .inside(let job) = message { job(self) } }
    for place in places.indices {
      places[place].handler?.windDown(.atOnce, of: ObjectIdentifier(loop), on: self)
    }
  }
}
