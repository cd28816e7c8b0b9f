import KubernetesResources

/// What `durability.survive` means for topics that say nothing else.
///
/// Broker: three replicas, two of them in sync. Region: as many Regions in sync that one can be lost and a record
/// still is somewhere, and one Region more so that writing goes on. Provider: the same, where one provider's Regions
/// count as one loss.
struct DurabilityNumbers: Hashable, Sendable {
  var replicationFactor: Int
  var minInSync: Int
  var minInSyncRegions: Int
  /// How many Regions with brokers are lost at once with what is to be survived.
  var regionsLost: Int

  init(_ spec: KafkaClusterSpec, _ regions: [Region]) {
    let shares = spec.regions.filter { $0.brokers > 0 }
    let brokers = shares.reduce(0) { $0 + $1.brokers }
    let lost: Int
    switch spec.durability.survive {
    case .broker: lost = 0
    case .region: lost = 1
    case .provider:
      lost = Dictionary(grouping: shares) { regions.provider(of: $0.name) }.values.map(\.count).max() ?? 1
    }
    regionsLost = lost
    guard lost > 0, shares.count > 1 else {
      replicationFactor = max(1, min(3, brokers))
      minInSync = max(1, min(2, replicationFactor - 1))
      minInSyncRegions = 1
      return
    }
    minInSyncRegions = min(lost + 1, shares.count)
    // With two Regions two replicas in each keep a broker's loss from being a Region's.
    let wanted = shares.count == 2 ? 2 * min(2, shares.map(\.brokers).min() ?? 1) : 2 * lost + 1
    replicationFactor = max(minInSyncRegions, min(wanted, brokers))
    minInSync = minInSyncRegions
  }
}

extension [Region] {
  /// Who runs a Region; one that does not say is a provider of its own.
  func provider(of name: String) -> String {
    first { $0.metadata.name == name }?.spec.provider ?? name
  }
}
