import Synchronization
import Vocabulary

/// Gives out producer ids from blocks that the controller has set aside for this broker (KIP-730): one request for a
/// thousand ids.
final class ProducerIDs: Sendable {
  static let blockSize: Int64 = 1000

  /// Asks the controller for a block. Nil when none could be had: whoever waits is told to try again.
  typealias Order = @Sendable (@escaping @Sendable (Range<Int64>?) -> Void) -> Void

  private let order: Order
  private let state = Mutex(State.stocked(0..<0))

  private enum State {
    case stocked(Range<Int64>)
    /// A new block is on its way; these wait for it.
    case ordering([@Sendable (ProducerID?) -> Void])
  }

  init(order: @escaping Order) { self.order = order }

  /// `use` is called once, from any thread; nil when the controller gave no ids.
  /// - Parameter least: ids below it are not given out any more: since a mirror has begun, another cluster's producers
  ///   may have them.
  func next(from least: ProducerID = ProducerID(0), _ use: @escaping @Sendable (ProducerID?) -> Void) {
    enum Step { case use(Int64), order, wait }
    let step: Step = state.withLock { state in
      switch state {
      case .stocked(let block) where !block.isEmpty && block.lowerBound >= least.value:
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
    case .use(let id): use(ProducerID(id))
    case .order: order { self.arrived($0) }
    case .wait: break
    }
  }

  private func arrived(_ block: Range<Int64>?) {
    let waiting: [@Sendable (ProducerID?) -> Void] = state.withLock { state in
      guard case .ordering(let waiting) = state else { return [] }
      state = .stocked(block ?? 0..<0)
      return waiting
    }
    let hasNone = block?.isEmpty ?? true
    for use in waiting {
      if hasNone { use(nil) } else { next(use) }
    }
  }
}
