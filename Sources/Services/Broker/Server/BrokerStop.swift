import ClusterMetadata
import EventLoop
import HTTP
import LogStorage
import Synchronization
import Telemetry
import Vocabulary

extension Broker {
  /// How long a broker waits for the controller to move its leaders away.
  private static let leavingSpan = TimeSpan.seconds(30)

  /// Ends in order: leaders move away, nothing new is accepted, what has begun is answered, every log is closed, the data
  /// folder is let go.
  public func stop() {
    if isReady { leaveOrderly() }
    enter(.stopping)
    let epoch = lifecycle.withLock { $0?.epoch } ?? image.brokers[settings.nodeID]?.epoch
    lifecycle.withLock { $0 }?.stop()
    server.shutdown(drain: .seconds(5))
    mirrors.stop()
    groups.forget()
    replication.withLock { $0 }?.stop()
    quorum.resign()
    quorum.stop()
    publisher.stop()
    for channel in [channel, lifeline] { channel.close() }
    forwarding.close()
    proposals.close()
    for loop in loops { loop.stop() }
    for directory in storage.close(alsoClosing: metadataLog) {
      do {
        try directory.markClean(epoch: epoch ?? -1)
      } catch {
        log.warning("the clean stop could not be noted", ["reason": "\(error)"])
      }
    }
    pool.stop()
    storage.directories.release()
    pages.withLock { $0 }?.stop()
  }

  /// Others lead before this one is gone, so that no client notices (KIP-631's controlled shutdown).
  private func leaveOrderly() {
    guard let lifecycle = lifecycle.withLock({ $0 }), leavesOrderly, image.liveBrokers.count > 1,
      let done = try? Semaphore()
    else { return }
    let once = Once { done.signal() }
    let timer = loops[0].schedule(after: Self.leavingSpan) { once.run() }
    lifecycle.leaveOrderly { once.run() }
    done.wait()
    timer.cancel()
  }

  /// As it is set now: where the whole cluster goes, nobody is left to lead.
  private var leavesOrderly: Bool {
    BrokerConfigs.byName["controlled.shutdown.enable"].map {
      inherited(image).resolve(brokerKey: $0).effective.value != "false"
    } ?? true
  }
}
