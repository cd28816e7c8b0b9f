import Consensus
import Vocabulary

/// What must hold after every step, whatever goes wrong. It sees all replicas at once, as none of them can.
struct QuorumPromises {
  private struct Place: Hashable {
    let end: Offset
    let epoch: LeaderEpoch
  }
  private struct Vote: Hashable {
    let voter: ReplicaKey
    let epoch: LeaderEpoch
  }

  private(set) var broken: String?
  private(set) var committedEnd = Offset.zero
  /// The newest epoch in which something was committed, and the chain of everything before each committed batch's end.
  private var chains: [Offset: UInt64] = [.zero: 0]
  private var marks: [(epoch: LeaderEpoch, end: Offset)] = []
  private var places: [Place: UInt64] = [:]
  private var leaders: [LeaderEpoch: ReplicaKey] = [:]
  private var votes: [Vote: ReplicaKey] = [:]

  /// The first promise that was broken is the one that counts.
  mutating func fail(_ reason: String) { if broken == nil { broken = reason } }

  mutating func voted(_ voter: ReplicaKey, for candidate: ReplicaKey, in epoch: LeaderEpoch) {
    let given = votes.updateValue(candidate, forKey: Vote(voter: voter, epoch: epoch))
    if let given, given != candidate {
      fail("\(voter.id.value) votes for \(given.id.value) and \(candidate.id.value) in epoch \(epoch.value)")
    }
  }

  /// At most one leader in an epoch, and it has everything that was committed in the epochs before.
  mutating func leads(_ key: ReplicaKey, in epoch: LeaderEpoch, disk: QuorumDisk) {
    if let other = leaders.updateValue(key, forKey: epoch), other != key {
      fail("\(other.id.value) and \(key.id.value) both lead epoch \(epoch.value)")
    }
    guard let end = marks.filter({ $0.epoch < epoch }).map(\.end).max() else { return }
    if disk.end < end || (disk.start <= end && disk.chain(before: end) != chains[end]) {
      fail("\(key.id.value) leads epoch \(epoch.value) without the records committed before \(end.value)")
    }
  }

  /// Two logs that agree at one place agree before it.
  mutating func appended(_ stored: QuorumDisk.Stored) {
    let place = Place(end: stored.batch.end, epoch: stored.batch.epoch)
    if let known = places.updateValue(stored.chain, forKey: place), known != stored.chain {
      fail("two logs differ before \(place.end.value), where both have a record of epoch \(place.epoch.value)")
    }
  }

  /// What is committed once is the same for everybody and for ever.
  mutating func committed(_ offset: Offset, from compared: Offset, disk: QuorumDisk, epoch: LeaderEpoch) {
    let first = disk.index(endingAt: compared).map { $0 + 1 } ?? 0
    for stored in disk.log[first...] where stored.batch.end > compared {
      if stored.batch.end > offset { break }
      let end = stored.batch.end
      if end > committedEnd {
        guard stored.batch.base == committedEnd else {
          return fail("a record is committed at \(stored.batch.base.value), after \(committedEnd.value)")
        }
        chains[end] = stored.chain
        committedEnd = end
      } else if chains[end] != stored.chain {
        return fail("another record than before is committed before \(end.value)")
      }
    }
    if disk.chain(before: offset) == nil { fail("the high watermark \(offset.value) is in the middle of a batch") }
    marks.append((epoch, offset))
    if marks.count > 64 { compactMarks() }
  }

  mutating func installed(_ end: Offset, chain: UInt64, on key: ReplicaKey) {
    if chains[end] != chain {
      fail("\(key.id.value) installs a snapshot up to \(end.value) that is not what was committed")
    }
  }

  private mutating func compactMarks() {
    var best: [LeaderEpoch: Offset] = [:]
    for mark in marks { best[mark.epoch] = max(best[mark.epoch] ?? .zero, mark.end) }
    marks = best.map { ($0.key, $0.value) }.sorted { $0.epoch < $1.epoch }
  }
}
