import Vocabulary

/// So many replicas in one Region.
struct RegionCount: Equatable {
  let region: String
  let count: Int
}

enum RegionNames {
  /// Replicas that one Region may be given.
  static let replicasMax = 32_767

  /// Whether a Region can be named in a list: without the characters that part its entries.
  static func isNameable(_ region: String) -> Bool {
    !region.contains { $0 == "," || $0 == ":" || $0.isWhitespace }
  }

  /// Reads "eu,us": each once, in the order written; nil when it is anything else.
  static func list(_ text: String) -> [String]? {
    let names = commaSeparated(text)
    guard !names.isEmpty, names.allSatisfy({ isNameable($0) && !$0.contains("/") }), Set(names).count == names.count
    else { return nil }
    return names
  }

  /// Reads "eu:2,us:1": each Region once, each with one or more; nil when it is anything else.
  static func counts(_ text: String) -> [RegionCount]? {
    let entries = commaSeparated(text).compactMap { entry -> RegionCount? in
      let parts = entry.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count == 2, let count = Int(parts[1]), (1...replicasMax).contains(count) else { return nil }
      return RegionCount(region: String(parts[0]), count: count)
    }
    guard entries.count == commaSeparated(text).count, list(entries.map(\.region).joined(separator: ",")) != nil else {
      return nil
    }
    return Set(entries.map(\.region)).count == entries.count ? entries : nil
  }
}

/// Where a topic's replicas may and shall be: what its `placement.*` configs say.
struct PlacementRules: Equatable {
  static let keys = [
    "placement.replicas.per.region", "placement.observers.per.region", "placement.leader.regions",
    "placement.allowed.regions", "min.insync.regions",
  ]

  /// Voters by Region; empty when they are spread over all of them.
  var replicas: [RegionCount] = []
  var observers: [RegionCount] = []
  /// The most wanted first.
  var leaderRegions: [String] = []
  /// Nil allows every Region.
  var allowedRegions: [String]?
  var regionsMin = 1

  /// Refuses values that cannot be read and rules that contradict each other.
  init(_ configs: [String: String]) throws(Refusal) {
    for key in Self.keys {
      if let value = configs[key], let refusal = TopicConfigs.check(key, value) { throw refusal }
    }
    replicas = configs["placement.replicas.per.region"].flatMap(RegionNames.counts) ?? []
    observers = configs["placement.observers.per.region"].flatMap(RegionNames.counts) ?? []
    leaderRegions = configs["placement.leader.regions"].flatMap(RegionNames.list) ?? []
    allowedRegions = configs["placement.allowed.regions"].flatMap(RegionNames.list)
    regionsMin = configs["min.insync.regions"].flatMap { Int($0) } ?? 1
    try checkAgreement()
  }

  private func checkAgreement() throws(Refusal) {
    if let allowedRegions {
      for (key, named) in [
        ("placement.replicas.per.region", replicas.map(\.region)),
        ("placement.observers.per.region", observers.map(\.region)), ("placement.leader.regions", leaderRegions),
      ] {
        if let outside = named.first(where: { !allowedRegions.contains($0) }) {
          throw Refusal(
            .invalidConfig,
            "\(key) names the Region '\(outside)', which is not in placement.allowed.regions: "
              + "\(allowedRegions.joined(separator: ",")).")
        }
      }
    }
    if let strange = leaderRegions.first(where: { !takesVoters(in: $0) }) {
      throw Refusal(
        .invalidConfig,
        "placement.leader.regions names the Region '\(strange)', where the topic has no replica that can lead.")
    }
    if !replicas.isEmpty, regionsMin > replicas.count {
      throw Refusal(
        .invalidConfig,
        "min.insync.regions=\(regionsMin) cannot be met: placement.replicas.per.region names \(replicas.count) Region(s)."
      )
    }
  }

  func isAllowed(_ region: String) -> Bool { allowedRegions?.contains(region) ?? true }

  /// Whether replicas that can lead may be in this Region: one that has observers alone takes none.
  func takesVoters(in region: String) -> Bool {
    guard isAllowed(region) else { return false }
    if !replicas.isEmpty { return replicas.contains { $0.region == region } }
    return !observers.contains { $0.region == region }
  }
}
