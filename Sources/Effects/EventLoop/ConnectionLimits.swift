public import Vocabulary

/// What connections may cost. Every limit says what happens at it.
public struct ConnectionLimits: Sendable {
  /// A larger frame closes the connection (`socket.request.max.bytes`).
  public var frameBytesMax = ByteCount.mebibytes(100)
  /// Requests of one connection that are started and not yet answered. At the limit its socket is not read.
  public var requestsInFlightMax = 64
  /// Answers of one connection that wait for a slow reader. Above it no further request is started.
  public var outgoingBytesMax = ByteCount.mebibytes(1)
  /// How long a frame may be half-sent; the time starts again with every 16 KiB of it.
  public var frameDeadline = TimeSpan.seconds(30)
  /// A connection with nothing in flight and no byte moved for so long is closed (`connections.max.idle.ms`).
  public var idleTimeMax = TimeSpan.seconds(600)
  /// Connections of the server together (`max.connections`); further ones are closed when they are accepted.
  public var connectionsMax = 10_000
  /// Connections from one address (`max.connections.per.ip`); further ones are closed when they are accepted.
  public var connectionsPerAddressMax = Int.max

  public init() {}

  /// How often deadlines are looked at: they may be overrun by this much.
  var sweepInterval: TimeSpan {
    let shortest = min(frameDeadline, idleTimeMax).nanoseconds / 4
    return TimeSpan(nanoseconds: min(max(shortest, 5_000_000), 1_000_000_000))
  }
}
