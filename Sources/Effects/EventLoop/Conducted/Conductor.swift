import CLinux
package import Vocabulary

/// Takes the place of the threads, clocks and sockets of one node, so that a simulation can run the program as it is:
/// many nodes on one thread, in virtual time, in an order that a seed draws.
///
/// Loops, pools and semaphores that are made while a conductor holds the thread (`Conducting.with`) have no thread and no
/// descriptor of their own: they tell the conductor when they have something to do, and it has them do one thing at a
/// time. Without a conductor all of this costs one look at a field where a thread would have to be woken anyway.
package protocol Conductor: AnyObject, Sendable {
  /// A loop or a pool has come to be.
  func joined(_ performer: any ConductedPart)
  /// Lets others perform until `isOver`, until the deadline, or until the node is dead.
  func wait(until deadline: Instant, _ isOver: () -> Bool)
  /// Has `accept` called for every connection to this address of the node.
  func listen(
    host: String, port: UInt16, _ accept: @escaping @Sendable (_ from: SocketAddress, any FrameLine) -> FrameEnd?
  ) throws(SystemError)
  /// Calls `done` once, with the way to the other side or with words for why there is none.
  func connect(
    host: String, port: UInt16, until deadline: Instant, _ done: @escaping @Sendable (Connecting) -> FrameEnd?)
  /// The next of the node's random numbers.
  func chance() -> UInt64
}

/// How an attempt to connect ended.
package enum Connecting: Sendable {
  case connected(any FrameLine)
  case failed(String)
}

/// One way of a connection, as whoever sends sees it.
package protocol FrameLine: AnyObject, Sendable {
  /// A whole frame, without its length.
  func send(_ frame: [UInt8])
  func close()
}

/// What does one thing at a time when it is told to.
package protocol ConductedPart: AnyObject, Sendable {
  /// When there is something to be done: now, if that is not in the future; nil while there is nothing.
  var nextDuty: Instant? { get }
  func perform()
  /// The process has died: whatever was still to be done is forgotten, and nothing is done any more.
  func abandon()
}

package enum Conducting {
  private final class Holder {
    let conductor: any Conductor
    init(_ conductor: any Conductor) { self.conductor = conductor }
  }

  /// Who conducts what is made and done on this thread now.
  package static var conductor: (any Conductor)? {
    linux_simulated_here().conductor.map { Unmanaged<Holder>.fromOpaque($0).takeUnretainedValue().conductor }
  }

  /// Runs the body as a part of the conductor's node, at that time on its clocks.
  package static func with<Result>(
    _ conductor: any Conductor, at now: Instant, _ time: Timestamp, _ body: () throws -> Result
  ) rethrows -> Result {
    let before = linux_simulated_here()
    let holder = Holder(conductor)
    return try withExtendedLifetime(holder) {
      linux_simulate(
        linux_simulated(
          monotonic: now.nanoseconds, wall: time.milliseconds, conductor: Unmanaged.passUnretained(holder).toOpaque()))
      defer { linux_simulate(before) }
      return try body()
    }
  }
}

extension Conducting {
  /// Time has gone by while whoever holds the thread waited.
  package static func advance(to now: Instant, _ time: Timestamp) {
    var simulated = linux_simulated_here()
    simulated.monotonic = now.nanoseconds
    simulated.wall = time.milliseconds
    linux_simulate(simulated)
  }
}

/// The system's chance, or that of the node that is simulated.
public struct Chance: RandomNumberGenerator, Sendable {
  public init() {}
  public mutating func next() -> UInt64 {
    if let conductor = Conducting.conductor { return conductor.chance() }
    var system = SystemRandomNumberGenerator()
    return system.next()
  }
}
