import ClusterMetadata
import EventLoop
import Synchronization
import Vocabulary

/// Makes the broker follow what is committed, on a thread of its own: opening ten thousand partitions must not keep the
/// quorum waiting. What requests see is what has been followed.
final class MetadataPublisher: Sendable {
  private let thread: BlockingPool
  private let follow: @Sendable ([MetadataRecord], MetadataImage) -> Void
  private let state: Mutex<State>

  private struct State {
    var image: MetadataImage
    var offset: Offset
    var waiting: [Waiting] = []
    /// Until the logs are open there is nothing to be done about records: what counts is the image then.
    var isFollowing = false
  }

  private struct Waiting {
    let condition: @Sendable (MetadataImage, Offset) -> Bool
    let done: @Sendable () -> Void
  }

  init(
    image: MetadataImage, upTo offset: Offset,
    follow: @escaping @Sendable ([MetadataRecord], MetadataImage) -> Void
  ) throws(SystemError) {
    thread = try BlockingPool(threads: 1, name: "metadata")
    self.follow = follow
    state = Mutex(State(image: image, offset: offset))
  }

  /// What was followed last.
  var image: MetadataImage { state.withLock { $0.image } }
  var offset: Offset { state.withLock { $0.offset } }

  func publish(_ records: [MetadataRecord], _ image: MetadataImage, upTo offset: Offset) {
    thread.run {
      if self.state.withLock({ $0.isFollowing }) { self.follow(records, image) }
      self.published(image, offset)
    }
  }

  /// Opens what the image says on the publisher's thread, and follows every change from there on.
  func begin(_ open: @escaping @Sendable (MetadataImage) -> Void) {
    thread.run {
      open(self.image)
      self.state.withLock { $0.isFollowing = true }
    }
  }

  /// Runs `work` between two changes, with what is followed then.
  func between(_ work: @escaping @Sendable (MetadataImage) -> Void) {
    thread.run { work(self.image) }
  }

  private func published(_ image: MetadataImage, _ offset: Offset) {
    let ready: [Waiting] = state.withLock { state in
      state.image = image
      state.offset = offset
      let ready = state.waiting.filter { $0.condition(image, offset) }
      if !ready.isEmpty { state.waiting.removeAll { $0.condition(image, offset) } }
      return ready
    }
    for waiting in ready { waiting.done() }
  }

  /// Calls `done` once, from some thread, when what is followed satisfies `condition`.
  func when(
    _ condition: @escaping @Sendable (MetadataImage, Offset) -> Bool, _ done: @escaping @Sendable () -> Void
  ) {
    let isNow = state.withLock { state in
      if condition(state.image, state.offset) { return true }
      state.waiting.append(Waiting(condition: condition, done: done))
      return false
    }
    if isNow { done() }
  }

  func when(_ offset: Offset, _ done: @escaping @Sendable () -> Void) {
    when({ $1 >= offset }, done)
  }

  func stop() { thread.stop() }

  /// Of a process that has died: nobody waits any more.
  func abandon() {
    _ = state.withLock { state in
      defer { state.waiting = [] }
      return state.waiting
    }
  }
}
