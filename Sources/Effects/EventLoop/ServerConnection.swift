import Vocabulary

/// The server's half of a connection: starts requests and puts their answers in order.
final class ServerConnection: FrameSocketOwner {
  private let server: FrameServer
  private let info: ConnectionInfo
  private let loopIndex: Int
  private let outbox: Outbox
  private let receiver: any FrameReceiver
  private let requestsInFlightMax: UInt64
  private let outgoingBytesMax: Int
  private var started: UInt64 = 0
  private var answered: UInt64 = 0
  /// The number behind the request that holds up all later ones; those before are not held up.
  private var exclusiveEnd: UInt64 = 0

  init(_ info: ConnectionInfo, of server: FrameServer, loopIndex: Int, receiver: any FrameReceiver) {
    self.server = server
    self.info = info
    self.loopIndex = loopIndex
    self.receiver = receiver
    outbox = Outbox(loop: info.loop)
    requestsInFlightMax = UInt64(max(1, server.limits.requestsInFlightMax))
    outgoingBytesMax = server.limits.outgoingBytesMax.value
  }

  func attach(to registration: Registration) { outbox.attach(to: registration) }

  var owner: ObjectIdentifier { ObjectIdentifier(server) }
  var frameBytesMax: Int { info.frameBytesMax.value }
  var isBusy: Bool { started > answered }

  func mayStart(queued: Int) -> Bool {
    answered >= exclusiveEnd && started - answered < requestsInFlightMax && queued <= outgoingBytesMax
  }

  func start(_ frame: UnsafeMutableRawBufferPointer) {
    let reply = Reply(outbox: outbox, number: started)
    started += 1
    switch receiver.received(frame, from: info, reply: reply) {
    case .concurrent: break
    case .exclusive: exclusiveEnd = started
    }
  }

  func attend() { outbox.attend() }

  func collect(into queue: inout OutgoingQueue, thenAttend: Bool) -> CloseReason? {
    let (count, end) = outbox.collect(into: &queue, thenAttend: thenAttend)
    answered += count
    return end
  }

  func closed(because reason: CloseReason) {
    outbox.close()
    server.release(info.peer, loopIndex: loopIndex)
    receiver.closed(info, because: reason)
  }
}
