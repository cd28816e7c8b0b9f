import Consensus
import Vocabulary

/// What a recovery says to whoever has to agree to it.
enum RecoveryText {
  static func explain(_ plan: RecoveryPlan, _ known: [SurvivorReport]) -> String {
    var lines = ["Survivors:"]
    for report in known.sorted(by: { $0.survivor.key < $1.survivor.key }) {
      let one = report.survivor
      lines.append(
        "  node \(one.key.id.value)  directory \(one.key.directory)  epoch \(one.epoch.value)  last record: epoch "
          + "\(one.lastEpoch.value), offset \(one.end.value - 1)  voters \(ids(one.voters.voters))"
          + (report.folder.map { "  in \($0)" } ?? "  (reported)"))
    }
    lines.append("")
    let seed = plan.seed
    lines.append(
      "The seed is node \(seed.key.id.value): of the voters that survive it has the highest epoch, and in it the longest "
        + "log. It becomes the only voter, in epoch \(plan.epoch.value).")
    if !plan.others.isEmpty {
      lines.append(
        "The metadata logs of \(nodes(plan.others.map(\.key.id))) are set aside, not deleted; they begin again as observers."
      )
    }
    lines.append("")
    lines.append("What could be lost:")
    lines.append(
      "  Everything after offset \(seed.end.value - 1) that only the voters who are gone (\(ids(plan.lost))) had: topics, "
        + "settings, in-sync sets and offsets of producers' ids that were changed last. Nobody can say how much that is."
    )
    for one in plan.further {
      lines.append(
        "  Node \(one.key.id.value), which is no voter, goes on to offset \(one.end.value - 1): what it has more is set aside."
      )
    }
    lines.append(
      "  Should one of \(ids(plan.lost)) exist after all, its report must be part of this, and it must not be started "
        + "afterwards with its old folder: two clusters with one id would come of it.")
    return lines.joined(separator: "\n") + "\n"
  }

  static func sentence(_ refusal: RecoveryPlan.Refusal) -> String {
    switch refusal {
    case .nothingSurvives: "no data folder was named"
    case .namedTwice(let key): "node \(key.id.value) with the directory id \(key.directory) is named twice"
    case .majoritySurvives(let voters, let surviving):
      "\(surviving) of the \(voters.count) voters (\(ids(voters.voters))) are there, which is a majority: start them, "
        + "nothing has to be recovered"
    case .noVoterSurvives(let voters):
      "none of these is a voter: the newest log names \(voters.count == 0 ? "none" : ids(voters.voters)), and who is none "
        + "may lack what was committed"
    case .epochsAreUsedUp: "there is no higher epoch left"
    }
  }

  static func next(_ journal: RecoveryJournal) -> String {
    """
    Next:
      1. Start node \(journal.seed.id.value). It elects itself.
      2. Start the brokers that are left, and give new controllers folders of their own, formatted with
         swiftwater storage format -N and controller.quorum.bootstrap.servers; a controller that is new and names
         the old controller.quorum.voters could elect itself with others like it.
      3. Make them voters: swiftwater quorum add.
      4. Where a partition has no leader: swiftwater topics elect --unclean, which loses what the replicas that are
         gone had alone; swiftwater brokers unregister forgets brokers that do not come back.

    """
  }

  private static func ids(_ voters: [Voter]) -> String { voters.map { "\($0.key.id.value)" }.joined(separator: ", ") }
  private static func nodes(_ ids: [NodeID]) -> String {
    (ids.count == 1 ? "node " : "nodes ") + ids.map { "\($0.value)" }.joined(separator: ", ")
  }
}
