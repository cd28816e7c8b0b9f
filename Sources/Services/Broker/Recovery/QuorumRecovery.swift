import Consensus
import LogStorage
import Vocabulary

/// Brings a metadata quorum back whose majority is gone for ever, over the data folders of stopped nodes.
///
/// Survivors lie on different machines. Each says by a report what it has; whoever recovers gives all reports to each
/// machine, and everywhere the same plan comes of them (`RecoveryPlan`): the seed's log is made to say that the seed
/// alone votes, the other logs are set aside. `RecoveryJournal` makes that resumable after a crash at any place, and lets
/// no node start from what half of it leaves.
public struct QuorumRecovery {
  let folders: [RecoveryFolder]
  let reports: [SurvivorReport]

  /// What is to be done, before anything is.
  public struct Decision {
    let journal: RecoveryJournal
    public let clusterID: String
    /// What is known, what will be done, and what could be lost: for whoever has to agree.
    public let explanation: String
  }

  /// Holds the folders against other processes. Throws one sentence where one is in use or is no node's.
  /// - Parameter reports: the names of files with reports of other machines.
  public init(folders: [String], reports: [String]) throws {
    try self.init(folders: folders, reports: reports, disk: FileDisk())
  }

  init(folders paths: [String], reports files: [String], disk: any Disk) throws {
    folders = try paths.map { try RecoveryFolder($0, disk: disk) }
    reports = try files.flatMap { file in
      guard let bytes = try disk.contents(of: file, limit: SurvivorReport.bytesMax) else {
        throw StartRefusal(description: "\(file): there is no such file")
      }
      return try bytes.split(separator: UInt8(ascii: "\n")).map { line in
        guard let report = SurvivorReport(Array(line)) else {
          throw StartRefusal(description: "\(file) is no report of swiftwater quorum recover --report")
        }
        return report
      }
    }
  }

  /// One line for each folder, for the machine where the quorum is recovered.
  public var reportLines: [String] { folders.map(\.report.text) }

  /// All that is known, each replica once: a folder that lies here is newer than any report of it.
  private var known: [SurvivorReport] {
    let own = folders.map(\.report)
    return own + reports.filter { report in !own.contains { $0.survivor.key == report.survivor.key } }
  }

  public func decide() throws -> Decision {
    guard let first = known.first else { throw StartRefusal(description: "no data folder was named") }
    if let other = known.first(where: { $0.clusterID != first.clusterID }) {
      throw StartRefusal(
        description: "node \(first.survivor.key.id.value) belongs to the cluster \(first.clusterID), but node "
          + "\(other.survivor.key.id.value) to \(other.clusterID); name the survivors of one cluster")
    }
    let begun = folders.compactMap { folder in folder.journal.flatMap { $0.step == .finished ? nil : $0 } }
    if let journal = begun.first { return try resume(journal, begun) }
    do throws(RecoveryPlan.Refusal) {
      let plan = try RecoveryPlan(known.map(\.survivor))
      return Decision(
        journal: RecoveryJournal(plan, clusterID: first.clusterID, mark: .random()), clusterID: first.clusterID,
        explanation: RecoveryText.explain(plan, known))
    } catch {
      throw StartRefusal(description: RecoveryText.sentence(error))
    }
  }

  /// What was begun is brought to its end, or nothing is done.
  private func resume(_ journal: RecoveryJournal, _ begun: [RecoveryJournal]) throws -> Decision {
    if let other = begun.first(where: { !$0.isSame(as: journal) }) {
      throw StartRefusal(
        description: "two recoveries are under way in these folders, with the seeds \(journal.seed.id.value) and "
          + "\(other.seed.id.value); finish each with its own folders")
    }
    let seed = Survivor(
      journal.seed, epoch: journal.epoch, lastEpoch: journal.lastEpoch, end: journal.end, voters: VoterSet())
    let untouched = Set(
      folders.filter { $0.journal.map { !$0.isSame(as: journal) } ?? true }.map(\.report.survivor.key)
        + reports.map(\.survivor.key).filter { key in !folders.contains { $0.report.survivor.key == key } })
    let further = known.map(\.survivor).first { one in
      one.key != journal.seed && untouched.contains(one.key) && seed.isBehind(one) && one.voters.contains(one.key)
    }
    if let further {
      throw StartRefusal(
        description: "a recovery with node \(journal.seed.id.value) as its seed is under way, and node "
          + "\(further.key.id.value), which has more, would be another seed; finish the one that was begun, without it")
    }
    // How far it has come, each folder says for itself.
    var decided = journal
    decided.step = .decided
    return Decision(
      journal: decided, clusterID: journal.clusterID,
      explanation:
        "A recovery with node \(journal.seed.id.value) as its seed was begun here, and is brought to its end.\n")
  }

  /// Does it, or what is left of it. What it returns says what has become of each folder, and what comes next.
  public func perform(_ decision: Decision) throws -> String {
    let journal = decision.journal
    var lines: [String] = []
    // Every folder knows of it before anything changes in one of them: whoever goes on after a crash finds the same seed.
    for folder in folders { try folder.begin(journal) }
    for folder in folders where folder.report.survivor.key == journal.seed {
      try folder.plant(journal)
      lines.append(
        "\(folder.path): node \(journal.seed.id.value) is the only voter, from epoch \(journal.epoch.value) on")
    }
    for folder in folders where folder.report.survivor.key != journal.seed {
      try folder.setAside(journal)
      let mark = folder.journal.flatMap { $0.isSame(as: journal) ? $0 : nil } ?? journal
      lines.append(
        "\(folder.path): node \(folder.report.survivor.key.id.value) begins again as an observer; its old log is "
          + folder.asideName(mark))
    }
    return lines.joined(separator: "\n") + "\n" + RecoveryText.next(journal)
  }

  /// Lets the folders go.
  public func release() throws {
    for folder in folders { try folder.release() }
  }
}
