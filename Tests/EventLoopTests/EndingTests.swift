import CLinux
import EventLoop
import Glibc
import Synchronization
import Testing
import Vocabulary

@Suite struct EndingTests {
  @Test func anAnswerAfterTheConnectionIsGoneIsHarmless() throws {
    let started = Events<Reply>()
    let service = Scripted { _, _, reply in
      started.add(reply)
      return .concurrent
    }
    let running = try Running(service)
    let peer = try running.connect()
    try peer.send(frame([1]) + frame([2]))
    let replies = try [started.next(), started.next()]
    peer.shut()
    #expect(try service.closings.next() == .peerClosed)
    replies[0].send(Outgoing([1]))
    replies[1].close(because: "late")
    let next = try running.connect()
    try next.send(frame([3]))
    try started.next().send(Outgoing([3]))
    #expect(try next.readFrame() == [3])
  }

  @Test(arguments: [true, false]) func aReplyMayCloseTheConnectionBehindEarlierAnswers(answersItself: Bool) throws {
    let started = Events<Reply>()
    let service = Scripted { _, _, reply in
      started.add(reply)
      return .concurrent
    }
    let running = try Running(service)
    let peer = try running.connect()
    try peer.send(frame([1]) + frame([2]) + frame([3]))
    let replies = try (0..<3).map { _ in try started.next() }
    replies[2].send(Outgoing([3]))
    if answersItself {
      replies[1].send(Outgoing([2]), andCloseBecause: "a bad request")
    } else {
      replies[1].close(because: "a bad request")
    }
    replies[0].send(Outgoing([1]))
    #expect(try peer.readFrame() == [1])
    if answersItself { #expect(try peer.readFrame() == [2]) }
    try peer.expectEnd()
    #expect(try service.closings.next() == .asked("a bad request"))
  }

  @Test func shutdownLetsStartedRequestsFinish() throws {
    let started = Events<Reply>()
    let service = Scripted { _, _, reply in
      started.add(reply)
      return .concurrent
    }
    let running = try Running(service)
    let busy = try running.connect()
    let idle = try running.connect()
    try busy.send(frame([1]))
    let reply = try started.next()
    let ended = Events<Int>()
    let server = running.server
    let waiter = try BlockingPool(threads: 1)
    waiter.run {
      server.shutdown(drain: .seconds(20))
      ended.add(1)
    }
    try idle.expectEnd()
    #expect(ended.count == 0)
    reply.send(Outgoing([1, 1]))
    #expect(try busy.readFrame() == [1, 1])
    try busy.expectEnd()
    _ = try ended.next()
    #expect(server.connectionCount == 0)
    waiter.stop()
  }

  @Test func shutdownDoesNotWaitLongerThanItWasTold() throws {
    let service = Scripted { _, _, _ in .concurrent }
    let running = try Running(service)
    let peer = try running.connect()
    try peer.send(frame([1]))
    _ = try service.openings.next()
    running.server.shutdown(drain: .milliseconds(10))
    try peer.expectEnd()
    #expect(running.server.connectionCount == 0)
  }

  @Test func afterStopAcceptingNobodyConnectsAndOthersStay() throws {
    let running = try Running(Scripted.echo())
    let peer = try running.connect()
    try peer.send(frame([1]))
    _ = try peer.readFrame()
    running.server.stopAccepting()
    #expect(!Peer.canConnect(to: running.port))
    try peer.send(frame([2]))
    #expect(try peer.readFrame() == [2])
  }

  @Test func stoppingALoopClosesItsConnections() throws {
    let service = Scripted.echo()
    let running = try Running(service, loops: 1)
    let peer = try running.connect()
    try peer.send(frame([1]))
    _ = try peer.readFrame()
    running.loops[0].stop()
    try peer.expectEnd()
    #expect(try service.closings.next() == .shutdown)
    #expect(running.server.connectionCount == 0)
  }

  @Test func aPortThatIsTakenIsNamedInTheError() throws {
    let running = try Running(Scripted.echo())
    let error = #expect(throws: SystemError.self) {
      try running.server.listen(host: "127.0.0.1", port: running.port, name: "SECOND")
    }
    #expect(error?.code == EADDRINUSE)
    #expect(error?.description.contains("127.0.0.1:\(running.port)") == true)
  }

  @Test(arguments: ["", "localhost", "0.0.0.0"]) func everyWayToNameTheLoopbackIsListenedOn(host: String) throws {
    let running = try Running(Scripted.echo())
    let port = try running.server.listen(host: host, port: 0, name: "OTHER")
    let peer = try Peer(port: port)
    try peer.send(frame([7]))
    #expect(try peer.readFrame() == [7])
  }

  @Test func aConnectionKnowsItsListenerAndItsPeer() throws {
    let service = Scripted.echo()
    let running = try Running(service)
    let peer = try running.connect(from: "127.0.0.9")
    let info = try service.openings.next()
    #expect(info.listener == "TEST")
    #expect(info.peer.host == "127.0.0.9")
    #expect(info.peer.description == "127.0.0.9:\(linux_local_port(peer.descriptor))")
  }
}
