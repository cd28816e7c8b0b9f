import Vocabulary

/// The replicas of one new partition; the observers are the last of them.
struct ReplicaLayout {
  var replicas: [NodeID]
  var observers: [NodeID]
}

/// Spreads replicas over Regions, in them over zones, in them over brokers, each as evenly as the sizes allow, and
/// leaders over the brokers that have replicas.
///
/// Always the broker of the least burdened Region, zone and broker is next, where a burden is relative to the number of
/// brokers that share it. Ties go round from where `start` says, so that topics of one partition do not meet on one
/// broker. The same arguments always give the same replicas.
struct ReplicaSpread {
  private struct Site {
    let id: NodeID
    let region: String
    let regionAt: Int
    let zoneAt: Int
    /// Whether the rules allow replicas here that can lead.
    let takesVoters: Bool
    var replicas = 0
    var leaders = 0
  }
  /// A Region or a zone.
  private struct Area {
    var brokers = 0
    var replicas = 0
    /// Of the partition in hand.
    var ofPartition = 0
  }

  private var sites: [Site] = []
  private var regions: [Area] = []
  private var zones: [Area] = []
  private let rules: PlacementRules

  /// `brokers` are those that may be given replicas; `present` are the topic's partitions until now.
  init(over brokers: [BrokerRegistration], _ rules: PlacementRules, present: [PartitionState], startingAt start: Int) {
    self.rules = rules
    var regionsByName: [String: Int] = [:]
    var zonesByName: [BrokerLocation: Int] = [:]
    for broker in Self.ring(brokers, startingAt: start) {
      let place = broker.location
      let regionAt = regionsByName[place.region] ?? regions.count
      let zoneAt = zonesByName[place] ?? zones.count
      if regionAt == regions.count { regions.append(Area()) }
      if zoneAt == zones.count { zones.append(Area()) }
      regionsByName[place.region] = regionAt
      zonesByName[place] = zoneAt
      regions[regionAt].brokers += 1
      zones[zoneAt].brokers += 1
      sites.append(
        Site(
          id: broker.id, region: place.region, regionAt: regionAt, zoneAt: zoneAt,
          takesVoters: rules.takesVoters(in: place.region)))
    }
    for partition in present {
      for at in sites.indices where partition.replicas.contains(sites[at].id) {
        count(at, isLeader: partition.replicas.first == sites[at].id)
      }
    }
  }

  /// Brokers so that neighbours are in different Regions and zones where that can be, turned by `start`.
  private static func ring(_ brokers: [BrokerRegistration], startingAt start: Int) -> [BrokerRegistration] {
    guard !brokers.isEmpty else { return [] }
    var seen: [BrokerLocation: Int] = [:]
    var zonesOfRegion: [String: [String]] = [:]
    let ordered = brokers.sorted {
      ($0.location.region, $0.location.zone, $0.id) < ($1.location.region, $1.location.zone, $1.id)
    }
    let ranked = ordered.map { broker in
      let place = broker.location
      if zonesOfRegion[place.region]?.contains(place.zone) != true {
        zonesOfRegion[place.region, default: []].append(place.zone)
      }
      let inZone = seen[place, default: 0]
      seen[place] = inZone + 1
      let zone = zonesOfRegion[place.region]?.firstIndex(of: place.zone) ?? 0
      return (broker: broker, key: (inZone, zone, place.region))
    }
    let interleaved = ranked.sorted { $0.key < $1.key }.map(\.broker)
    let turn = ((start % interleaved.count) + interleaved.count) % interleaved.count
    return Array(interleaved[turn...] + interleaved[..<turn])
  }

  private mutating func count(_ at: Int, isLeader: Bool) {
    sites[at].replicas += 1
    if isLeader { sites[at].leaders += 1 }
    regions[sites[at].regionAt].replicas += 1
    zones[sites[at].zoneAt].replicas += 1
  }

  /// How many brokers can take replicas of the asked kind.
  func capacity(where fits: (String) -> Bool) -> Int { sites.count { fits($0.region) } }

  /// One partition with so many replicas that vote (by Region when the rules say so) and its observers.
  /// The caller has checked that there are brokers enough.
  mutating func next(voters: Int) -> ReplicaLayout {
    for at in regions.indices { regions[at].ofPartition = 0 }
    for at in zones.indices { zones[at].ofPartition = 0 }
    var taken: [Int] = []
    let rules = rules
    if rules.replicas.isEmpty {
      // The Region that shall lead gets a replica before the others, or there might be none to lead there.
      if let home = rules.leaderRegions.first(where: { region in sites.contains { $0.region == region } }) {
        take(1, into: &taken) { $0.region == home }
      }
      take(voters - taken.count, into: &taken) { $0.takesVoters }
    } else {
      for wanted in rules.replicas { take(wanted.count, into: &taken) { $0.region == wanted.region } }
    }
    let leader = leader(among: taken)
    let voters = [leader] + taken.filter { $0 != leader }
    sites[leader].leaders += 1
    for wanted in rules.observers { take(wanted.count, into: &taken) { $0.region == wanted.region } }
    let observers = taken[voters.count...].map { sites[$0].id }
    return ReplicaLayout(replicas: voters.map { sites[$0].id } + observers, observers: observers)
  }

  private mutating func take(_ wanted: Int, into taken: inout [Int], where fits: (Site) -> Bool) {
    for _ in 0..<max(0, wanted) {
      var best: Int?
      for at in sites.indices where fits(sites[at]) && !taken.contains(at) {
        if let present = best { best = isBetter(at, than: present) ? at : present } else { best = at }
      }
      guard let best else { preconditionFailure("placement was asked for more replicas than there are brokers") }
      taken.append(best)
      count(best, isLeader: false)
      regions[sites[best].regionAt].ofPartition += 1
      zones[sites[best].zoneAt].ofPartition += 1
    }
  }

  private func isBetter(_ a: Int, than b: Int) -> Bool {
    let (a, b) = (sites[a], sites[b])
    if a.regionAt != b.regionAt {
      if let answer = isLess(regions[a.regionAt], regions[b.regionAt]) { return answer }
    }
    if a.zoneAt != b.zoneAt {
      if let answer = isLess(zones[a.zoneAt], zones[b.zoneAt]) { return answer }
    }
    return a.replicas < b.replicas
  }

  /// Nil when both are burdened alike.
  private func isLess(_ a: Area, _ b: Area) -> Bool? {
    if a.ofPartition != b.ofPartition { return a.ofPartition < b.ofPartition }
    let (left, right) = (a.replicas * b.brokers, b.replicas * a.brokers)
    return left == right ? nil : left < right
  }

  /// The one that leads least, in the most wanted Region that has one.
  private func leader(among taken: [Int]) -> Int {
    func rank(_ at: Int) -> Int { rules.leaderRegions.firstIndex(of: sites[at].region) ?? rules.leaderRegions.count }
    guard var best = taken.first else { preconditionFailure("a partition without replicas") }
    for at in taken.dropFirst() where (rank(at), sites[at].leaders) < (rank(best), sites[best].leaders) { best = at }
    return best
  }
}
