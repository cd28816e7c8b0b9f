import CLinux
import Glibc

/// What one connection still has to send, in order.
///
/// Bytes are gathered in the loop's send buffer, so that many small answers leave in one call; large ones are sent
/// from where they are. Files go from the page cache to the socket with `sendfile`. What is not in the page cache
/// is never waited for here: the caller has it read by somebody who may block, and comes back.
struct OutgoingQueue {
  /// How much of a file is sent, or read ahead, at a time.
  static let chunkSize = 1 << 20
  /// How far apart the bytes are that are looked at to tell whether a chunk is in the page cache: the kernel reads
  /// ahead about as much at once.
  private static let probeStride: Int64 = 128 << 10
  /// Bytes from this size on are not worth copying to gather them.
  private static let copiedMax = 16 << 10
  /// So that one fast reader does not keep the loop for itself.
  private static let sentInOneTurnMax = 4 << 20

  private enum Piece {
    case length(UInt32)
    case bytes([UInt8])
    case file(any SendableFile, position: Int64, count: Int)

    var count: Int {
      switch self {
      case .length: 4
      case .bytes(let bytes): bytes.count
      case .file(_, _, let count): count
      }
    }
  }

  enum Outcome {
    case empty
    /// The socket takes no more now, or others deserve a turn.
    case blocked
    /// This range of the file has to be read before it can be sent; then call `becameResident`.
    case notResident(any SendableFile, position: Int64, count: Int)
    case failed(CloseReason)
  }

  private var pieces = Ring<Piece>()
  /// How much of the first piece has left.
  private var sentOfFirst = 0
  /// Up to where the file of the first piece is known to be resident.
  private var residentUntil: Int64 = 0
  /// All that is queued.
  private(set) var count = 0

  var isEmpty: Bool { pieces.isEmpty }

  /// False when the payload is longer than a frame's length can say.
  mutating func append(_ outgoing: Outgoing) -> Bool {
    let payload = outgoing.count
    guard payload <= Int(Int32.max) else { return false }
    pieces.append(.length(UInt32(payload)))
    count += 4 + payload
    switch outgoing.content {
    case .bytes(let bytes): if !bytes.isEmpty { pieces.append(.bytes(bytes)) }
    case .parts(let parts):
      for part in parts where part.count > 0 {
        switch part {
        case .bytes(let bytes): pieces.append(.bytes(bytes))
        case .file(let file, let position, let count): pieces.append(.file(file, position: position, count: count))
        }
      }
    }
    return true
  }

  /// Sends until nothing is left or the socket takes no more.
  mutating func flush(to socket: Int32, through buffer: UnsafeMutableRawBufferPointer) -> Outcome {
    var sent = 0
    while let first = pieces.first {
      guard sent < Self.sentInOneTurnMax else { return .blocked }
      let step: Step
      switch first {
      case .length: step = sendGathered(to: socket, through: buffer)
      case .bytes(let bytes):
        step =
          bytes.count - sentOfFirst < Self.copiedMax
          ? sendGathered(to: socket, through: buffer) : sendDirectly(bytes, to: socket)
      case .file(let file, let position, let count):
        step = sendFile(file, position: position, count: count, to: socket)
      }
      switch step {
      case .sent(let bytes): sent += bytes
      case .ended(let outcome): return outcome
      }
    }
    return .empty
  }

  /// Everything that is queued, as whole frames without their lengths: for a connection without a socket. Nil when a file
  /// ends before what was to be sent from it.
  mutating func takeFrames() -> [[UInt8]]? {
    var frames: [[UInt8]] = []
    while let piece = pieces.popFirst() {
      switch piece {
      case .length: frames.append([])
      case .bytes(let bytes): frames[frames.count - 1] += bytes
      case .file(let file, let position, let count):
        guard let bytes = file.bytes(at: position, count: count), bytes.count == count else { return nil }
        frames[frames.count - 1] += bytes
      }
    }
    count = 0
    return frames
  }

  /// The range that was reported as not resident has been read.
  mutating func becameResident(until position: Int64) { residentUntil = position }

  // MARK: Steps

  private enum Step {
    case sent(Int)
    case ended(Outcome)
  }

  private mutating func sendGathered(to socket: Int32, through buffer: UnsafeMutableRawBufferPointer) -> Step {
    var filled = 0
    var index = 0
    var skipped = sentOfFirst
    gathering: while index < pieces.count {
      switch pieces[index] {
      case .length(let value):
        guard filled + 4 - skipped <= buffer.count else { break gathering }
        withUnsafeBytes(of: value.bigEndian) { copy($0[skipped...], to: buffer[filled...]) }
        filled += 4 - skipped
      case .bytes(let bytes):
        let rest = bytes.count - skipped
        guard rest < Self.copiedMax, filled + rest <= buffer.count else { break gathering }
        bytes.withUnsafeBytes { copy($0[skipped...], to: buffer[filled...]) }
        filled += rest
      case .file: break gathering
      }
      skipped = 0
      index += 1
    }
    let more: Int32 = index < pieces.count ? 1 : 0
    return advance(linux_send(socket, buffer.baseAddress, filled, more), of: filled)
  }

  private mutating func sendDirectly(_ bytes: [UInt8], to socket: Int32) -> Step {
    let more: Int32 = pieces.count > 1 ? 1 : 0
    let start = sentOfFirst
    let status = bytes.withUnsafeBytes {
      linux_send(socket, UnsafeRawBufferPointer(rebasing: $0[start...]).baseAddress, $0.count - start, more)
    }
    return advance(status, of: bytes.count - start)
  }

  private mutating func sendFile(
    _ file: any SendableFile, position: Int64, count: Int, to socket: Int32
  ) -> Step {
    let from = position + Int64(sentOfFirst)
    let chunk = min(count - sentOfFirst, Self.chunkSize)
    if sentOfFirst == 0 { residentUntil = 0 }
    if from >= residentUntil {
      guard Self.isResident(file.descriptor, from: from, count: chunk) else {
        return .ended(.notResident(file, position: from, count: chunk))
      }
      residentUntil = from + Int64(chunk)
    }
    let size = min(chunk, Int(residentUntil - from))
    let status = linux_sendfile(socket, file.descriptor, from, size)
    // Somebody cut the file; there is nothing that could be sent in its place.
    if status == 0 { return .ended(.failed(.fileTruncated)) }
    return advance(status, of: size)
  }

  private mutating func advance(_ status: Int, of asked: Int) -> Step {
    if status == -Int(EAGAIN) { return .ended(.blocked) }
    if status == -Int(EINTR) { return .sent(0) }
    guard status >= 0 else { return .ended(.failed(.of(status))) }
    count -= status
    var rest = status
    while rest > 0, let first = pieces.first {
      let left = first.count - sentOfFirst
      if rest < left {
        sentOfFirst += rest
        break
      }
      rest -= left
      sentOfFirst = 0
      _ = pieces.popFirst()
    }
    return status < asked ? .ended(.blocked) : .sent(status)
  }

  /// Whether the range can be sent without waiting for the disk, as far as a few of its bytes tell.
  private static func isResident(_ descriptor: Int32, from: Int64, count: Int) -> Bool {
    var byte: UInt8 = 0
    let last = from + Int64(count) - 1
    var position = from
    while true {
      // Past the end and filesystems that cannot tell count as resident: sendfile will say what is wrong.
      if linux_read_resident(descriptor, &byte, 1, position) == -Int(EAGAIN) { return false }
      if position == last { return true }
      position = min(position + probeStride, last)
    }
  }
}

private func copy(_ bytes: Slice<UnsafeRawBufferPointer>, to place: Slice<UnsafeMutableRawBufferPointer>) {
  UnsafeMutableRawBufferPointer(rebasing: place).copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes))
}
