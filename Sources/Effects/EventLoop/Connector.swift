import CLinux
import Glibc
import Vocabulary

/// A client's socket until it is connected: tries the addresses of a name one after the other.
final class Connector: EventHandler {
  private enum State {
    case idle
    case trying(Int32, Registration)
    case ended
  }
  private let client: FrameClient
  private let target: String
  private let deadline: Instant
  private var addresses: ArraySlice<ResolvedAddress>
  private var state = State.idle
  private var lastFailure = EHOSTUNREACH

  init(_ client: FrameClient, target: String, addresses: [ResolvedAddress], deadline: Instant) {
    self.client = client
    self.target = target
    self.addresses = addresses[...]
    self.deadline = deadline
  }

  func tryNext(on core: LoopCore) {
    while let address = addresses.popFirst() {
      if client.isEnding { return fail(.shutdown) }
      if monotonicNow() >= deadline { return fail(.notConnected("\(target): no answer in time")) }
      let descriptor = linux_socket(address.family, Int32(SOCK_STREAM.rawValue), 0)
      guard descriptor >= 0 else {
        lastFailure = -descriptor
        continue
      }
      _ = linux_set_no_delay(descriptor)
      let status = address.connect(descriptor)
      if status == 0 || status == -EINPROGRESS, watch(descriptor, on: core) { return }
      if status != 0 && status != -EINPROGRESS { lastFailure = -status }
      close(descriptor)
    }
    fail(.notConnected("\(target): \(systemText(of: lastFailure))"))
  }

  /// A socket that is connected already is reported as writable at once.
  private func watch(_ descriptor: Int32, on core: LoopCore) -> Bool {
    guard let registration = try? core.register(descriptor, for: LINUX_EVENT_WRITE, self) else { return false }
    state = .trying(descriptor, registration)
    core.sweep(every: client.limits.sweepInterval)
    let loop = core.loop
    loop.schedule(at: deadline) { loop.send(.attend(registration)) }
    return true
  }

  func ready(_ events: UInt32, on core: LoopCore) {
    guard case .trying(let descriptor, let registration) = state else { return }
    let error = linux_socket_error(descriptor)
    core.unregister(registration)
    state = .ended
    guard error == 0 else {
      lastFailure = error
      close(descriptor)
      return tryNext(on: core)
    }
    do {
      let half = ClientConnection(client)
      let socket = try FrameSocket(descriptor, on: core, pool: client.pool, limits: client.limits, half: half)
      client.attach(to: socket.registration)
      socket.attend(on: core)
    } catch {
      fail(.failed(error.code))
    }
  }

  /// The deadline.
  func attend(on core: LoopCore) {
    abandon(on: core, because: .notConnected("\(target): no answer in time"))
  }
  func sweep(on core: LoopCore) { if client.isEnding { abandon(on: core, because: .shutdown) } }
  func windDown(_ way: WindDown, of owner: ObjectIdentifier, on core: LoopCore) {
    guard owner == ObjectIdentifier(core.loop) else { return }
    abandon(on: core, because: .shutdown)
  }

  private func abandon(on core: LoopCore, because reason: CloseReason) {
    guard case .trying(let descriptor, let registration) = state else { return }
    core.unregister(registration)
    close(descriptor)
    fail(reason)
  }

  private func fail(_ reason: CloseReason) {
    state = .ended
    client.finish(because: reason)
  }
}
