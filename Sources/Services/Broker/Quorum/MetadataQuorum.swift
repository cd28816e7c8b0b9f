import ClusterMetadata
import EventLoop
import KafkaClient
import LogStorage
import Synchronization
import Vocabulary

protocol MetadataQuorumObserver: AnyObject, Sendable {
  func committed(_ records: [MetadataRecord], _ image: MetadataImage, upTo offset: Offset)
  func replaced(by image: MetadataImage, upTo offset: Offset)
  func becameLeader(_ epoch: LeaderEpoch)
  func lostLeadership(_ epoch: LeaderEpoch)
  func leaderChanged(_ leader: NodeID?, _ epoch: LeaderEpoch)
}

/// Stand-in: a quorum of one.
final class MetadataQuorum: Sendable {
  private let thread: BlockingPool
  private let log: MetadataLog
  private let state: Mutex<(image: MetadataImage, observer: (any MetadataQuorumObserver)?)>
  private let node: NodeID

  init(log: MetadataLog, node: NodeID) throws {
    thread = try BlockingPool(threads: 1, name: "controller")
    self.log = log
    self.node = node
    state = Mutex((try log.load(), nil))
  }
  func start(_ observer: any MetadataQuorumObserver) {
    state.withLock { $0.observer = observer }
    run {
      observer.replaced(by: self.image, upTo: self.appliedOffset)
      observer.leaderChanged(self.node, LeaderEpoch(1))
      observer.becameLeader(LeaderEpoch(1))
    }
  }
  func run(_ job: @escaping @Sendable () -> Void) { thread.run(job) }
  var image: MetadataImage { state.withLock { $0.image } }
  var appliedOffset: Offset { log.log.endOffset }
  var leader: (id: NodeID, epoch: LeaderEpoch)? { (node, LeaderEpoch(1)) }
  func address(of controller: NodeID) -> BrokerAddress? { nil }
  func append(_ records: [MetadataRecord], in epoch: LeaderEpoch) throws(Refusal) -> Offset {
    do { try log.append(records) } catch { throw Refusal(.kafkaStorageError, "\(error)") }
    let end = log.log.endOffset
    let (image, observer) = state.withLock { state in
      for record in records { state.image.replay(record) }
      return (state.image, state.observer)
    }
    run { observer?.committed(records, image, upTo: end) }
    return end
  }
  var controllers: [(id: NodeID, address: BrokerAddress)] { [] }
  func resign() {}
  func stop() { thread.stop() }
}
