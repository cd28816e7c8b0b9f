/// Finds what a mistyped word was meant to be.
enum Spelling {
  /// The candidate that takes the fewest changes, if those are few for its length.
  static func nearest(to word: String, among candidates: [String]) -> String? {
    let scored = candidates.map { (distance(word, $0), $0) }.sorted { ($0.0, $0.1) < ($1.0, $1.1) }
    guard let (changes, best) = scored.first, changes <= max(1, best.count / 3) else { return nil }
    return best
  }

  /// How many letters must be put in, left out or replaced.
  static func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a), Array(b))
    var row = Array(0...b.count)
    for (i, left) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, right) in b.enumerated() {
        let change = diagonal + (left == right ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(change, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[b.count]
  }
}
