import CLinux
import Glibc
import Testing

@testable import EventLoop

/// A reader and the socket that it reads from, with the other end to write to.
private struct Reading: ~Copyable {
  let window = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 16)
  let shelf = BufferShelf()
  var reader: FrameReader
  private var ends: [Int32] = [0, 0]

  init() throws {
    reader = FrameReader(window: window, shelf: shelf)
    let status = socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends)
    try #require(status == 0)
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
  }
  deinit {
    close(ends[0])
    close(ends[1])
    window.deallocate()
  }

  /// Sends, and lets the reader read it and look for frames; returns their payloads.
  mutating func take(_ bytes: [UInt8]) throws -> [[UInt8]] {
    var frames: [[UInt8]] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let part = Array(rest.prefix(30_000))
      let sent = linux_send(ends[1], part, part.count, 0)
      try #require(sent == part.count)
      rest = rest.dropFirst(part.count)
      reading: while case .bytes(_, let isDrained) = reader.fill(from: ends[0]) {
        while case .frame(let frame) = reader.next(lengthMax: 100 << 20) { frames.append([UInt8](frame)) }
        if isDrained { break reading }
      }
      let isKept = reader.keepTheRest()
      #expect(isKept)
    }
    return frames
  }
}

@Suite struct FrameReaderTests {
  @Test func memoryGrowsWithWhatArrivedAndNotWithWhatWasAnnounced() throws {
    var reading = try Reading()
    #expect(try reading.take(length(100 << 20)).isEmpty)
    #expect(reading.reader.heldCapacity <= 4096)
    var arrived = 4
    for _ in 0..<100 {
      #expect(try reading.take(pattern(30_000)).isEmpty)
      arrived += 30_000
      #expect(reading.reader.heldCount == arrived)
      #expect(reading.reader.heldCapacity <= 2 * arrived + 4096)
    }
  }

  @Test func betweenFramesThereIsNoMemoryOfTheConnectionsOwn() throws {
    var reading = try Reading()
    for size in [1, 5000, 200_000, 3_000_000, 10] {
      let payload = pattern(size)
      #expect(try reading.take(frame(payload)) == [payload])
      #expect(reading.reader.heldCapacity == 0)
    }
  }

  @Test func aSmallFrameNeverTakesALargeBufferThatWasLeftBehind() throws {
    var reading = try Reading()
    _ = try reading.take(frame(pattern(3_000_000)))
    #expect(try reading.take(length(5000) + [1, 2, 3]).isEmpty)
    #expect(reading.reader.heldCapacity <= 4096)
  }

  @Test func aLargeFrameUsesTheBufferOfTheOneBefore() throws {
    var reading = try Reading()
    let payload = pattern(3_000_000)
    _ = try reading.take(frame(payload))
    #expect(try reading.take(Array(frame(payload).prefix(100_000))).isEmpty)
    #expect(reading.reader.heldCapacity >= 3_000_000)
    #expect(try reading.take(Array(frame(payload).dropFirst(100_000))) == [payload])
  }

  @Test(arguments: [1, 2, 3, 4, 5, 4096, 29_999]) func framesCutAtAnyPlaceAreWhole(cut: Int) throws {
    var reading = try Reading()
    let sizes = cut < 10 ? [1, 2, 3, 100, 5000, 1] : [1, 2, 100, 5000, 40_000, 3, 200_000, 1]
    let payloads = sizes.map { pattern($0, seed: UInt32($0)) }
    var rest = payloads.flatMap(frame)[...]
    var found: [[UInt8]] = []
    while !rest.isEmpty {
      found += try reading.take(Array(rest.prefix(cut)))
      rest = rest.dropFirst(cut)
    }
    #expect(found == payloads)
  }
}
