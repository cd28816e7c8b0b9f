extension JSON {
  /// The members of a JSON object, always sorted by the bytes of their keys, each key once.
  ///
  /// Sorted, because then equal objects are equal arrays, texts are the same on every run, and finding is a binary
  /// search; and because the names at the top of a Kubernetes object happen to read well in that order. Keys are
  /// compared as bytes: two spellings of one letter are two keys.
  public struct Object: Sendable {
    public struct Member: Hashable, Sendable {
      public let key: String
      public var value: JSON
      public init(_ key: String, _ value: JSON) {
        self.key = key
        self.value = value
      }
      public static func == (a: Member, b: Member) -> Bool { isSame(a.key, b.key) && a.value == b.value }
    }
    /// In the order of their keys.
    public private(set) var members: [Member]

    public init() { members = [] }

    /// Of several members with one key the last one counts.
    public init(_ members: some Sequence<(String, JSON)>) {
      self.init(unsorted: members.map { Member($0.0, $0.1) })
    }

    init(sorted members: [Member]) { self.members = members }

    init(unsorted members: [Member]) {
      self.members = members
      let isSorted = zip(members, members.dropFirst()).allSatisfy { isBefore($0.key, $1.key) }
      guard !isSorted else { return }
      // Sorting keeps members of one key in their order, which the standard library promises in practice only:
      // the places make it certain.
      let order = members.indices.sorted { a, b in
        if isBefore(members[a].key, members[b].key) { return true }
        return a < b && !isBefore(members[b].key, members[a].key)
      }
      var found: [Member] = []
      found.reserveCapacity(members.count)
      for place in order {
        if let last = found.last, isSame(last.key, members[place].key) { found.removeLast() }
        found.append(members[place])
      }
      self.members = found
    }

    public var count: Int { members.count }
    public var isEmpty: Bool { members.isEmpty }
    public var keys: [String] { members.map(\.key) }

    /// Nil when the key is missing; setting nil takes it away.
    public subscript(key: String) -> JSON? {
      get {
        let place = place(of: key)
        return place < members.count && isSame(members[place].key, key) ? members[place].value : nil
      }
      set {
        let place = place(of: key)
        let isThere = place < members.count && isSame(members[place].key, key)
        switch (newValue, isThere) {
        case (let value?, true): members[place].value = value
        case (let value?, false): members.insert(Member(key, value), at: place)
        case (nil, true): members.remove(at: place)
        case (nil, false): break
        }
      }
    }

    /// Takes a key away and returns what it had.
    @discardableResult public mutating func remove(_ key: String) -> JSON? {
      let had = self[key]
      if had != nil { self[key] = nil }
      return had
    }

    /// Where the key is, or where it would be put.
    private func place(of key: String) -> Int {
      var low = 0
      var high = members.count
      while low < high {
        let middle = (low + high) / 2
        if isBefore(members[middle].key, key) { low = middle + 1 } else { high = middle }
      }
      return low
    }
  }
}

extension JSON.Object: Hashable, ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, JSON)...) { self.init(elements) }
}

/// Whether a key comes before another, by their bytes.
private func isBefore(_ a: String, _ b: String) -> Bool {
  let order = a.utf8.withContiguousStorageIfAvailable { a in
    b.utf8.withContiguousStorageIfAvailable { b in
      let count = min(a.count, b.count)
      var place = 0
      while place < count {
        if a[place] != b[place] { return a[place] < b[place] }
        place += 1
      }
      return a.count < b.count
    }
  }
  return (order ?? nil) ?? a.utf8.lexicographicallyPrecedes(b.utf8)
}

private func isSame(_ a: String, _ b: String) -> Bool { a.utf8.count == b.utf8.count && a.utf8.elementsEqual(b.utf8) }
