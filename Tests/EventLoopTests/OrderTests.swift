import EventLoop
import Glibc
import Synchronization
import Testing
import Vocabulary

@Suite struct OrderTests {
  @Test func framesComeBackWhole() throws {
    let running = try Running(Scripted.echo())
    let peer = try running.connect()
    for size in [1, 3, 100, 4095, 131_068, 131_072, 131_073, 1_000_000, 9_000_000] {
      let payload = pattern(size, seed: UInt32(size))
      // Answers of this size do not fit into the sockets, so that one side has to read meanwhile.
      let writer = try BlockingPool(threads: 1)
      writer.run { try? peer.send(frame(payload)) }
      #expect(try peer.readFrame() == payload)
      writer.stop()
    }
  }

  @Test func aFrameThatArrivesByteByByteIsOneFrame() throws {
    let running = try Running(Scripted.echo())
    let peer = try running.connect()
    let bytes = frame("first") + frame("the second one") + frame("3")
    for byte in bytes { try peer.send([byte]) }
    #expect(try peer.readFrame() == Array("first".utf8))
    #expect(try peer.readFrame() == Array("the second one".utf8))
    #expect(try peer.readFrame() == Array("3".utf8))
  }

  @Test(arguments: [1, 7, 4096, 131_071, 131_072, 200_001])
  func pipelinedFramesCutAnywhereAreAnsweredInOrder(cut: Int) throws {
    let running = try Running(Scripted.echo())
    let peer = try running.connect()
    let payloads = (0..<400).map { pattern(1 + ($0 * 7919) % 3000, seed: UInt32($0)) }
    let bytes = payloads.flatMap(frame)
    let writer = try BlockingPool(threads: 1)
    writer.run {
      var rest = bytes[...]
      let step = cut == 1 ? 3 : cut
      while !rest.isEmpty {
        try? peer.send(Array(rest.prefix(step)))
        rest = rest.dropFirst(step)
      }
    }
    for payload in payloads { #expect(try peer.readFrame() == payload) }
    writer.stop()
  }

  @Test func answersLeaveInTheOrderOfTheirRequestsHoweverTheyAreMade() throws {
    let waiting = Events<(Int, Reply)>()
    let service = Scripted { frame, _, reply in
      waiting.add((Int(frame[0]), reply))
      return .concurrent
    }
    let running = try Running(service)
    let peer = try running.connect()
    try peer.send((0..<50).flatMap { frame([UInt8($0)]) })
    var replies: [(Int, Reply)] = []
    for _ in 0..<50 { replies.append(try waiting.next()) }
    #expect(replies.map(\.0) == Array(0..<50))
    var shuffled = replies
    var random = SystemRandomNumberGenerator()
    shuffled.shuffle(using: &random)
    let threads = try BlockingPool(threads: 3)
    for (number, reply) in shuffled {
      threads.run {
        if number % 10 == 3 { reply.sendNothing() } else { reply.send(Outgoing([UInt8(number), 1, 2])) }
      }
    }
    for number in 0..<50 where number % 10 != 3 { #expect(try peer.readFrame() == [UInt8(number), 1, 2]) }
    threads.stop()
  }

  @Test func behindAnExclusiveRequestNothingStartsBeforeItsAnswer() throws {
    let started = Events<(UInt8, Reply)>()
    let service = Scripted { frame, _, reply in
      started.add((frame[0], reply))
      return frame[0] == 2 ? .exclusive : .concurrent
    }
    let running = try Running(service)
    let peer = try running.connect()
    try peer.send(frame([1]) + frame([2]) + frame([3]) + frame([4]))
    let first = try started.next()
    let second = try started.next()
    #expect(first.0 == 1 && second.0 == 2)
    // Its answer waits for the first one's, and so do later requests.
    second.1.send(Outgoing([2]))
    first.1.send(Outgoing([1]))
    #expect(try peer.readFrame() == [1])
    #expect(try peer.readFrame() == [2])
    let third = try started.next()
    let fourth = try started.next()
    #expect(third.0 == 3 && fourth.0 == 4)
    #expect(started.count == 0)
    fourth.1.send(Outgoing([4]))
    third.1.send(Outgoing([3]))
    #expect(try peer.readFrame() + peer.readFrame() == [3, 4])
  }

  @Test func anExclusiveRequestThatIsAnsweredAtOnceHoldsUpNothing() throws {
    let service = Scripted { frame, _, reply in
      reply.send(Outgoing([UInt8](frame)))
      return .exclusive
    }
    let running = try Running(service)
    let peer = try running.connect()
    try peer.send((0..<100).flatMap { frame([$0]) })
    for number in 0..<100 as Range<UInt8> { #expect(try peer.readFrame() == [number]) }
  }

  @Test func noMoreRequestsAreStartedThanMayBeInFlight() throws {
    let started = Events<(UInt8, Reply)>()
    let service = Scripted { frame, _, reply in
      started.add((frame[0], reply))
      return .concurrent
    }
    let running = try Running(service) { $0.requestsInFlightMax = 4 }
    let peer = try running.connect()
    try peer.send((0..<20).flatMap { frame([$0]) })
    for round in 0..<5 as Range<UInt8> {
      let batch = try (0..<4).map { _ in try started.next() }
      #expect(batch.map(\.0) == (0..<4).map { round * 4 + $0 })
      #expect(started.count == 0)
      for (number, reply) in batch.reversed() { reply.send(Outgoing([number])) }
      for number in 0..<4 as Range<UInt8> { #expect(try peer.readFrame() == [round * 4 + number]) }
    }
  }

  @Test func theBytesOfAFrameMayBeWrittenTo() throws {
    let service = Scripted { frame, _, reply in
      for index in frame.indices { frame[index] ^= 0xff }
      reply.send(Outgoing([UInt8](frame)))
      return .concurrent
    }
    let running = try Running(service)
    let peer = try running.connect()
    try peer.send((0..<100).flatMap { frame([$0, $0]) })
    for number in 0..<100 as Range<UInt8> { #expect(try peer.readFrame() == [~number, ~number]) }
  }

  @Test func anEmptyAnswerIsALengthOfZero() throws {
    let service = Scripted { _, _, reply in
      reply.send(Outgoing([]))
      return .concurrent
    }
    let running = try Running(service)
    let peer = try running.connect()
    try peer.send(frame([1]))
    #expect(try peer.read(4) == [0, 0, 0, 0])
  }

  @Test(arguments: 1...4 as ClosedRange<UInt32>)
  func anyMixtureOfSizesFlowsAndThreadsIsAnsweredInOrder(seed: UInt32) throws {
    let threads = try BlockingPool(threads: 2)
    let service = Scripted { frame, connection, reply in
      let bytes = [UInt8](frame)
      switch bytes[0] % 4 {
      case 0: reply.send(Outgoing(bytes))
      case 1: threads.run { reply.send(Outgoing(bytes)) }
      case 2: connection.loop.post { reply.send(Outgoing(bytes)) }
      default: connection.loop.schedule(after: .milliseconds(1)) { reply.send(Outgoing(bytes)) }
      }
      return bytes[0] & 0x10 == 0 ? .concurrent : .exclusive
    }
    let running = try Running(service, loops: 1) {
      $0.requestsInFlightMax = 5
      $0.outgoingBytesMax = .kibibytes(200)
    }
    let choices = pattern(200, seed: seed)
    let payloads = choices.enumerated().map { index, choice in
      let sizes = [1, 50, 3000, 3000, 60_000, 131_072, 140_000, 700_000]
      return [choice] + pattern(sizes[Int(choice) >> 5] + index, seed: UInt32(index))
    }
    let peer = try running.connect(receiveBuffer: 100_000)
    let writer = try BlockingPool(threads: 1)
    writer.run {
      for (payload, cut) in zip(payloads, pattern(200, seed: seed + 1)) {
        let bytes = frame(payload)
        let middle = bytes.count * Int(cut) / 256
        try? peer.send(Array(bytes[..<middle]))
        try? peer.send(Array(bytes[middle...]))
      }
    }
    for payload in payloads { #expect(try peer.readFrame() == payload) }
    writer.stop()
    threads.stop()
  }
}
