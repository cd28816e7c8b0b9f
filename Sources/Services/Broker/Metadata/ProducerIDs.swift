import ClusterMetadata
import LogStorage
import Synchronization
import Vocabulary

/// Gives out producer ids from blocks that the metadata log has set aside (KIP-730): one write for a thousand ids.
final class ProducerIDs: Sendable {
  private static let blockSize: Int64 = 1000

  private let controller: Controller
  private let broker: NodeID
  private let state = Mutex(State.stocked(0..<0))

  private enum State {
    case stocked(Range<Int64>)
    /// A new block is on its way; these wait for it.
    case ordering([@Sendable (Result<ProducerID, StorageError>) -> Void])
  }

  init(controller: Controller, broker: NodeID) {
    self.controller = controller
    self.broker = broker
  }

  func next(_ use: @escaping @Sendable (Result<ProducerID, StorageError>) -> Void) {
    enum Step { case use(Int64), order, wait }
    let step: Step = state.withLock { state in
      switch state {
      case .stocked(let block) where !block.isEmpty:
        state = .stocked(block.dropFirst())
        return .use(block.lowerBound)
      case .stocked:
        state = .ordering([use])
        return .order
      case .ordering(let waiting):
        state = .ordering(waiting + [use])
        return .wait
      }
    }
    switch step {
    case .use(let id): use(.success(ProducerID(id)))
    case .order: order()
    case .wait: break
    }
  }

  private func order() {
    let broker = broker
    controller.change { draft in
      draft.add(draft.image.allocateProducerIDs(for: broker, count: Self.blockSize))
    } then: { result in
      self.arrived(result)
    }
  }

  private func arrived(_ result: Result<Range<Int64>, StorageError>) {
    let waiting: [@Sendable (Result<ProducerID, StorageError>) -> Void] = state.withLock { state in
      guard case .ordering(let waiting) = state else { return [] }
      state = .stocked((try? result.get()) ?? 0..<0)
      return waiting
    }
    for use in waiting {
      if case .failure(let error) = result { use(.failure(error)) } else { next(use) }
    }
  }
}
