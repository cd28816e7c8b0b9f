import Synchronization

/// The way back for one request. Exactly one of its methods is to be called, once, from any thread; after the
/// connection is gone that does nothing.
public struct Reply: Sendable {
  let outbox: Outbox
  /// Counts the requests of the connection from 0.
  let number: UInt64

  /// Answers. The frame's length is put before the payload.
  public func send(_ outgoing: Outgoing) { outbox.fill(number, with: .ready(outgoing)) }
  /// For a request that has no answer, such as Produce with acks=0.
  public func sendNothing() { outbox.fill(number, with: .nothing) }
  /// Closes the connection after the answers to earlier requests have left.
  public func close(because words: String) { outbox.fill(number, with: .close(words)) }
  /// Answers, and closes the connection when the answer has left.
  public func send(_ outgoing: Outgoing, andCloseBecause words: String) {
    outbox.fill(number, with: .last(outgoing, words))
  }
}

/// Where the answers of one connection wait for their turn.
///
/// Answers come from any thread and in any order; the loop takes them from the front. While the loop is busy with the
/// connection anyway, it is said to attend to it, and nobody has to wake it.
final class Outbox: Sendable {
  enum Slot: Sendable {
    case waiting
    case ready(Outgoing)
    case nothing
    case close(String)
    case last(Outgoing, String)
  }

  private struct State {
    var slots = Ring<Slot>()
    /// The number of the request that the first slot belongs to.
    var first: UInt64 = 0
    var isAttended = true
    var isClosed = false
    var registration: Registration?
  }
  private let state = Mutex(State())
  private let loop: EventLoop

  init(loop: EventLoop) { self.loop = loop }

  func attach(to registration: Registration) { state.withLock { $0.registration = registration } }

  /// Until the next `collect` that ends it, the loop will look by itself.
  func attend() { state.withLock { $0.isAttended = true } }

  func fill(_ number: UInt64, with slot: Slot) {
    let toWake = state.withLock { state -> Registration? in
      if state.isClosed { return nil }
      precondition(number >= state.first, "a request was answered twice")
      let index = Int(number - state.first)
      while state.slots.count < index { state.slots.append(.waiting) }
      if index == state.slots.count {
        state.slots.append(slot)
      } else {
        guard case .waiting = state.slots[index] else { preconditionFailure("a request was answered twice") }
        state.slots[index] = slot
      }
      guard index == 0, !state.isAttended else { return nil }
      state.isAttended = true
      return state.registration
    }
    if let toWake { loop.send(.attend(toWake)) }
  }

  /// Moves what is ready, from the front, into the queue. Returns how many requests were answered, and why the
  /// connection is to be closed behind them, if it is.
  func collect(into queue: inout OutgoingQueue, thenAttend: Bool) -> (answered: UInt64, end: CloseReason?) {
    state.withLock { state in
      state.isAttended = thenAttend
      let before = state.first
      while let slot = state.slots.first {
        switch slot {
        case .waiting: return (state.first - before, nil)
        case .ready(let outgoing):
          guard queue.append(outgoing) else { return (state.first - before, .answerTooLarge) }
        case .nothing: break
        case .close(let words): return (state.first - before, .asked(words))
        case .last(let outgoing, let words):
          // Nothing behind it is looked at: the request counts as answered here, while its slot stays.
          return (state.first - before, queue.append(outgoing) ? .asked(words) : .answerTooLarge)
        }
        _ = state.slots.popFirst()
        state.first += 1
      }
      return (state.first - before, nil)
    }
  }

  /// Whatever is answered from now on goes nowhere.
  func close() {
    let dropped = state.withLock { state in
      state.isClosed = true
      defer { state.slots = Ring() }
      return state.slots
    }
    _ = consume dropped
  }
}
