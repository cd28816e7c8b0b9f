/// A queue in one array that is used round and round: taking from the front moves nothing.
struct Ring<Element> {
  private var storage: [Element?] = []
  private var head = 0
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }
  var first: Element? { count == 0 ? nil : storage[head] }

  /// The element that stands `index` places behind the first.
  subscript(index: Int) -> Element {
    get {
      precondition(index >= 0 && index < count, "outside of the ring")
      guard let element = storage[place(of: index)] else { preconditionFailure("a hole in the ring") }
      return element
    }
    set {
      precondition(index >= 0 && index < count, "outside of the ring")
      storage[place(of: index)] = newValue
    }
  }

  mutating func append(_ element: Element) {
    if count == storage.count { grow() }
    storage[place(of: count)] = element
    count += 1
  }

  mutating func popFirst() -> Element? {
    guard count > 0 else { return nil }
    let element = storage[head].take()
    head = (head + 1) & (storage.count - 1)
    count -= 1
    // A burst must not keep its memory for ever.
    if count == 0 && storage.count > Self.keptMax { self = Ring() }
    return element
  }

  /// How many places an empty ring keeps.
  private static var keptMax: Int { 64 }

  private func place(of index: Int) -> Int { (head + index) & (storage.count - 1) }

  private mutating func grow() {
    var larger: [Element?] = []
    let capacity = max(4, storage.count * 2)
    larger.reserveCapacity(capacity)
    for index in 0..<count { larger.append(storage[place(of: index)]) }
    for _ in count..<capacity { larger.append(nil) }
    storage = larger
    head = 0
  }
}
