/// The names that stand more than once in a request.
func repeatedNames(_ names: some Sequence<String>) -> Set<String> {
  var seen: Set<String> = []
  return Set(names.filter { !seen.insert($0).inserted })
}

extension Sequence {
  /// The first element of each key, in order. A question that is repeated in one request is answered once: a few bytes
  /// must not order a large answer a million times.
  func withoutRepetition<Key: Hashable>(of key: (Element) -> Key) -> [Element] {
    var seen: Set<Key> = []
    return filter { seen.insert(key($0)).inserted }
  }
}
