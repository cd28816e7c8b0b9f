import EventLoop
import Glibc
import Synchronization
import Testing
import Vocabulary

/// A file that is gone as soon as nobody has it open.
final class TemporaryFile: SendableFile {
  let descriptor: Int32
  let closed: Events<Int32>?

  init(_ bytes: [UInt8], closed: Events<Int32>? = nil) throws {
    self.closed = closed
    var path = Array("/var/tmp/eventloop-XXXXXX".utf8CString)
    descriptor = mkstemp(&path)
    try #require(descriptor >= 0)
    unlink(path)
    var done = 0
    while done < bytes.count {
      let status = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + done, $0.count - done) }
      try #require(status > 0)
      done += status
    }
  }
  deinit {
    close(descriptor)
    closed?.add(descriptor)
  }

  /// Takes it out of the page cache, where the filesystem allows that.
  func forget() {
    fdatasync(descriptor)
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
  }
}

@Suite struct SendFileTests {
  @Test(arguments: [false, true]) func filesAndBytesArriveInOrderAndExact(isCold: Bool) throws {
    let content = pattern(9_000_001)
    let file = try TemporaryFile(content)
    let service = Scripted { _, _, reply in
      if isCold { file.forget() }
      reply.send(
        Outgoing(parts: [
          .bytes([1, 2, 3]),
          .file(file, position: 5, count: 100),
          .bytes(pattern(40_000, seed: 9)),
          .bytes([]),
          .file(file, position: 100, count: 0),
          .file(file, position: 0, count: 9_000_001),
          .file(file, position: 4_000_000, count: 3_000_000),
          .bytes([4]),
        ]))
      return .concurrent
    }
    let expected =
      [1, 2, 3] + content[5..<105] + pattern(40_000, seed: 9) + content + content[4_000_000..<7_000_000] + [4]
    let running = try Running(service, loops: 1)
    let peer = try running.connect(receiveBuffer: 50_000)
    try peer.send(frame([1]) + frame([2]) + frame([3]))
    for _ in 0..<3 { #expect(try peer.readFrame() == expected) }
  }

  @Test func aFileIsKeptOpenUntilItHasLeft() throws {
    let closed = Events<Int32>()
    let content = pattern(3_000_000)
    let service = Scripted { _, _, reply in
      if let file = try? TemporaryFile(content, closed: closed) {
        reply.send(Outgoing(parts: [.file(file, position: 0, count: content.count)]))
      } else {
        reply.close(because: "no file")
      }
      return .concurrent
    }
    let running = try Running(service)
    let peer = try running.connect()
    try peer.send(frame([1]))
    #expect(try peer.readFrame() == content)
    _ = try closed.next()
    // Also when the peer leaves in the middle.
    try peer.send(frame([1]))
    _ = try peer.read(1000)
    peer.shut()
    _ = try closed.next()
    #expect(try service.closings.next() == .peerClosed)
  }

  @Test func aFileThatIsShorterThanPromisedClosesTheConnection() throws {
    let file = try TemporaryFile(pattern(1000))
    let service = Scripted { _, _, reply in
      reply.send(Outgoing(parts: [.file(file, position: 0, count: 2000)]))
      return .concurrent
    }
    let running = try Running(service)
    let peer = try running.connect()
    try peer.send(frame([1]))
    #expect(try peer.read(4) == length(2000))
    #expect(try peer.read(1000) == pattern(1000))
    try peer.expectEnd()
    #expect(try service.closings.next() == .fileTruncated)
  }

  @Test func aSlowReaderOfFilesHoldsUpNobodyElse() throws {
    let file = try TemporaryFile(pattern(20_000_000))
    let service = Scripted { _, _, reply in
      reply.send(Outgoing(parts: [.file(file, position: 0, count: 20_000_000)]))
      return .concurrent
    }
    let running = try Running(service, loops: 1)
    let slow = try running.connect(receiveBuffer: 4096)
    try slow.send(frame([1]))
    #expect(try slow.read(4) == length(20_000_000))
    let quick = try running.connect()
    try quick.send(frame([1]))
    #expect(try quick.readFrame().count == 20_000_000)
  }
}
