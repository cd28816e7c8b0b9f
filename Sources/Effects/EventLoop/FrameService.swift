import Synchronization
public import Vocabulary

/// What answers the frames of a `FrameServer`.
public protocol FrameService: AnyObject, Sendable {
  /// A connection was accepted, on its loop; the receiver gets its frames. State of one connection
  /// belongs into a receiver of its own; a service without any may return itself.
  func opened(_ connection: ConnectionInfo) -> any FrameReceiver
  /// A connection was closed as soon as it was accepted, or could not be accepted. For a line in the log.
  func refused(_ peer: SocketAddress?, listener: String, because: RefusalReason)
}

extension FrameService where Self: FrameReceiver {
  public func opened(_ connection: ConnectionInfo) -> any FrameReceiver { self }
}

/// Gets the frames of a connection.
public protocol FrameReceiver: AnyObject, Sendable {
  /// Called on the connection's loop for each whole frame, in the order of arrival.
  ///
  /// The bytes are without their length, valid only during the call, and may be written to. The answer goes through
  /// `reply`, now or later, from any thread, exactly once; answers leave in the order of the requests.
  func received(
    _ frame: UnsafeMutableRawBufferPointer, from connection: ConnectionInfo, reply: Reply
  ) -> FrameFlow
  /// Called once, on the connection's loop, after the last frame.
  func closed(_ connection: ConnectionInfo, because: CloseReason)
}

/// What may happen to the frames behind one that was just received.
public enum FrameFlow: Sendable {
  /// They may be started.
  case concurrent
  /// They wait until this one is answered.
  case exclusive
}

/// Who is at the other end of a connection, and of which listener.
public final class ConnectionInfo: Sendable {
  /// Unique within the process.
  public let id: UInt64
  public let peer: SocketAddress
  /// The name that `FrameServer.listen` was given.
  public let listener: String
  /// The loop that everything of this connection runs on.
  public let loop: EventLoop
  private let frameLimit: Atomic<Int>

  init(id: UInt64, peer: SocketAddress, listener: String, loop: EventLoop, frameBytesMax: ByteCount) {
    self.id = id
    self.peer = peer
    self.listener = listener
    self.loop = loop
    frameLimit = Atomic(frameBytesMax.value)
  }

  /// The largest frame that this connection may send. It can be lowered in `opened`, for as long as
  /// nobody knows who the peer is, and raised later.
  public var frameBytesMax: ByteCount {
    get { ByteCount(frameLimit.load(ordering: .relaxed)) }
    set { frameLimit.store(newValue.value, ordering: .relaxed) }
  }
}

/// Why a connection ended.
public enum CloseReason: Hashable, Sendable, CustomStringConvertible {
  /// The peer closed it, in the usual way or by a reset.
  case peerClosed
  /// Nothing was in flight and nothing moved for `ConnectionLimits.idleTimeMax`.
  case idle
  /// A length that is negative, zero, or above the limit.
  case invalidFrameLength(Int)
  /// A frame was half-sent for longer than `ConnectionLimits.frameDeadline`.
  case frameDeadline
  /// There was no memory for a frame.
  case outOfMemory
  /// A file ended before the bytes that were to be sent from it.
  case fileTruncated
  /// An answer of more than 2 GiB.
  case answerTooLarge
  /// The one who answers asked for it, with these words.
  case asked(String)
  /// The server, the client or the loop ends.
  case shutdown
  /// Our side could not connect: every address of the name, or the deadline.
  case notConnected(String)
  /// The system refused to read or write; the value is its `errno`.
  case failed(Int32)

  /// Whether it deserves a line in the log.
  public var isAbnormal: Bool {
    switch self {
    case .peerClosed, .idle, .shutdown: false
    case .invalidFrameLength, .frameDeadline, .outOfMemory, .fileTruncated, .answerTooLarge, .asked, .notConnected,
      .failed:
      true
    }
  }

  public var description: String {
    switch self {
    case .peerClosed: "the peer closed the connection"
    case .idle: "idle for too long"
    case .invalidFrameLength(let length): "a frame of \(length) bytes"
    case .frameDeadline: "a frame stayed half-sent for too long"
    case .outOfMemory: "no memory for a frame"
    case .fileTruncated: "a file ended before what was to be sent from it"
    case .answerTooLarge: "an answer of more than 2 GiB"
    case .asked(let words): words
    case .shutdown: "shutting down"
    case .notConnected(let words): words
    case .failed(let code): systemText(of: code)
    }
  }

  static func of(_ status: Int) -> CloseReason {
    let code = Int32(truncatingIfNeeded: -status)
    return brokenByPeer.contains(code) ? .peerClosed : .failed(code)
  }
}

/// Why a connection was not taken.
public enum RefusalReason: Hashable, Sendable, CustomStringConvertible {
  /// `ConnectionLimits.connectionsMax`.
  case tooManyConnections
  /// `ConnectionLimits.connectionsPerAddressMax`.
  case tooManyFromAddress
  /// The system gave none; the value is its `errno`. It is tried again after a moment.
  case notAccepted(Int32)

  public var description: String {
    switch self {
    case .tooManyConnections: "too many connections"
    case .tooManyFromAddress: "too many connections from this address"
    case .notAccepted(let code): "cannot accept connections: \(systemText(of: code))"
    }
  }
}
