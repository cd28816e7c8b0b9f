import CLinux
import Glibc
import Synchronization
public import Vocabulary

/// A server for frames that are a big-endian length of four bytes and then that many bytes.
///
/// It accepts on the first loop and gives each connection to the loop that has the fewest. The requests of a connection
/// are started in the order of arrival and answered in that order; see `ConnectionLimits` for what holds them up.
public final class FrameServer: Sendable {
  private enum Phase {
    case serving
    case ending
  }
  private struct State {
    var phase = Phase.serving
    var lastID: UInt64 = 0
    var total = 0
    var byLoop: [Int]
    var byAddress: [SocketAddress.Raw: Int] = [:]
  }

  let limits: ConnectionLimits
  let service: any FrameService
  private let loops: [EventLoop]
  private let pool: BlockingPool
  private let state: Mutex<State>
  /// Signalled when the last connection is gone after `shutdown` began.
  private let emptied: Semaphore

  /// The loops and the pool are run and stopped by the caller, who stops them after the server.
  public init(
    loops: [EventLoop], pool: BlockingPool, limits: ConnectionLimits, service: any FrameService
  ) throws(SystemError) {
    precondition(!loops.isEmpty, "a server needs a loop")
    // sendfile has no flag that would keep the signal away from the process.
    ignoreBrokenPipes()
    self.loops = loops
    self.pool = pool
    self.limits = limits
    self.service = service
    state = Mutex(State(byLoop: [Int](repeating: 0, count: loops.count)))
    emptied = try Semaphore()
  }

  /// How many connections there are.
  public var connectionCount: Int { state.withLock { $0.total } }

  /// Listens on an address, a name, or with an empty host on every interface; port 0 takes any free port. Blocks
  /// while the name is resolved. The loops must run. `name` is what `ConnectionInfo.listener` will say.
  /// Returns the port; the error names the address.
  public func listen(host: String, port: UInt16, name: String) throws(SystemError) -> UInt16 {
    if let conductor = loops[0].conductor { return try listen(host: host, port: port, name: name, by: conductor) }
    let socket = try ListeningSocket(host: host, port: port)
    let bound = socket.port
    let descriptor = socket.release()
    let isSent = loops[0].send(
      .inside { [self] core in
        guard state.withLock({ $0.phase == .serving }) else {
          close(descriptor)
          return
        }
        // A listener that epoll does not take has closed its socket, so that nobody hangs in its queue.
        do throws(SystemError) { _ = try Listener(descriptor, name: name, of: self, on: core) } catch {
          service.refused(nil, listener: name, because: .notAccepted(error.code))
        }
      })
    if !isSent {
      close(descriptor)
      throw SystemError("listen on \(host):\(port)", code: ECANCELED)
    }
    return bound
  }

  /// Closes the listening sockets; connections stay. Returns when they are closed, except on a loop of the server.
  public func stopAccepting() {
    state.withLock { $0.phase = .ending }
    guard let done = try? Semaphore() else { return }
    let isSent = loops[0].send(
      .inside { [self] core in
        core.windDownListeners(of: ObjectIdentifier(self))
        done.signal()
      })
    if isSent && !loops[0].isCurrent { done.wait() }
  }

  /// Accepts nothing more, lets every connection finish the requests that it has started, and after `drain` closes
  /// those that are left. Blocks until all are closed; not to be called on a loop of the server.
  public func shutdown(drain: TimeSpan) {
    precondition(!loops.contains(where: \.isCurrent), "a loop cannot wait for itself")
    stopAccepting()
    let deadline = monotonicNow() + drain
    windDown(.afterWhatIsBegun)
    while connectionCount > 0, emptied.wait(until: deadline) {}
    guard connectionCount > 0 else { return }
    windDown(.atOnce)
    while connectionCount > 0 { _ = emptied.wait(until: monotonicNow() + .milliseconds(100)) }
  }

  private func windDown(_ way: WindDown) {
    for loop in loops { loop.send(.inside { [self] core in core.windDown(way, of: ObjectIdentifier(self)) }) }
  }

  private func listen(
    host: String, port: UInt16, name: String, by conductor: any Conductor
  ) throws(SystemError) -> UInt16 {
    try conductor.listen(host: host, port: port) { [self] peer, line in take(line, from: peer, listener: name) }
    return port
  }

  // MARK: Connections

  /// Takes over an accepted socket.
  func take(_ descriptor: Int32, from peer: SocketAddress, listener: String, on core: LoopCore) {
    switch admit(peer) {
    case .failure(.closing): close(descriptor)
    case .failure(.refused(let reason)):
      close(descriptor)
      service.refused(peer, listener: listener, because: reason)
    case .success(let place):
      _ = linux_set_no_delay(descriptor)
      let loop = loops[place.loop]
      let info = ConnectionInfo(
        id: place.id, peer: peer, listener: listener, loop: loop, frameBytesMax: limits.frameBytesMax)
      if loop === core.loop { return open(descriptor, info, loopIndex: place.loop, on: core) }
      let isSent = loop.send(.inside { [self] core in open(descriptor, info, loopIndex: place.loop, on: core) })
      if !isSent {
        close(descriptor)
        release(peer, loopIndex: place.loop)
      }
    }
  }

  private func open(_ descriptor: Int32, _ info: ConnectionInfo, loopIndex: Int, on core: LoopCore) {
    guard state.withLock({ $0.phase == .serving }) else {
      close(descriptor)
      return release(info.peer, loopIndex: loopIndex)
    }
    let receiver = service.opened(info)
    let half = ServerConnection(info, of: self, loopIndex: loopIndex, receiver: receiver)
    do {
      let socket = try FrameSocket(descriptor, on: core, pool: pool, limits: limits, half: half)
      half.attach(to: socket.registration)
    } catch {
      half.closed(because: .failed(error.code))
    }
  }

  /// Takes over a connection that a conductor carries. Nil when it is refused.
  private func take(_ line: any FrameLine, from peer: SocketAddress, listener: String) -> FrameEnd? {
    guard case .success(let place) = admit(peer) else { return nil }
    let loop = loops[place.loop]
    let end = FrameEnd(loop)
    let info = ConnectionInfo(
      id: place.id, peer: peer, listener: listener, loop: loop, frameBytesMax: limits.frameBytesMax)
    loop.send(
      .inside { [self] core in
        let half = ServerConnection(info, of: self, loopIndex: place.loop, receiver: service.opened(info))
        let socket = ConductedSocket(line, on: core, half: half)
        half.attach(to: socket.registration)
        end.attach(to: socket.registration)
        socket.attend(on: core)
      })
    return end
  }

  private enum Rejection: Error {
    case closing
    case refused(RefusalReason)
  }

  private func admit(_ peer: SocketAddress) -> Result<(loop: Int, id: UInt64), Rejection> {
    state.withLock { state in
      guard state.phase == .serving else { return .failure(.closing) }
      guard state.total < limits.connectionsMax else { return .failure(.refused(.tooManyConnections)) }
      let fromAddress = state.byAddress[peer.raw, default: 0]
      guard fromAddress < limits.connectionsPerAddressMax else { return .failure(.refused(.tooManyFromAddress)) }
      var least = 0
      for loop in state.byLoop.indices where state.byLoop[loop] < state.byLoop[least] { least = loop }
      state.byAddress[peer.raw] = fromAddress + 1
      state.byLoop[least] += 1
      state.total += 1
      state.lastID += 1
      return .success((least, state.lastID))
    }
  }

  /// A connection is gone.
  func release(_ peer: SocketAddress, loopIndex: Int) {
    let isLast = state.withLock { state in
      state.byLoop[loopIndex] -= 1
      state.total -= 1
      if let left = state.byAddress[peer.raw] { state.byAddress[peer.raw] = left > 1 ? left - 1 : nil }
      return state.total == 0 && state.phase == .ending
    }
    if isLast { emptied.signal() }
  }
}
