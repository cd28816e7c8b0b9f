import ClusterMetadata
import Testing
import Vocabulary

@Suite struct InventedClusterTests {
  static let seeds = 0..<120 as Range<UInt64>
  static let steps = 250

  /// Everything that shall always be true is checked inside, after every record and every decision.
  @Test(arguments: seeds) func whateverHappensTheRulesHold(seed: UInt64) {
    var cluster = InventedCluster(seed: seed)
    cluster.run(steps: Self.steps)
    var again = MetadataImage()
    again.replay(all: cluster.records)
    #expect(again == cluster.image, "the records are all there is to know")
  }

  @Test(arguments: 0..<10 as Range<UInt64>) func theSameSeedGivesTheSameRecords(seed: UInt64) {
    var one = InventedCluster(seed: seed)
    var other = InventedCluster(seed: seed)
    one.run(steps: Self.steps)
    other.run(steps: Self.steps)
    #expect(one.records == other.records)
  }

  /// A test that never does anything cannot fail.
  @Test func everythingHappensOften() {
    var decided: [String: Int] = [:]
    for seed in Self.seeds.prefix(40) {
      var cluster = InventedCluster(seed: seed)
      cluster.run(steps: Self.steps)
      decided.merge(cluster.decided) { $0 + $1 }
    }
    for what in [
      "create", "fence", "beat", "admit", "directory", "unregister", "propose", "produce", "elect", "reassign", "alter",
      "add", "balance", "delete", "assign",
    ] { #expect(decided[what, default: 0] > 15, "\(what): \(decided)") }
  }
}
