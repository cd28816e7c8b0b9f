import Vocabulary

/// When to look at which group, or transactional id, again. They tell a lower bound and not a precise time, so that a
/// heartbeat, which only moves a deadline back, costs nothing here.
struct Alarms<Name: Hashable & Comparable & Sendable>: Sendable {
  private struct Entry {
    let at: Instant
    let name: Name
    static func < (a: Entry, b: Entry) -> Bool { (a.at, a.name) < (b.at, b.name) }
  }
  /// A binary heap, the earliest first. An entry that `queued` does not confirm is void.
  private var heap: [Entry] = []
  private var queued: [Name: Instant] = [:]

  var next: Instant? { heap.first?.at }

  mutating func set(_ name: Name, at wake: Instant) {
    guard wake < .never, wake < queued[name] ?? .never else { return }
    queued[name] = wake
    heap.append(Entry(at: wake, name: name))
    siftUp(heap.count - 1)
  }

  /// Those that are due, the longest due first.
  mutating func due(at now: Instant) -> [Name] {
    var names: [Name] = []
    while let first = heap.first, first.at <= now {
      let last = heap.removeLast()
      if !heap.isEmpty {
        heap[0] = last
        siftDown(0)
      }
      guard queued[first.name] == first.at else { continue }
      queued[first.name] = nil
      names.append(first.name)
    }
    return names
  }

  private mutating func siftUp(_ start: Int) {
    var child = start
    while child > 0, heap[child] < heap[(child - 1) / 2] {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private mutating func siftDown(_ start: Int) {
    var parent = start
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child] < heap[least] {
        least = child
      }
      if least == parent { return }
      heap.swapAt(least, parent)
      parent = least
    }
  }
}
