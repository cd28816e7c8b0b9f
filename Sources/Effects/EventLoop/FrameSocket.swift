import CLinux
import Glibc
import Vocabulary

/// What a `FrameSocket` is for: the server's or the client's half of it. Belongs to the socket's loop.
protocol FrameSocketOwner: AnyObject {
  /// Server or client, for `windDown`.
  var owner: ObjectIdentifier { get }
  var frameBytesMax: Int { get }
  /// Whether somebody waits for this side to answer: such a connection is not idle.
  var isBusy: Bool { get }
  /// Whether the next frame may be started while so many bytes wait to be sent.
  func mayStart(queued: Int) -> Bool
  func start(_ frame: UnsafeMutableRawBufferPointer)
  /// Says that `collect` will be called soon anyway.
  func attend()
  /// Moves what is to be sent into the queue; returns why the socket is to be closed after that, if it is.
  func collect(into queue: inout OutgoingQueue, thenAttend: Bool) -> CloseReason?
  func closed(because reason: CloseReason)
}

/// One connected socket that carries size-prefixed frames both ways.
final class FrameSocket: EventHandler {
  /// So that one fast peer does not keep the loop for itself.
  private static let readInOneTurnMax = 4 << 20
  /// A half-sent frame that grew by this much gets its time again.
  private static let progressMin = 16 << 10

  private enum Phase: Equatable {
    case open
    /// Nothing more is started; what was started is answered first.
    case finishing
    /// What is queued is sent first.
    case closing(CloseReason)
    case closed
  }

  private struct Mark {
    let frames: UInt64
    let held: Int
    let since: Instant
  }

  private let descriptor: Int32
  private let half: any FrameSocketOwner
  private let core: LoopCore
  private let pool: BlockingPool
  private let limits: ConnectionLimits
  private(set) var registration = Registration.wakeUp

  private var reader: FrameReader
  private var queue = OutgoingQueue()
  private var phase = Phase.open
  private var interest = LINUX_EVENT_READ
  private var wantsWrite = false
  private var isWaitingForDisk = false
  /// Frames were left unstarted because `mayStart` said no.
  private var isPaused = false
  private var lastMoved: Instant
  private var framesStarted: UInt64 = 0
  private var halfFrame: Mark?

  /// Takes over the descriptor, also when it fails.
  init(
    _ descriptor: Int32, on core: LoopCore, pool: BlockingPool, limits: ConnectionLimits,
    half: any FrameSocketOwner
  ) throws(SystemError) {
    self.descriptor = descriptor
    self.core = core
    self.pool = pool
    self.limits = limits
    self.half = half
    lastMoved = core.now
    reader = FrameReader(window: core.readBuffer, shelf: core.shelf)
    do {
      registration = try core.register(descriptor, for: interest, self)
    } catch {
      Glibc.close(descriptor)
      phase = .closed
      throw error
    }
    core.sweep(every: limits.sweepInterval)
  }

  // MARK: Events

  func ready(_ events: UInt32, on core: LoopCore) {
    let isBroken = events & (LINUX_EVENT_ERROR | LINUX_EVENT_HANGUP) != 0
    if isBroken && interest & LINUX_EVENT_READ == 0 { return close(.peerClosed) }
    if events & LINUX_EVENT_WRITE != 0 { flush() }
    if interest & LINUX_EVENT_READ != 0 && (isBroken || events & LINUX_EVENT_READ != 0) { readBurst() }
    settle()
  }

  func attend(on core: LoopCore) { settle() }

  func sweep(on core: LoopCore) {
    guard phase != .closed else { return }
    if interest & LINUX_EVENT_READ != 0 && reader.heldCount > 0 {
      if let mark = halfFrame, mark.frames == framesStarted, reader.heldCount < mark.held + Self.progressMin {
        if core.now - mark.since > limits.frameDeadline { return close(.frameDeadline) }
      } else {
        halfFrame = Mark(frames: framesStarted, held: reader.heldCount, since: core.now)
      }
    } else {
      halfFrame = nil
    }
    // What is still in flight behind the end of a connection keeps nobody waiting.
    let isBusy = isWaitingForDisk || (half.isBusy && (phase == .open || phase == .finishing))
    if !isBusy && core.now - lastMoved > limits.idleTimeMax { close(.idle) }
  }

  func windDown(_ way: WindDown, of owner: ObjectIdentifier, on core: LoopCore) {
    guard owner == half.owner || owner == ObjectIdentifier(core.loop), phase != .closed else { return }
    switch way {
    case .atOnce: close(.shutdown)
    case .afterWhatIsBegun:
      if phase == .open { phase = .finishing }
      settle()
    }
  }

  // MARK: Reading

  private var mayStart: Bool { phase == .open && half.mayStart(queued: queue.count) }

  private func readBurst() {
    half.attend()
    var left = Self.readInOneTurnMax
    reading: while left > 0, phase == .open {
      switch reader.fill(from: descriptor) {
      case .bytes(let count, let isDrained):
        lastMoved = core.now
        left -= count
        startFrames()
        if isPaused || isDrained { break reading }
        collect(thenAttend: true)
        flush()
        if isPaused { break reading }
      case .nothing: break reading
      case .end: return close(.peerClosed)
      case .failed(let status): return close(.of(status))
      case .outOfMemory: return close(.outOfMemory)
      }
    }
    if phase != .closed, !reader.keepTheRest() { close(.outOfMemory) }
  }

  /// Starts what has arrived, until a frame is incomplete or may not be started yet.
  private func startFrames() {
    while phase == .open {
      if !mayStart {
        collect(thenAttend: true)
        guard mayStart else {
          isPaused = true
          return
        }
      }
      switch reader.next(lengthMax: half.frameBytesMax) {
      case .frame(let frame):
        framesStarted += 1
        half.start(frame)
      case .incomplete:
        isPaused = false
        return
      case .invalidLength(let length): return refuse(.invalidFrameLength(length))
      case .outOfMemory: return close(.outOfMemory)
      }
    }
  }

  /// What was answered before the peer broke the rules still leaves, if the socket takes it at once.
  private func refuse(_ reason: CloseReason) {
    collect(thenAttend: true)
    flush()
    close(reason)
  }

  // MARK: Writing

  private func collect(thenAttend: Bool) {
    guard phase == .open || phase == .finishing else { return }
    if let reason = half.collect(into: &queue, thenAttend: thenAttend) { phase = .closing(reason) }
  }

  private func flush() {
    guard phase != .closed, !isWaitingForDisk, !queue.isEmpty else { return }
    let before = queue.count
    let outcome = queue.flush(to: descriptor, through: core.sendBuffer)
    if queue.count != before { lastMoved = core.now }
    wantsWrite = false
    switch outcome {
    case .empty: break
    case .blocked: wantsWrite = true
    case .notResident(let file, let position, let count): readIn(file, position: position, count: count)
    case .failed(let reason): close(reason)
    }
  }

  /// Has a range of a file read into the page cache by a thread that may wait for the disk.
  private func readIn(_ file: any SendableFile, position: Int64, count: Int) {
    isWaitingForDisk = true
    let (loop, registration) = (core.loop, registration)
    pool.run {
      touch(file, position: position, count: count)
      loop.send(
        .inside { core in
          guard let socket = core.handler(of: registration) as? FrameSocket else { return }
          socket.isWaitingForDisk = false
          socket.queue.becameResident(until: position + Int64(count))
          socket.flush()
          socket.settle()
        })
    }
  }

  // MARK: Ends

  /// After anything happened: answers leave, frames that had to wait are started, and epoll learns what is wanted.
  private func settle() {
    guard phase != .closed else { return }
    collect(thenAttend: false)
    flush()
    while isPaused && mayStart {
      half.attend()
      startFrames()
      if phase != .closed, !reader.keepTheRest() { return close(.outOfMemory) }
      collect(thenAttend: false)
      flush()
    }
    switch phase {
    case .open: break
    case .finishing: if !half.isBusy && queue.isEmpty { return close(.shutdown) }
    case .closing(let reason): if queue.isEmpty { return close(reason) }
    case .closed: return
    }
    let reads = phase == .open && !isPaused && mayStart
    if phase == .open && !reads { isPaused = true }
    let wanted = (reads ? LINUX_EVENT_READ : 0) | (wantsWrite ? LINUX_EVENT_WRITE : 0)
    guard wanted != interest else { return }
    interest = wanted
    core.change(registration, to: wanted)
  }

  private func close(_ reason: CloseReason) {
    guard phase != .closed else { return }
    phase = .closed
    core.unregister(registration)
    Glibc.close(descriptor)
    queue = OutgoingQueue()
    half.closed(because: reason)
  }
}

/// Reads a range only for the page cache to have it.
private func touch(_ file: any SendableFile, position: Int64, count: Int) {
  withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 16) { buffer in
    var done = 0
    while done < count {
      let size = min(buffer.count, count - done)
      let status = linux_read_at(file.descriptor, buffer.baseAddress, size, position + Int64(done))
      if status == -Int(EINTR) { continue }
      // Whatever is wrong, sendfile will meet it too and say so.
      if status <= 0 { return }
      done += status
    }
  }
}
