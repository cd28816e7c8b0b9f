public import Vocabulary

/// Which key to work on next. Pure: the time is an argument.
///
/// A key is never worked on twice at once, and never lost: added while it is worked on, it comes again afterwards;
/// added twice before that, it comes once. Keys come in the order in which they were added. A key that failed comes
/// again after a pause that doubles with every failure, until `forget`.
public struct WorkQueueCore<Key: Hashable & Sendable>: Sendable {
  public struct Pauses: Sendable {
    /// After the first failure.
    public var first: TimeSpan
    /// However often it failed.
    public var longest: TimeSpan
    public init(first: TimeSpan = .milliseconds(50), longest: TimeSpan = .seconds(60)) {
      self.first = first
      self.longest = longest
    }

    public func pause(after failures: Int) -> TimeSpan {
      let doublings = Int64(min(max(failures, 1) - 1, 40))
      let (product, overflow) = first.nanoseconds.multipliedReportingOverflow(by: 1 << doublings)
      return TimeSpan(nanoseconds: overflow ? longest.nanoseconds : min(product, longest.nanoseconds))
    }
  }
  private struct Delayed: Sendable {
    let due: Instant
    let sequence: UInt64
    let key: Key
  }
  private let pauses: Pauses
  private var ready: [Key] = []
  private var taken = 0
  /// Those in `ready`, and those to come again when they are done.
  private var wanted: Set<Key> = []
  private var running: Set<Key> = []
  private var failures: [Key: Int] = [:]
  /// When a delayed key comes. Entries of the heap that say something else are stale.
  private var due: [Key: Instant] = [:]
  private var heap: [Delayed] = []
  private var sequence: UInt64 = 0
  /// Keys that were added and did not wait already, since the beginning.
  public private(set) var addCount = 0
  /// Failures since the beginning.
  public private(set) var retryCount = 0

  public init(pauses: Pauses = Pauses()) { self.pauses = pauses }

  /// Keys that could be taken now.
  public var readyCount: Int { ready.count - taken }
  public var runningCount: Int { running.count }
  public var delayedCount: Int { due.count }
  /// When the next delayed key comes.
  public var nextDue: Instant? { heap.first?.due }

  public mutating func add(_ key: Key) {
    guard wanted.insert(key).inserted else { return }
    addCount += 1
    if !running.contains(key) { ready.append(key) }
  }

  /// Adds the key after a time; of several such wishes the earliest counts.
  public mutating func add(_ key: Key, after pause: TimeSpan, at now: Instant) {
    guard pause > .zero else { return add(key) }
    let when = now + pause
    if let known = due[key], known <= when { return }
    due[key] = when
    sequence += 1
    push(Delayed(due: when, sequence: sequence, key: key))
  }

  /// Counts a failure and adds the key after the pause that follows from it.
  @discardableResult public mutating func retry(_ key: Key, at now: Instant) -> TimeSpan {
    let count = (failures[key] ?? 0) + 1
    failures[key] = count
    retryCount += 1
    let pause = pauses.pause(after: count)
    add(key, after: pause, at: now)
    return pause
  }

  /// The key has succeeded: its next failure is its first one.
  public mutating func forget(_ key: Key) { failures[key] = nil }
  public func failures(of key: Key) -> Int { failures[key] ?? 0 }

  /// The next key, which is worked on until `done`.
  public mutating func next(at now: Instant) -> Key? {
    promote(now)
    guard taken < ready.count else { return nil }
    let key = ready[taken]
    taken += 1
    if taken > 1000 && taken * 2 > ready.count {
      ready.removeFirst(taken)
      taken = 0
    }
    wanted.remove(key)
    running.insert(key)
    return key
  }

  public mutating func done(_ key: Key) {
    guard running.remove(key) != nil, wanted.contains(key) else { return }
    ready.append(key)
  }

  private mutating func promote(_ now: Instant) {
    while let first = heap.first, first.due <= now || due[first.key] != first.due {
      pop()
      guard due[first.key] == first.due else { continue }
      due[first.key] = nil
      add(first.key)
    }
  }

  private func isBefore(_ a: Int, _ b: Int) -> Bool {
    (heap[a].due, heap[a].sequence) < (heap[b].due, heap[b].sequence)
  }

  private mutating func push(_ delayed: Delayed) {
    heap.append(delayed)
    var place = heap.count - 1
    while place > 0, isBefore(place, (place - 1) / 2) {
      heap.swapAt(place, (place - 1) / 2)
      place = (place - 1) / 2
    }
  }

  private mutating func pop() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var place = 0
    while true {
      var least = place
      for child in [2 * place + 1, 2 * place + 2] where child < heap.count && isBefore(child, least) { least = child }
      if least == place { return }
      heap.swapAt(place, least)
      place = least
    }
  }
}
