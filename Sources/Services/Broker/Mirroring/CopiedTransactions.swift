import EventLoop
import KafkaProtocol
import LogStorage
import Replication
import Vocabulary

// Transactions where a partition changes hands: what may still end, and what is taken back.

extension Partition {
  /// What becomes of a batch where somebody else than clients writes the partition, before the log sees it; nil where it
  /// goes on to the log.
  func gated(
    _ batches: UnsafeMutableRawBufferPointer, _ origin: AppendOrigin, _ state: borrowing State
  ) -> AppendOutcome? {
    guard origin != .replica, let refusal = state.gate.refusal(in: state.replica.leaderEpoch, of: name) else {
      return nil
    }
    let header = (try? RecordBatch(UnsafeRawBufferPointer(batches)))?.header
    let isMarker = header?.attributes.isControl == true
    // What a broker writes of its own is in topics that no mirror has.
    if origin == .coordinator, !isMarker { return nil }
    // What is open only the leader knows. One that is none any more has heard of that before it heard of the gate, or has
    // all that was begun before the gate closed.
    if isMarker {
      guard case .leader = state.replica.role else { return nil }
    }
    switch state.gate {
    case .clients: return nil
    case .opensAbove: return .refused(refusal)
    case .fenced:
      // Whoever takes over waits until nothing is open here. So what is goes on until it ends, and nothing begins.
      guard let header, header.attributes.isTransactional else { return .refused(refusal) }
      if isMarker { return log.hasOpenTransaction(of: header.producerID) ? nil : moot }
      let isOpen = log.admits(
        header.producerID, header.producerEpoch, with: nil, inEpoch: state.replica.leaderEpoch)
      return isOpen ? nil : .refused(refusal)
    case .mirror: return isMarker ? moot : .refused(refusal)
    }
  }

  /// A marker with nothing to end. What a mirror writes ends its transactions itself, and of what was taken over elsewhere
  /// the new owner has ended them: a coordinator that knows of one has nothing left to do here.
  private var moot: AppendOutcome { .kept(log.appendedNothing) }

  /// Takes back what was copied and has no outcome, once clients write here: whoever began it knows another cluster, and
  /// its coordinator will never say how it ends.
  ///
  /// Each leader looks once in its term, before it appends anything. So whatever is kept here after a failover has the
  /// markers before it, and a leader that has lost them has lost all that came after them, and writes them again. A marker
  /// has the epochs that the log knows of its producer, which are the least that the log takes: those that a coordinator
  /// writes later are not older.
  func endCopied(
    in epoch: LeaderEpoch, _ now: Instant, _ state: inout State, _ after: inout PartitionAftermath
  ) throws(StorageError) -> AppendRefusal? {
    guard let opened = state.opened, epoch >= opened, state.endedIn != epoch else { return nil }
    if case .mirror = state.gate { return nil }
    if world.plantedInMirroring == .leavesOpenTransactions { return nil }
    let boundary = log.leaderEpochs.entries.first { $0.epoch >= opened }?.start ?? log.endOffset
    let time = wallClockNow()
    for producer in log.openTransactions(before: boundary) {
      var marker = TransactionMarkerBatch.build(
        outcome: false, producer: producer.id, epoch: producer.epoch,
        coordinatorEpoch: max(0, producer.coordinatorEpoch), at: time)
      let result = marker.withUnsafeMutableBytes { raw in
        Result<Result<Appended, AppendRefusal>, StorageError> { () throws(StorageError) in
          try log.append(raw, origin: .coordinator, leaderEpoch: epoch, now: time)
        }
      }
      switch try result.get() {
      case .failure(let refusal): return refusal
      case .success(let appended):
        keep(Writer(appended: appended) { _ in }, .leader, .never, now, &state, &after)
        after.own = nil
      }
    }
    state.endedIn = epoch
    return nil
  }

  /// The same where nobody writes: who reads committed records only waits for it.
  func endCopiedWhereLeading(_ now: Instant, _ state: inout State, _ after: inout PartitionAftermath) {
    guard state.opened != nil, case .serving = state.condition, !state.mustBeginAnew,
      case .leader(let lead) = state.replica.role, state.endedIn != lead.epoch
    else { return }
    do throws(StorageError) {
      _ = try endCopied(in: lead.epoch, now, &state, &after)
    } catch {
      if log.failure != nil { fail(error, &state, &after) }
    }
  }
}
