public import Consensus
import Vocabulary

/// Inputs and effects as a person writes them down: for transcripts and for the trace of a simulation.
public enum QuorumWords {
  public static func text(_ effect: Effect) -> String {
    switch effect {
    case .persist(let record): "persist \(text(record))"
    case .append(let batches): "append \(batches.map(text).joined(separator: " "))"
    case .truncate(let end): "truncate to \(end.value)"
    case .send(let request, let id, let node): "send #\(id.value) to \(node.value): \(text(request))"
    case .answer(let answer, let token): "answer \(token.value): \(text(answer))"
    case .becameLeader(let epoch, let start): "lead epoch \(epoch.value) from \(start.value)"
    case .lostLeadership(let epoch): "no longer lead epoch \(epoch.value)"
    case .leaderChanged(let leader, let epoch): "leader of \(epoch.value) is \(text(leader))"
    case .highWatermark(let offset): "committed \(offset.value)"
    case .refuse(let proposals, let error):
      "refuse \(proposals.map { "\($0.name)" }.joined(separator: " ")): \(error)"
    case .writeSnapshot(let piece): "write \(text(piece))"
    case .checkSnapshot(let snapshot): "check snapshot \(text(snapshot.id))"
    case .installSnapshot(let id): "install snapshot \(text(id))"
    case .dropPrefix(let offset): "drop everything before \(offset.value)"
    case .report(let anomaly): "report \(text(anomaly))"
    }
  }

  public static func text(_ input: Input) -> String {
    switch input {
    case .tick: "tick"
    case .request(let request, let token): "request \(token.value): \(text(request))"
    case .answer(let answer, let id): "answer to #\(id.value): \(text(answer))"
    case .failed(let id): "no answer to #\(id.value)"
    case .propose(let epoch, let proposals):
      "propose in \(epoch.value): \(proposals.map { "\($0.name)*\($0.count)" }.joined(separator: " "))"
    case .persisted(let end, let epoch): "persisted \(end.value)@\(epoch.value)"
    case .tookSnapshot(let snapshot, let use): "took snapshot \(text(snapshot.id)), \(use)"
    case .checkedSnapshot(let snapshot, let voters): "checked snapshot \(text(snapshot.id)) \(text(voters))"
    case .resign: "resign"
    }
  }

  static func text(_ request: Request) -> String {
    switch request {
    case .vote(let vote):
      "\(vote.kind == .preVote ? "pre-vote" : "vote") for \(text(vote.candidate)) by \(text(vote.voter)) "
        + "epoch \(vote.epoch.value) log \(vote.end.value)@\(vote.lastEpoch.value)"
    case .beginQuorumEpoch(let begin): "begin \(begin.epoch.value) of \(begin.leader.value) for \(text(begin.voter))"
    case .endQuorumEpoch(let end):
      "end \(end.epoch.value) of \(end.leader.value), then [\(end.successors.map(text).joined(separator: " "))]"
    case .fetch(let fetch):
      "fetch \(fetch.offset.value)@\(fetch.lastFetchedEpoch.value) epoch \(fetch.epoch.value) by \(text(fetch.replica))"
    case .fetchSnapshot(let fetch):
      "fetch snapshot \(text(fetch.snapshot)) from \(fetch.position.value) epoch \(fetch.epoch.value)"
    case .updateVoter(let update): "update voter \(text(update.voter.key)) epoch \(update.epoch.value)"
    case .addVoter(let voter): "add voter \(text(voter.key))"
    case .removeVoter(let key): "remove voter \(text(key))"
    }
  }

  static func text(_ answer: Answer) -> String {
    let head = answer.head
    let known = "\(head.error) epoch \(head.epoch.value) leader \(text(head.leader))"
    switch answer {
    case .vote(_, let ballot): return "vote \(ballot), \(known)"
    case .beginQuorumEpoch: return "begin \(known)"
    case .endQuorumEpoch: return "end \(known)"
    case .fetch(_, let committed, let fetched): return "fetch \(text(fetched)), committed \(committed.value), \(known)"
    case .fetchSnapshot(_, let piece): return "\(piece.map(text) ?? "no piece"), \(known)"
    case .updateVoter: return "update voter \(known)"
    case .addVoter: return "add voter \(known)"
    case .removeVoter: return "remove voter \(known)"
    }
  }

  static func text(_ fetched: Fetched) -> String {
    switch fetched {
    case .nothing: "nothing"
    case .range(let from, let to): "\(from.value)..<\(to.value)"
    case .batches(let batches): batches.map(text).joined(separator: " ")
    case .diverging(let end): "diverging, \(end.epoch.value) ends at \(end.end.value)"
    case .snapshot(let id): "snapshot \(text(id))"
    }
  }

  static func text(_ batch: LogBatch) -> String {
    let place = "\(batch.base.value)-\(batch.end.value)@\(batch.epoch.value)"
    switch batch.content {
    case .leaderChange(let leader, _, let granted):
      return "[\(place) leader \(leader.value) by \(granted.map { "\($0.value)" }.joined(separator: ","))]"
    case .voters(let set): return "[\(place) voters \(text(set))]"
    case .data(let name): return "[\(place) data \(name)]"
    }
  }

  static func text(_ record: ElectionRecord) -> String {
    "epoch \(record.epoch.value) vote \(record.votedFor.map(text) ?? "none") leader \(text(record.leader))"
  }

  static func text(_ anomaly: Anomaly) -> String {
    switch anomaly {
    case .secondLeader(let node, let epoch): "a second leader \(node.value) of epoch \(epoch.value)"
    case .truncationOfCommitted(let offset): "a truncation of committed records to \(offset.value)"
    case .batchOutOfPlace(let offset): "a batch out of place at \(offset.value)"
    }
  }

  static func text(_ piece: Piece) -> String {
    "piece \(piece.position.value)+\(piece.count.value) of \(piece.size.value) of \(text(piece.snapshot))"
  }
  static func text(_ id: SnapshotID) -> String { "\(id.end.value)@\(id.epoch.value)" }
  static func text(_ node: NodeID?) -> String { node.map { "\($0.value)" } ?? "none" }
  static func text(_ voters: VoterSet) -> String {
    "{\(voters.voters.map { text($0.key) }.joined(separator: " "))}"
  }
  /// Node 1 with the first directory that a test gives is `1a`, with the second one `1b`.
  static func text(_ key: ReplicaKey) -> String {
    if key.directory == .zero { return "\(key.id.value)" }
    let letter = UInt8(ascii: "a") + UInt8(truncatingIfNeeded: (key.directory.low &- 1) % 26)
    return "\(key.id.value)\(Character(UnicodeScalar(letter)))"
  }
}
