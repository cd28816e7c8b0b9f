import EventLoop
import Glibc
import Synchronization
import Testing
import Vocabulary

@Suite struct LimitTests {
  @Test(arguments: [0, -1, Int(Int32.min), 1001, Int(Int32.max)])
  func aLengthOutsideOfTheLimitsClosesTheConnection(value: Int) throws {
    let service = Scripted.echo()
    let running = try Running(service) { $0.frameBytesMax = ByteCount(1000) }
    let peer = try running.connect()
    // What came before is still answered.
    try peer.send(frame("before") + length(value))
    #expect(try peer.readFrame() == Array("before".utf8))
    try peer.expectEnd()
    #expect(try service.closings.next() == .invalidFrameLength(value))
  }

  @Test func aBadLengthThatArrivesInPiecesIsSeenToo() throws {
    let service = Scripted.echo()
    let running = try Running(service)
    let peer = try running.connect()
    for byte in length(-5) { try peer.send([byte]) }
    try peer.expectEnd()
    #expect(try service.closings.next() == .invalidFrameLength(-5))
  }

  @Test func oneConnectionMayBeHeldToSmallerFrames() throws {
    let service = Scripted { frame, connection, reply in
      connection.frameBytesMax = ByteCount(10)
      reply.send(Outgoing([UInt8](frame)))
      return .concurrent
    }
    let running = try Running(service)
    let peer = try running.connect()
    try peer.send(frame(pattern(100)))
    #expect(try peer.readFrame() == pattern(100))
    try peer.send(frame(pattern(11)))
    try peer.expectEnd()
    #expect(try service.closings.next() == .invalidFrameLength(11))
  }

  @Test func aReaderThatDoesNotReadStopsItsOwnRequests() throws {
    let started = Atomic<Int>(0)
    let answer = pattern(100_000)
    let service = Scripted { _, _, reply in
      started.add(1, ordering: .relaxed)
      reply.send(Outgoing(answer))
      return .concurrent
    }
    let running = try Running(service, loops: 1) { $0.outgoingBytesMax = .kibibytes(500) }
    let peer = try running.connect(receiveBuffer: 4096)
    let requests = 500
    try peer.send((0..<requests).flatMap { _ in frame([1]) })
    let other = try running.connect()
    try other.send(frame([2]))
    #expect(try other.readFrame() == answer)
    // The queue's limit, one burst, and what the two sockets hold.
    #expect(started.load(ordering: .relaxed) < 200)
    for _ in 0..<requests { #expect(try peer.readFrame() == answer) }
    #expect(started.load(ordering: .relaxed) == requests + 1)
  }

  @Test func connectionsAboveTheLimitAreClosedAndOneMayFollowOneThatLeft() throws {
    let service = Scripted.echo()
    let running = try Running(service) { $0.connectionsMax = 2 }
    let first = try running.connect()
    let second = try running.connect()
    for peer in [first, second] {
      try peer.send(frame("x"))
      _ = try peer.readFrame()
    }
    try running.connect().expectEnd()
    #expect(try service.refusals.next() == .tooManyConnections)
    first.shut()
    #expect(try service.closings.next() == .peerClosed)
    let third = try running.connect()
    try third.send(frame("y"))
    #expect(try third.readFrame() == Array("y".utf8))
  }

  @Test func oneAddressCannotTakeAllConnections() throws {
    let service = Scripted.echo()
    let running = try Running(service) { $0.connectionsPerAddressMax = 1 }
    let first = try running.connect()
    try first.send(frame("x"))
    _ = try first.readFrame()
    try running.connect().expectEnd()
    #expect(try service.refusals.next() == .tooManyFromAddress)
    let elsewhere = try running.connect(from: "127.0.0.2")
    try elsewhere.send(frame("y"))
    #expect(try elsewhere.readFrame() == Array("y".utf8))
  }

  @Test func aConnectionThatDoesNothingIsClosed() throws {
    let service = Scripted.echo()
    let running = try Running(service) { $0.idleTimeMax = .milliseconds(40) }
    let peer = try running.connect()
    try peer.expectEnd()
    #expect(try service.closings.next() == .idle)
  }

  @Test func aConnectionThatWaitsForItsAnswerIsNotIdle() throws {
    let service = Scripted { frame, connection, reply in
      let bytes = [UInt8](frame)
      connection.loop.schedule(after: .milliseconds(200)) { reply.send(Outgoing(bytes)) }
      return .exclusive
    }
    let running = try Running(service) { $0.idleTimeMax = .milliseconds(40) }
    let peer = try running.connect()
    try peer.send(frame("patience"))
    #expect(try peer.readFrame() == Array("patience".utf8))
    try peer.expectEnd()
    #expect(try service.closings.next() == .idle)
  }

  @Test func aFrameThatStaysHalfSentClosesTheConnection() throws {
    let service = Scripted.echo()
    let running = try Running(service) { $0.frameDeadline = .milliseconds(60) }
    let peer = try running.connect()
    try peer.send(frame("whole") + length(100) + [1, 2, 3])
    #expect(try peer.readFrame() == Array("whole".utf8))
    try peer.expectEnd()
    #expect(try service.closings.next() == .frameDeadline)
  }
}
