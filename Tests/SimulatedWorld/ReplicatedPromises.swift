import Replication
import Vocabulary

/// What was ever shown as committed, and who has had which record: the judge of a run, which no broker sees.
struct ReplicatedPromises {
  private struct Place: Hashable {
    let offset: Int
    let record: ReplicatedRecord
  }
  private(set) var committed: [ReplicatedRecord] = []
  private(set) var violation: String?
  private var holders: [Place: Set<NodeID>] = [:]
  private var shown: [LeaderEpoch: (least: Int, most: Int)] = [:]

  mutating func complain(_ text: String) { if violation == nil { violation = text } }

  mutating func has(_ node: NodeID, _ record: ReplicatedRecord, at offset: Int) {
    holders[Place(offset: offset, record: record), default: []].insert(node)
  }

  /// A leader has moved its high watermark: from now on everything below it is kept for ever.
  mutating func commit(upTo end: Int, on log: ReplicatedLog, _ node: NodeID) {
    agree(log, node, upTo: min(end, committed.count))
    while committed.count < end {
      guard let record = log.record(committed.count) else {
        return complain("leader \(node.value) committed up to \(end) without having \(committed.count)")
      }
      committed.append(record)
    }
  }

  /// What a replica takes for committed is what was committed. Looks at the newest records only, when asked to.
  mutating func agree(_ log: ReplicatedLog, _ node: NodeID, upTo end: Int, newest: Int = .max) {
    guard end <= committed.count else {
      return complain("broker \(node.value) takes \(end) for committed, and \(committed.count) are")
    }
    let first = max(log.base, newest < end ? end - newest : 0)
    for offset in first..<max(first, end) where log.record(offset) != committed[offset] {
      return complain("broker \(node.value) has another record at \(offset), below its high watermark \(end)")
    }
  }

  /// Everybody whom the controller may elect has all that was ever committed.
  mutating func checkComplete(_ controller: ReplicatedController, _ brokers: [ReplicatedBroker]) {
    for node in controller.complete.nodes {
      let broker = brokers[Int(node.value)]
      if !broker.mayHaveLostTail { checkComplete(broker.log, node) }
    }
  }

  mutating func checkComplete(_ log: ReplicatedLog, _ node: NodeID) {
    guard log.end >= committed.count else {
      return complain("broker \(node.value) could be elected and lacks \(log.end)..<\(committed.count)")
    }
    // Records that were compared once stay compared: the newest are the ones that can differ.
    for offset in max(log.base, committed.count - 40)..<max(log.base, committed.count)
    where log.record(offset) != committed[offset] {
      return complain("broker \(node.value) could be elected and has another record at \(offset)")
    }
  }

  /// A client was shown this high watermark by the leader of that epoch: epoch after epoch it only rises.
  mutating func show(_ mark: Int, by epoch: LeaderEpoch) {
    for (other, range) in shown where other < epoch ? range.most > mark : other > epoch && range.least < mark {
      complain("high watermark \(mark) in epoch \(epoch.value), and \(range) in epoch \(other.value)")
    }
    let range = shown[epoch] ?? (mark, mark)
    if mark < range.most { complain("high watermark went back from \(range.most) to \(mark) within an epoch") }
    shown[epoch] = (min(range.least, mark), max(range.most, mark))
  }

  mutating func acknowledge(
    client: Int, sequence: Int, at offset: Int, inSync: NodeSet, _ minimum: Minimum, _ members: [Member]
  ) {
    guard offset < committed.count, committed[offset].client == client, committed[offset].sequence == sequence else {
      return complain("\(client)/\(sequence) was acknowledged at \(offset), which is not committed")
    }
    let having = holders[Place(offset: offset, record: committed[offset])] ?? []
    let counted = NodeSet(inSync.nodes.filter { having.contains($0) })
    if !minimum.isMet(by: counted, of: members) {
      complain("\(client)/\(sequence) was acknowledged with \(counted.nodes.map(\.value)) having it in sync")
    }
  }

  mutating func checkRead(_ answer: Readable, from offset: Int, on log: ReplicatedLog, _ node: NodeID) {
    let end = Int(answer.end.value)
    guard end > offset else { return }
    guard end <= committed.count else {
      return complain("broker \(node.value) shows up to \(end), and \(committed.count) are committed")
    }
    for place in offset..<end where log.record(place) != committed[place] {
      return complain("broker \(node.value) shows another record at \(place)")
    }
  }

  /// Nothing that was acknowledged is missing, and nothing is there twice.
  mutating func checkAcknowledged(_ clients: [[(sequence: Int, offset: Int)]]) {
    for (index, acknowledged) in clients.enumerated() {
      for (sequence, offset) in acknowledged
      where offset >= committed.count || committed[offset].client != index || committed[offset].sequence != sequence {
        complain("\(index)/\(sequence) was acknowledged at \(offset) and is not there")
      }
    }
    var seen: Set<[Int]> = []
    for record in committed where !seen.insert([record.client, record.sequence]).inserted {
      complain("\(record.client)/\(record.sequence) is there twice")
    }
  }
}
