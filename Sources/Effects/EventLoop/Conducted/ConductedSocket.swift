import Synchronization

/// One end of a connection that a conductor carries: where what arrives goes.
package final class FrameEnd: Sendable {
  private struct State {
    var registration: Registration?
    var isBroken = false
  }
  private let loop: EventLoop
  private let state = Mutex(State())

  init(_ loop: EventLoop) { self.loop = loop }

  /// On the loop.
  func attach(to registration: Registration) { state.withLock { $0.registration = registration } }

  /// A whole frame, without its length.
  package func arrived(_ frame: [UInt8]) {
    loop.send(.inside { core in self.socket(core)?.arrived(frame, on: core) })
  }

  /// The other side is gone, or cannot be reached any more.
  package func broke(_ reason: CloseReason = .peerClosed) {
    loop.send(.inside { core in self.socket(core)?.close(reason, on: core) })
  }

  private func socket(_ core: LoopCore) -> ConductedSocket? {
    state.withLock { $0.registration }.flatMap { core.handler(of: $0) as? ConductedSocket }
  }
}

/// A `FrameSocket` without a socket: whole frames come and go, in order.
final class ConductedSocket: EventHandler {
  private enum Phase: Equatable {
    case open
    /// Nothing more is started; what was started is answered first.
    case finishing
    case closed
  }
  private let half: any FrameSocketOwner
  private let line: any FrameLine
  private(set) var registration = Registration.wakeUp
  private var waiting = Ring<[UInt8]>()
  private var queue = OutgoingQueue()
  private var phase = Phase.open

  init(_ line: any FrameLine, on core: LoopCore, half: any FrameSocketOwner) {
    self.line = line
    self.half = half
    registration = core.register(self)
  }

  func arrived(_ frame: [UInt8], on core: LoopCore) {
    guard phase == .open else { return }
    guard !frame.isEmpty, frame.count <= half.frameBytesMax else {
      return close(.invalidFrameLength(frame.count), on: core)
    }
    waiting.append(frame)
    settle(core)
  }

  func ready(_ events: UInt32, on core: LoopCore) {}
  func attend(on core: LoopCore) { settle(core) }
  func sweep(on core: LoopCore) {}

  func windDown(_ way: WindDown, of owner: ObjectIdentifier, on core: LoopCore) {
    guard owner == half.owner || owner == ObjectIdentifier(core.loop), phase != .closed else { return }
    switch way {
    case .atOnce: close(.shutdown, on: core)
    case .afterWhatIsBegun:
      if phase == .open { phase = .finishing }
      settle(core)
    }
  }

  private func settle(_ core: LoopCore) {
    guard send(on: core, thenAttend: true) else { return }
    while phase == .open, half.mayStart(queued: 0), var frame = waiting.popFirst() {
      half.attend()
      frame.withUnsafeMutableBytes { half.start($0) }
      guard send(on: core, thenAttend: true) else { return }
    }
    guard send(on: core, thenAttend: false) else { return }
    if phase == .finishing, !half.isBusy { close(.shutdown, on: core) }
  }

  /// False when the connection is closed after it.
  private func send(on core: LoopCore, thenAttend: Bool) -> Bool {
    guard phase != .closed else { return false }
    let end = half.collect(into: &queue, thenAttend: thenAttend)
    guard let frames = queue.takeFrames() else {
      close(.fileTruncated, on: core)
      return false
    }
    for frame in frames { line.send(frame) }
    if let end { close(end, on: core) }
    return phase != .closed
  }

  func close(_ reason: CloseReason, on core: LoopCore) {
    guard phase != .closed else { return }
    phase = .closed
    core.unregister(registration)
    line.close()
    half.closed(because: reason)
  }
}
