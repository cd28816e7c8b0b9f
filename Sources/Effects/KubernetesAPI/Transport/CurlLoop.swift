import CCurl
import CLinux
import EventLoop
import Glibc
import Synchronization
import Vocabulary

/// The thread that talks to one API server.
///
/// One thread for each, so that whatever one server does, the work on another never waits for it: not for its names to
/// resolve, not for its TLS, not behind its answers. Such a thread costs nothing while it waits, and a handful of
/// servers is many.
final class CurlThread: Sendable {
  private let mailbox: CurlMailbox

  /// Fails when the process has no thread or descriptor left.
  init(name: String) throws(SystemError) {
    let mailbox = try CurlMailbox()
    self.mailbox = mailbox
    try startDetachedThread(name: name) {
      guard let loop = CurlLoop(mailbox) else { return mailbox.refuseAll() }
      loop.run()
    }
  }
  deinit { mailbox.put(.stop) }

  /// Returns what `cancel` takes. The sink is told exactly once that it ended, also when it is cancelled.
  @discardableResult func start(_ request: TransferRequest, _ sink: TransferSink) -> UInt64 {
    mailbox.start(request, sink)
  }
  func cancel(_ id: UInt64) { mailbox.put(.cancel(id)) }
  /// Nothing is started any more; what runs is cancelled.
  func stop() { mailbox.put(.stop) }
}

/// What other threads tell the thread, and how they wake it.
final class CurlMailbox: Sendable {
  enum Letter: Sendable {
    case start(UInt64, TransferRequest, TransferSink)
    case cancel(UInt64)
    case stop
  }
  private struct State {
    var letters: [Letter] = []
    var next: UInt64 = 1
    var isClosed = false
  }
  private let state = Mutex(State())
  let descriptor: Int32

  init() throws(SystemError) {
    descriptor = linux_eventfd()
    guard descriptor >= 0 else { throw SystemError("make an eventfd", code: -descriptor) }
  }
  deinit { close(descriptor) }

  func start(_ request: TransferRequest, _ sink: TransferSink) -> UInt64 {
    let (id, isClosed) = state.withLock { state in
      defer { state.next += 1 }
      if !state.isClosed { state.letters.append(.start(state.next, request, sink)) }
      return (state.next, state.isClosed)
    }
    if isClosed { Self.refuse(sink) } else { wake() }
    return id
  }

  func put(_ letter: Letter) {
    state.withLock { state in
      if !state.isClosed { state.letters.append(letter) }
    }
    wake()
  }

  func take() -> [Letter] {
    var count: UInt64 = 0
    // It never blocks: an eventfd that was not written to gives EAGAIN.
    _ = read(descriptor, &count, 8)
    return state.withLock { state in
      defer { state.letters = [] }
      return state.letters
    }
  }

  /// From now on, and for what lies there, the answer is no.
  func refuseAll() {
    let letters = state.withLock { state in
      state.isClosed = true
      defer { state.letters = [] }
      return state.letters
    }
    for case .start(_, _, let sink) in letters { Self.refuse(sink) }
  }

  private static func refuse(_ sink: TransferSink) {
    switch sink {
    case .whole(let tell): tell(.failure(.cancelled))
    case .parts(_, _, let tell): tell(.cancelled)
    }
  }

  private func wake() {
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }
}

/// What happens on the thread; nothing here is seen by another one.
final class CurlLoop {
  private let mailbox: CurlMailbox
  private var multi: UnsafeMutableRawPointer
  private var active: [UInt64: CurlTransfer] = [:]
  private var waiting: [(id: UInt64, request: TransferRequest, sink: TransferSink)] = []
  private var requests = 0
  /// When bytes last came for a request that has ended since.
  private var lastHeard = Instant(nanoseconds: .min)

  init?(_ mailbox: CurlMailbox) {
    guard let multi = curl_make_multi() else { return nil }
    self.multi = multi
    self.mailbox = mailbox
  }

  deinit { curl_multi_cleanup(multi) }

  func run() {
    while true {
      var isStopping = false
      for letter in mailbox.take() {
        switch letter {
        case .start(let id, let request, let sink): waiting.append((id, request, sink))
        case .cancel(let id): cancel(id)
        // What was asked for after it lies behind it, and is answered too.
        case .stop: isStopping = true
        }
      }
      if isStopping { return stop() }
      startWaiting()
      var running: Int32 = 0
      curl_multi_perform(multi, &running)
      for transfer in active.values where transfer.isStream { transfer.tellHead() }
      takeEnded()
      endOverdue()
      startWaiting()
      let patience = max(1, min(60_000, earliestDeadline(monotonicNow())))
      curl_wait(multi, mailbox.descriptor, Int32(patience))
    }
  }

  private func earliestDeadline(_ now: Instant) -> Int64 {
    var earliest = waiting.map { ($0.request.deadline - now).milliseconds }.min() ?? 60_000
    for transfer in active.values {
      earliest = min(earliest, (transfer.deadline + Self.lateness - now).milliseconds + 1)
    }
    return earliest
  }

  /// How much later than its deadline a transfer may end.
  private static let lateness = TimeSpan.milliseconds(20)

  /// libcurl's own clock stands still for transfers that wait for a connection of another one.
  private func endOverdue() {
    let now = monotonicNow()
    let overdue = active.values.filter { $0.deadline + Self.lateness <= now }
    for transfer in overdue where active[transfer.id] != nil {
      remove(transfer)
      transfer.end(.timedOut)
      if isSilent(since: transfer.began) { startAfresh() }
    }
  }

  private func startWaiting() {
    guard !waiting.isEmpty else { return }
    let now = monotonicNow()
    var rest: [(id: UInt64, request: TransferRequest, sink: TransferSink)] = []
    for item in waiting {
      if item.request.deadline <= now {
        end(item.sink, .timedOut)
      } else if item.request.isStream || requests < TransferLimits.requestsMax {
        begin(item.id, item.request, item.sink, now)
      } else {
        rest.append(item)
      }
    }
    waiting = rest
  }

  private func begin(_ id: UInt64, _ request: TransferRequest, _ sink: TransferSink, _ now: Instant) {
    guard let transfer = CurlTransfer(id: id, request, sink, at: now) else {
      return end(sink, .notConnected("no memory is left"))
    }
    guard curl_multi_add_handle(multi, transfer.easy) == CURLM_OK else {
      return transfer.end(.notConnected("libcurl does not take the request"))
    }
    active[id] = transfer
    if !transfer.isStream { requests += 1 }
  }

  private func takeEnded() {
    var code = CURLE_OK
    while let easy = curl_next_ended(multi, &code) {
      guard let context = curl_get_private(easy) else { continue }
      let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
      let failure = transfer.failure(of: code)
      remove(transfer)
      transfer.end(failure)
      if failure == .timedOut && isSilent(since: transfer.began) { startAfresh() }
    }
  }

  /// Nothing at all was heard since then: not the one request is slow, the connection is dead.
  private func isSilent(since start: Instant) -> Bool {
    lastHeard < start && !active.values.contains { transfer in transfer.heard.map { $0 >= start } ?? false }
  }

  /// Gives every connection up. Requests that share a dead HTTP/2 connection would otherwise wait for their own
  /// deadlines one after another, and new ones would join them.
  private func startAfresh() {
    guard let fresh = curl_make_multi() else { return }
    let all = Array(active.values)
    for transfer in all { remove(transfer) }
    curl_multi_cleanup(multi)
    multi = fresh
    for transfer in all { transfer.end(.cut("the connection is silent and was given up")) }
  }

  private func remove(_ transfer: CurlTransfer) {
    curl_multi_remove_handle(multi, transfer.easy)
    if let heard = transfer.heard { lastHeard = max(lastHeard, heard) }
    if active.removeValue(forKey: transfer.id) != nil && !transfer.isStream { requests -= 1 }
  }

  private func cancel(_ id: UInt64) {
    if let transfer = active[id] {
      remove(transfer)
      transfer.end(.cancelled)
    } else if let place = waiting.firstIndex(where: { $0.id == id }) {
      end(waiting.remove(at: place).sink, .cancelled)
    }
  }

  private func stop() {
    for transfer in Array(active.values) {
      remove(transfer)
      transfer.end(.cancelled)
    }
    for item in waiting { end(item.sink, .cancelled) }
    mailbox.refuseAll()
  }

  private func end(_ sink: TransferSink, _ failure: TransferFailure) {
    switch sink {
    case .whole(let tell): tell(.failure(failure))
    case .parts(_, _, let tell): tell(failure)
    }
  }
}
