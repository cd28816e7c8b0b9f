import ClusterMetadata
import EventLoop
import LogStorage
import Synchronization
import Vocabulary

/// A change in the making: decisions see what those before them decided.
struct MetadataDraft: Sendable {
  private(set) var image: MetadataImage
  private(set) var records: [MetadataRecord] = []

  init(_ image: MetadataImage) { self.image = image }

  mutating func add<Answer>(_ decision: Decision<Answer>) -> Answer {
    add(decision.records)
    return decision.answer
  }

  mutating func add(_ more: [MetadataRecord]) {
    for record in more { image.replay(record) }
    records += more
  }
}

/// Decides, records and publishes what the cluster agrees on: one change at a time, on a thread of its own.
///
/// The order is a contract: records are on disk before the image that holds them is seen by anyone, and the broker has
/// followed it before the answer is sent.
final class Controller: Sendable {
  private let thread: BlockingPool
  private let log: MetadataLog
  private let published: Mutex<MetadataImage>
  /// Makes the broker follow: opens, closes and configures partitions. Set once, before the first change.
  private let follow: @Sendable ([MetadataRecord], MetadataImage) -> Void

  init(
    log: MetadataLog, image: MetadataImage,
    follow: @escaping @Sendable ([MetadataRecord], MetadataImage) -> Void
  ) throws(SystemError) {
    thread = try BlockingPool(threads: 1, name: "controller")
    self.log = log
    self.follow = follow
    published = Mutex(image)
  }

  /// What is committed now.
  var image: MetadataImage { published.withLock { $0 } }

  /// Runs `decide` on the controller's thread, makes what it decided durable, then calls `then` there.
  func change<Answer: Sendable>(
    _ decide: @escaping @Sendable (inout MetadataDraft) -> Answer,
    then: @escaping @Sendable (Result<Answer, StorageError>) -> Void
  ) {
    thread.run {
      do throws(StorageError) {
        then(.success(try self.changeNow(decide)))
      } catch {
        then(.failure(error))
      }
    }
  }

  /// As `change`, for the start of the broker, before other threads know the controller.
  func changeNow<Answer: Sendable>(_ decide: (inout MetadataDraft) -> Answer) throws(StorageError) -> Answer {
    var draft = MetadataDraft(image)
    let answer = decide(&draft)
    if !draft.records.isEmpty {
      try log.append(draft.records)
      let image = draft.image
      published.withLock { $0 = image }
      follow(draft.records, image)
    }
    return answer
  }

  /// Runs `work` between two changes, with what is committed then.
  func between(_ work: @escaping @Sendable (MetadataImage) -> Void) {
    thread.run { work(self.image) }
  }

  /// Ends after the changes that are under way.
  func stop() { thread.stop() }
}
