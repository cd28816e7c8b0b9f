public import Vocabulary

/// Which levels of a feature this version can work at (KIP-584).
public struct FeatureSupport: Hashable, Sendable {
  public let name: String
  public let levels: ClosedRange<Int16>
  public init(_ name: String, _ levels: ClosedRange<Int16>) {
    self.name = name
    self.levels = levels
  }
}

/// What is asked for one feature.
public struct FeatureUpdate: Hashable, Sendable {
  /// Whether a level may be left for a lower one; numbered as in the protocol.
  public enum Way: Int8, Sendable {
    case upgrade = 1
    case safeDowngrade = 2
    case unsafeDowngrade = 3
  }
  public let name: String
  public let level: Int16
  /// Nil for a number that the protocol does not know.
  public let way: Way?
  public init(_ name: String, level: Int16, _ way: Way?) {
    self.name = name
    self.level = level
    self.way = way
  }
}

extension MetadataImage {
  /// Sets the levels of features, all or none (UpdateFeatures, KIP-584). Errors: INVALID_UPDATE_VERSION, with the feature,
  /// the level and what would be right.
  public func update(
    _ updates: [FeatureUpdate], supported: [FeatureSupport]
  ) -> Decision<Result<Void, Refusal>> {
    var records: [MetadataRecord] = []
    for update in updates {
      if let reason = refusal(of: update, supported) {
        let refusal = Refusal(
          .invalidUpdateVersion, "Invalid update version \(update.level) for feature \(update.name). \(reason)")
        return Decision(records: [], answer: .failure(refusal))
      }
      if features[update.name] != update.level {
        records.append(.featureChanged(name: update.name, level: update.level))
      }
    }
    return Decision(records: records, answer: .success(()))
  }

  private func refusal(of update: FeatureUpdate, _ supported: [FeatureSupport]) -> String? {
    guard let way = update.way else { return "The upgrade type must be 1, 2 or 3." }
    guard let feature = supported.first(where: { $0.name == update.name }) else {
      return "There is no such feature that could be changed; there are "
        + "\(supported.map(\.name).joined(separator: ", "))."
    }
    guard feature.levels.contains(update.level) else {
      let (least, most) = (feature.levels.lowerBound, feature.levels.upperBound)
      return "This version works with \(least == most ? "level \(least)" : "levels \(least) to \(most)") only."
    }
    let current = features[update.name] ?? 0
    switch way {
    case .upgrade where update.level < current:
      return "It is at level \(current): going down needs the upgrade type of a safe or unsafe downgrade."
    case .safeDowngrade where update.level > current, .unsafeDowngrade where update.level > current:
      return "It is at level \(current): going up needs the upgrade type of an upgrade."
    case .upgrade, .safeDowngrade, .unsafeDowngrade: return nil
    }
  }
}
