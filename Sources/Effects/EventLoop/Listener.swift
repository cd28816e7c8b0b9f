import CLinux
import Glibc
import Vocabulary

/// A listening socket on the first loop of a server.
final class Listener: EventHandler {
  private static let acceptedInOneTurnMax = 64
  /// How long it rests when the system has no descriptor or memory left: epoll would report it again at once.
  private static let pause = TimeSpan.milliseconds(100)

  private let descriptor: Int32
  private let name: String
  private let server: FrameServer
  private var registration = Registration.wakeUp

  /// Takes over the descriptor, also when it fails.
  init(_ descriptor: Int32, name: String, of server: FrameServer, on core: LoopCore) throws(SystemError) {
    self.descriptor = descriptor
    self.name = name
    self.server = server
    do {
      registration = try core.register(descriptor, for: LINUX_EVENT_READ, self)
    } catch {
      close(descriptor)
      throw error
    }
  }

  func ready(_ events: UInt32, on core: LoopCore) {
    for _ in 0..<Self.acceptedInOneTurnMax {
      var address = linux_address()
      let accepted = linux_accept(descriptor, &address)
      if accepted >= 0 {
        server.take(accepted, from: SocketAddress(address), listener: name, on: core)
        continue
      }
      switch -accepted {
      case EAGAIN: return
      case EINTR, ECONNABORTED, EPROTO, ENETDOWN, EHOSTDOWN, EHOSTUNREACH, ENETUNREACH: continue
      default: return rest(after: -accepted, on: core)
      }
    }
  }

  func attend(on core: LoopCore) { core.change(registration, to: LINUX_EVENT_READ) }
  func sweep(on core: LoopCore) {}

  func windDown(_ way: WindDown, of owner: ObjectIdentifier, on core: LoopCore) {
    guard owner == ObjectIdentifier(server) || owner == ObjectIdentifier(core.loop) else { return }
    guard core.handler(of: registration) === self else { return }
    core.unregister(registration)
    close(descriptor)
  }

  private func rest(after code: Int32, on core: LoopCore) {
    core.change(registration, to: 0)
    server.service.refused(nil, listener: name, because: .notAccepted(code))
    let (loop, registration) = (core.loop, registration)
    loop.schedule(after: Self.pause) { loop.send(.attend(registration)) }
  }
}
