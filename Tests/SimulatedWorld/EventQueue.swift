/// Events in the order of their times, and of their arrival where times are equal.
struct EventQueue<Event> {
  /// A time in microseconds (32 bits) over a number (32 bits): one comparison of integers, because tests run without
  /// optimization and spend much of their time here.
  private var heap: [UInt64] = []
  private var events: [Event?] = []

  mutating func add(_ event: Event, at time: Int64) {
    let key = UInt64(time) << 32 | UInt64(events.count)
    events.append(event)
    heap.append(key)
    var at = heap.count - 1
    while at > 0, key < heap[(at - 1) / 2] {
      heap[at] = heap[(at - 1) / 2]
      at = (at - 1) / 2
    }
    heap[at] = key
  }

  mutating func next() -> (Int64, Event)? {
    guard let first = heap.first, let last = heap.popLast() else { return nil }
    let number = Int(first & 0xffff_ffff)
    guard let event = events[number] else { return nil }
    events[number] = nil
    if !heap.isEmpty { sink(last) }
    return (Int64(first >> 32), event)
  }

  private mutating func sink(_ key: UInt64) {
    let count = heap.count
    var at = 0
    while 2 * at + 1 < count {
      var child = 2 * at + 1
      if child + 1 < count, heap[child + 1] < heap[child] { child += 1 }
      if heap[child] >= key { break }
      heap[at] = heap[child]
      at = child
    }
    heap[at] = key
  }
}
