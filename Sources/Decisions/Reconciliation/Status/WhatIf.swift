import KubernetesResources
import Vocabulary

/// What would be left if one Region, or all Regions of one provider, were lost now: computed and never assumed.
struct RegionLoss: Hashable, Sendable {
  /// The Region's name or the provider's.
  let name: String
  /// Nil where the quorum keeps a majority.
  let quorum: String?
  /// Partitions that nobody with all records could lead, sorted by topic.
  let withoutLeader: [String]
  /// Partitions that could not answer acks=all.
  let withoutWrites: [String]

  var isSurvived: Bool { quorum == nil && withoutLeader.isEmpty && withoutWrites.isEmpty }

  var sentence: String {
    var parts: [String] = []
    if let quorum { parts.append(quorum) }
    if !withoutLeader.isEmpty { parts.append("no leader for \(listed(withoutLeader))") }
    if !withoutWrites.isEmpty { parts.append("too few in sync for \(listed(withoutWrites))") }
    return "Without \(name): \(parts.joined(separator: "; "))."
  }

  init(_ name: String, of regions: Set<String>, _ design: ClusterDesign, _ facts: BrokerFacts) {
    self.name = name
    let places = RegionsOfNodes(design, facts)
    let left = facts.voters.count { $0.isCaughtUp && !regions.contains(places[$0.id]) }
    let needed = facts.voters.count / 2 + 1
    quorum = left >= needed ? nil : "\(left) of \(facts.voters.count) voters would be left, and \(needed) are needed"
    var leaderless: [String] = []
    var readOnly: [String] = []
    for topic in facts.topics.sorted(by: { $0.name < $1.name }) {
      let rules = SyncRules(topic, design)
      for (index, partition) in topic.partitions.enumerated() {
        let inSync = partition.inSync.filter { !regions.contains(places[$0]) }
        if inSync.isEmpty {
          leaderless.append("\(topic.name)-\(index)")
        } else if !rules.isMet(by: inSync, of: partition, places) {
          readOnly.append("\(topic.name)-\(index)")
        }
      }
    }
    withoutLeader = leaderless
    withoutWrites = readOnly
  }
}
