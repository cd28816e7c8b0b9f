import Vocabulary

/// When to look at which group again. Groups tell a lower bound and not a precise time, so that a heartbeat, which only
/// moves a deadline back, costs nothing here.
struct Alarms {
  private struct Entry {
    let at: Instant
    let group: GroupID
    static func < (a: Entry, b: Entry) -> Bool { (a.at, a.group) < (b.at, b.group) }
  }
  /// A binary heap, the earliest first. An entry that `queued` does not confirm is void.
  private var heap: [Entry] = []
  private var queued: [GroupID: Instant] = [:]

  var next: Instant? { heap.first?.at }

  mutating func set(_ group: GroupID, at wake: Instant) {
    guard wake < .never, wake < queued[group] ?? .never else { return }
    queued[group] = wake
    heap.append(Entry(at: wake, group: group))
    siftUp(heap.count - 1)
  }

  /// The groups that are due, the longest due first.
  mutating func due(at now: Instant) -> [GroupID] {
    var groups: [GroupID] = []
    while let first = heap.first, first.at <= now {
      let last = heap.removeLast()
      if !heap.isEmpty {
        heap[0] = last
        siftDown(0)
      }
      guard queued[first.group] == first.at else { continue }
      queued[first.group] = nil
      groups.append(first.group)
    }
    return groups
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
