import EventLoop
import Glibc
import Synchronization
import Testing
import Vocabulary

private final class Listening: FrameClientReceiver {
  enum Event: Sendable, Equatable {
    case connected
    case frame([UInt8])
    case closed(CloseReason)
  }
  let events = Events<Event>()
  func connected(_ client: FrameClient) { events.add(.connected) }
  func received(_ frame: UnsafeMutableRawBufferPointer, by client: FrameClient) { events.add(.frame([UInt8](frame))) }
  func closed(_ client: FrameClient, because reason: CloseReason) { events.add(.closed(reason)) }
}

@Suite struct ClientTests {
  @Test func whatIsSentBeforeAndAfterTheConnectionIsMadeArrivesInOrder() throws {
    let running = try Running(Scripted.echo())
    let listening = Listening()
    let client = FrameClient(
      host: "localhost", port: running.port, loop: running.loops[0], pool: running.pool, receiver: listening)
    for number in 0..<50 as Range<UInt8> { client.send(Outgoing([number])) }
    #expect(try listening.events.next() == .connected)
    for number in 50..<100 as Range<UInt8> { client.send(Outgoing([number])) }
    for number in 0..<100 as Range<UInt8> { #expect(try listening.events.next() == .frame([number])) }
    let large = pattern(5_000_000)
    client.send(Outgoing(large))
    #expect(try listening.events.next() == .frame(large))
    client.send(Outgoing([1]))
    client.close()
    #expect(!client.send(Outgoing([2])))
    var last = try listening.events.next()
    if case .frame = last { last = try listening.events.next() }
    #expect(last == .closed(.shutdown))
  }

  @Test func aServerThatLeavesIsReportedOnce() throws {
    let service = Scripted { _, _, reply in
      reply.close(because: "enough")
      return .concurrent
    }
    let running = try Running(service)
    let listening = Listening()
    let client = FrameClient(
      host: "127.0.0.1", port: running.port, loop: running.loops[1], pool: running.pool, receiver: listening)
    #expect(try listening.events.next() == .connected)
    client.send(Outgoing([1]))
    #expect(try listening.events.next() == .closed(.peerClosed))
    #expect(!client.send(Outgoing([2])))
    client.close()
    #expect(listening.events.count == 0)
  }

  @Test func aPortThatNobodyListensOnIsReported() throws {
    let running = try Running(Scripted.echo())
    running.server.stopAccepting()
    let listening = Listening()
    let client = FrameClient(
      host: "127.0.0.1", port: running.port, loop: running.loops[0], pool: running.pool, receiver: listening)
    let words = "127.0.0.1:\(running.port): Connection refused"
    #expect(try listening.events.next() == .closed(.notConnected(words)))
    #expect(!client.send(Outgoing([2])))
  }

  @Test func aNameThatDoesNotExistIsReported() throws {
    let running = try Running(Scripted.echo())
    let listening = Listening()
    _ = FrameClient(
      host: "no-such-host.invalid", port: 1, loop: running.loops[0], pool: running.pool, receiver: listening)
    guard case .closed(.notConnected(let words)) = try listening.events.next() else {
      Issue.record("it connected")
      return
    }
    #expect(words.contains("no-such-host.invalid"))
  }

  @Test func aNameServerThatIsSilentIsGivenUpAtTheDeadlineAndHoldsUpNobodyElse() throws {
    let running = try Running(Scripted.echo())
    let (began, ends) = (try Semaphore(), try Semaphore())
    let asked = Mutex(0)
    let pool = try BlockingPool(threads: 2, name: "names") { _, _ throws(SystemError) in
      asked.withLock { $0 += 1 }
      began.signal()
      ends.wait()
      return []
    }
    defer { pool.stop() }
    func connect(_ host: String, _ port: UInt16, within span: TimeSpan) -> Listening {
      let listening = Listening()
      _ = FrameClient(
        host: host, port: port, loop: running.loops[0], pool: pool, deadline: span, receiver: listening)
      return listening
    }
    let words = "silent.invalid:1: the name was not resolved in time"
    let first = connect("silent.invalid", 1, within: .milliseconds(50))
    began.wait()
    #expect(try first.events.next() == .closed(.notConnected(words)))
    let second = connect("silent.invalid", 1, within: .milliseconds(50))
    #expect(try second.events.next() == .closed(.notConnected(words)))
    #expect(asked.withLock { $0 } == 1, "one thread waits for one name")
    let other = connect("127.0.0.1", running.port, within: .seconds(30))
    #expect(try other.events.next() == .connected)
    ends.signal()
  }

  @Test func aServerThatDoesNotAcceptIsGivenUpAtTheDeadline() throws {
    // A socket that listens with room for nobody: once its queue is full, the system answers no one.
    let running = try Running(Scripted.echo())
    let deaf = try DeafServer()
    let listening = Listening()
    _ = FrameClient(
      host: "127.0.0.1", port: deaf.port, loop: running.loops[0], pool: running.pool, deadline: .milliseconds(50),
      receiver: listening)
    #expect(try listening.events.next() == .closed(.notConnected("127.0.0.1:\(deaf.port): no answer in time")))
  }

  @Test func closingBeforeTheConnectionIsMadeEndsIt() throws {
    let running = try Running(Scripted.echo())
    let listening = Listening()
    let client = FrameClient(
      host: "127.0.0.1", port: running.port, loop: running.loops[0], pool: running.pool, receiver: listening)
    client.close()
    var last = try listening.events.next()
    if last == .connected { last = try listening.events.next() }
    #expect(last == .closed(.shutdown))
  }
}
