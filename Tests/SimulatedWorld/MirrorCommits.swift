import KafkaProtocol
import Vocabulary

/// What somebody who commits for a group was told, and what has to be there on the other side after a switchover.
struct MirrorCommits: Sendable {
  private struct Known: Sendable {
    /// What was acknowledged last.
    var last: Int64?
    /// What may have been taken, since nobody said that it was not. It may even be taken later.
    var unclear: Set<Int64> = []
    /// Under way.
    var asked: Int64?
  }
  private var known: [MirrorLedger.Spot: Known] = [:]
  private var due: [MirrorLedger.Spot: Int64] = [:]

  mutating func ask(_ offset: Int64, _ spot: MirrorLedger.Spot) { known[spot, default: .init()].asked = offset }

  mutating func answered(_ code: ErrorCode?, _ spot: MirrorLedger.Spot) {
    guard var now = known[spot], let offset = now.asked else { return }
    now.asked = nil
    switch code {
    case .some(.none): now.last = offset
    // Such a coordinator has not looked at it.
    case .coordinatorLoadInProgress: break
    default: now.unclear.insert(offset)
    }
    known[spot] = now
  }

  /// What was committed there has to be here, at `now`; after a failover nobody knows.
  mutating func took(over side: MirrorSide, _ spots: [MirrorLedger.Spot], isPlanned: Bool, at now: Int64) {
    due = [:]
    for spot in spots {
      known[spot] = isPlanned ? known[spot.opposite] : nil
      if known[spot] != nil { due[spot] = now }
    }
  }

  /// Whether nobody has looked yet whether it is there.
  func isDue(_ spot: MirrorLedger.Spot) -> Bool { due[spot] != nil }

  /// - Parameters:
  ///   - offset: nil where the group has none.
  ///   - asked: when the question was put.
  /// - Returns: what was promised and is not there.
  mutating func found(_ offset: Int64?, _ spot: MirrorLedger.Spot, asked: Int64) -> String? {
    guard let since = due[spot], asked > since else { return nil }
    // An answer of the other side may still be on its way, and say that it was taken.
    let there = known[spot.opposite]
    guard there?.asked == nil else { return nil }
    due[spot] = nil
    known[spot] = there
    guard let there, let last = there.last, offset != last, offset.map(there.unclear.contains) != true else {
      return nil
    }
    return "offset \(last) of \(spot.place) was acknowledged to the group in the \(spot.side.other), which is at "
      + "\(offset.map { "\($0)" } ?? "none") after the switchover to the \(spot.side)"
  }
}
