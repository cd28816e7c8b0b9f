import CLinux
import Glibc
import Synchronization
public import Vocabulary

/// One thread that waits for sockets, timers and jobs, and never for anything else.
///
/// What runs on a loop must not block: no disk, no name resolution, no waiting for another thread.
public final class EventLoop: Sendable {
  /// What other threads left for the loop.
  enum Message: Sendable {
    case job(@Sendable () -> Void)
    case inside(@Sendable (LoopCore) -> Void)
    /// A handler has something to do that no socket will tell.
    case attend(Registration)
    case timer(TimerNode)
  }

  struct Inbox {
    var messages: [Message] = []
    /// Whether the loop may be inside `epoll_wait`, so that it has to be woken.
    var isAsleep = false
    var phase = Phase.new
  }
  enum Phase {
    case new
    case running(Thread)
    case conducted
    case stopping
    case stopped
  }

  public let name: String
  let epoll: Int32
  let wakeUp: Int32
  let inbox = Mutex(Inbox())
  let cancelledTimers = CancelledCount()
  /// The running thread's `pthread_self`, 0 before it runs and after it ended.
  let threadID = Atomic<UInt>(0)
  /// Who has the loop do its work in the place of a thread; see `Conductor`.
  let conductor = Conducting.conductor
  let conducted = Mutex<LoopCore?>(nil)

  public init(name: String) throws(SystemError) {
    self.name = name
    guard conductor == nil else {
      (epoll, wakeUp) = (-1, -1)
      return
    }
    epoll = linux_epoll_create()
    guard epoll >= 0 else { throw SystemError("make an event loop", code: -epoll) }
    wakeUp = linux_eventfd()
    // From here on `deinit` closes what there is.
    guard wakeUp >= 0 else { throw SystemError("make an event loop", code: -wakeUp) }
    let added = linux_epoll_add(epoll, wakeUp, LINUX_EVENT_READ, Registration.wakeUp.bits)
    guard added == 0 else { throw SystemError("make an event loop", code: -added) }
  }
  deinit {
    close(wakeUp)
    close(epoll)
  }

  /// Starts the thread. What was posted before runs first.
  public func start() throws(SystemError) {
    guard conductor == nil else { return startConducted() }
    let thread = try Thread(name: name) { [self] in
      threadID.store(UInt(pthread_self()), ordering: .sequentiallyConsistent)
      LoopCore(self).run()
      threadID.store(0, ordering: .sequentiallyConsistent)
    }
    inbox.withLock { inbox in
      guard case .new = inbox.phase else { preconditionFailure("a loop starts once") }
      inbox.phase = .running(thread)
    }
  }

  /// Runs what was posted before, closes every connection of the loop and waits for the thread's end.
  /// Not to be called on the loop itself.
  public func stop() {
    precondition(!isCurrent, "a loop cannot wait for its own end")
    let thread = inbox.withLock { inbox -> Thread? in
      switch inbox.phase {
      case .new: inbox.phase = .stopped
      case .running(let thread):
        inbox.phase = .stopping
        return thread
      case .conducted: inbox.phase = .stopping
      case .stopping, .stopped: break
      }
      return nil
    }
    conductor?.wait(until: .never) { hasStopped }
    guard let thread else { return }
    wake()
    thread.join()
  }

  /// Whether the caller runs on this loop.
  public var isCurrent: Bool { threadID.load(ordering: .relaxed) == UInt(pthread_self()) }

  /// Runs the job on the loop; jobs of one caller run in its order. A loop that was stopped drops it.
  public func post(_ job: @escaping @Sendable () -> Void) { send(.job(job)) }

  /// Runs the job on the loop at `deadline` or up to a millisecond later.
  @discardableResult
  public func schedule(at deadline: Instant, _ job: @escaping @Sendable () -> Void) -> Timer {
    let node = TimerNode(deadline: deadline, cancelled: cancelledTimers, job: job)
    send(.timer(node))
    return Timer(node: node)
  }

  /// Runs the job on the loop when `span` has passed, or up to a millisecond later.
  @discardableResult
  public func schedule(after span: TimeSpan, _ job: @escaping @Sendable () -> Void) -> Timer {
    schedule(at: monotonicNow() + span, job)
  }

  /// False when the loop has stopped and the message was dropped.
  @discardableResult func send(_ message: Message) -> Bool {
    let (isTaken, mustWake) = inbox.withLock { inbox in
      if case .stopped = inbox.phase { return (false, false) }
      inbox.messages.append(message)
      defer { inbox.isAsleep = false }
      return (true, inbox.isAsleep)
    }
    if mustWake { wake() }
    return isTaken
  }

  private func wake() {
    guard conductor == nil else { return }
    var one: UInt64 = 1
    _ = write(wakeUp, &one, 8)
  }
}
