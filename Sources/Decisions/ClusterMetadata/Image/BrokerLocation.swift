/// Where a broker stands, from its `broker.rack`: "region" or "region/zone".
public struct BrokerLocation: Sendable, Hashable {
  /// Brokers without a rack are together in a Region without a name.
  public let region: String
  public let zone: String

  public init(rack: String?) {
    let parts = (rack ?? "").split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    region = parts.first.map(String.init) ?? ""
    zone = parts.count > 1 ? String(parts[1]) : ""
  }

  /// How a Region is named to people.
  static func title(_ region: String) -> String {
    region.isEmpty ? "the Region without a name" : "the Region '\(region)'"
  }
}

extension BrokerRegistration {
  public var location: BrokerLocation { BrokerLocation(rack: rack) }
  /// Whether it may lead: in touch, and not about to stop.
  public var isActive: Bool { !isFenced && !isShuttingDown }
}
