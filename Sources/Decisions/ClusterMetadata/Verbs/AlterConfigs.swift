public import Vocabulary

/// One step of IncrementalAlterConfigs, by its number on the wire (KIP-339).
public enum ConfigChange: Sendable, Equatable {
  case set(String?)
  case delete
  /// Adds to a list what is not in it yet.
  case append(String?)
  /// Takes from a list what is in it.
  case subtract(String?)
}

extension MetadataImage {
  /// IncrementalAlterConfigs for one resource: all of its changes, or none.
  public func alter(
    _ resource: ConfigResource, _ changes: [(key: String, change: ConfigChange)], inherited: ConfigResolution
  ) -> Decision<Result<Void, Refusal>> {
    do throws(Refusal) {
      try checkExists(resource)
      var records: [MetadataRecord] = []
      var seen: Set<String> = []
      for (key, change) in changes {
        guard seen.insert(key).inserted else {
          throw Refusal(.invalidRequest, "The configuration \(key) is named twice for one resource.")
        }
        try checkAlterable(resource, key)
        let value = try self.value(of: key, on: resource, after: change, inherited: inherited)
        if let value { try check(resource, key, value) }
        if case .mirror = resource { try checkTransition(resource, key, value) }
        if configs(of: resource)[key] != value {
          records.append(.configChanged(resource, key: key, value: value))
        }
      }
      if case .mirror(let name) = resource {
        try checkMirror(name, after: records)
        records += consequences(ofMirror: resource, records)
      }
      records += try consequences(of: records, on: resource, inherited)
      return Decision(records: records, answer: .success(()))
    } catch {
      return Decision(records: [], answer: .failure(error))
    }
  }

  /// AlterConfigs (deprecated by KIP-339): what is not named goes back to its default.
  public func replace(
    _ resource: ConfigResource, with values: [(key: String, value: String?)], inherited: ConfigResolution
  ) -> Decision<Result<Void, Refusal>> {
    let named = Set(values.map(\.key))
    let dropped = configs(of: resource).keys.filter { !named.contains($0) && !MirrorConfigs.isOwn($0, of: resource) }
      .sorted()
    return alter(
      resource, values.map { ($0.key, .set($0.value)) } + dropped.map { ($0, .delete) }, inherited: inherited)
  }

  private func checkExists(_ resource: ConfigResource) throws(Refusal) {
    switch resource {
    case .topic(let name): _ = try topic(.name(name)).get()
    case .broker(let id):
      if brokers[id] == nil {
        throw Refusal(.invalidRequest, "Broker \(id.value) is not registered.")
      }
    case .allBrokers, .mirror: return
    }
  }

  private func checkAlterable(_ resource: ConfigResource, _ key: String) throws(Refusal) {
    switch resource {
    case .topic:
      if TopicConfigs.byName[key] == nil {
        throw Refusal(.invalidConfig, "Unknown topic config name: \(key)")
      }
      if MirrorConfigs.isOwn(key, of: resource) {
        throw Refusal(.invalidConfig, "\(key) is set by the mirror, never by hand.")
      }
    case .mirror:
      if MirrorConfigs.byName[key] == nil { throw Refusal(.invalidConfig, "Unknown mirror config name: \(key)") }
      if MirrorConfigs.isOwn(key, of: resource) {
        throw Refusal(.invalidConfig, "\(key) is set by the mirror, never by hand.")
      }
    case .broker, .allBrokers:
      guard let known = BrokerConfigs.byName[key] else {
        throw Refusal(.invalidConfig, "Unknown broker config name: \(key)")
      }
      guard known.effect == .dynamic else {
        throw Refusal(
          .invalidConfig, "The broker config \(key) is read at the start only and cannot be altered while it runs.")
      }
    }
  }

  private func definition(of key: String, on resource: ConfigResource) -> ConfigDefinition? {
    switch resource {
    case .topic: TopicConfigs.byName[key]?.definition
    case .broker, .allBrokers: BrokerConfigs.byName[key]?.definition
    case .mirror: MirrorConfigs.byName[key]
    }
  }

  private func check(_ resource: ConfigResource, _ key: String, _ value: String) throws(Refusal) {
    if let complaint = definition(of: key, on: resource)?.kind.complaint(about: value) {
      throw Refusal(.invalidConfig, "Invalid value \(value) for configuration \(key): it \(complaint)")
    }
  }

  private func value(
    of key: String, on resource: ConfigResource, after change: ConfigChange, inherited: ConfigResolution
  ) throws(Refusal) -> String? {
    switch change {
    case .delete: return nil
    case .set(let value?): return value
    case .append(let value?), .subtract(let value?):
      guard definition(of: key, on: resource)?.kind.isListOfValues == true else {
        throw Refusal(.invalidConfig, "The configuration \(key) is not a list: APPEND and SUBTRACT do not fit it.")
      }
      var parts = commaSeparated(present(key, on: resource, inherited: inherited) ?? "")
      let named = commaSeparated(value)
      if case .append = change {
        parts += named.filter { !parts.contains($0) }
      } else {
        parts.removeAll { named.contains($0) }
      }
      return parts.joined(separator: ",")
    case .set(nil), .append(nil), .subtract(nil):
      throw Refusal(.invalidRequest, "The value of the configuration \(key) is null.")
    }
  }

  private func present(_ key: String, on resource: ConfigResource, inherited: ConfigResolution) -> String? {
    let own = configs(of: resource)
    switch resource {
    case .topic: return TopicConfigs.byName[key].flatMap { inherited.resolve($0, own: own).effective.value }
    case .broker, .allBrokers: return own[key] ?? BrokerConfigs.byName[key]?.definition.defaultValue
    case .mirror: return own[key] ?? MirrorConfigs.byName[key]?.defaultValue
    }
  }
}

extension MetadataImage {
  /// What has to follow from a change of configs, and whether the partitions that are there allow it.
  private func consequences(
    of changes: [MetadataRecord], on resource: ConfigResource, _ inherited: ConfigResolution
  ) throws(Refusal) -> [MetadataRecord] {
    let keys = Set(
      changes.compactMap { if case .configChanged(_, let key, _) = $0 { key } else { nil } })
    if case .topic(let name) = resource, !keys.isDisjoint(with: PlacementRules.keys) {
      try after(changes).checkPlacement(of: try topic(.name(name)).get(), changing: keys)
    }
    guard !keys.isDisjoint(with: ["min.insync.replicas", "min.insync.regions"]) else { return [] }
    let image = after(changes)
    return topicsByName.filter { topic in
      let old = rules(of: topic, inherited: inherited)
      let new = image.rules(of: topic, inherited: inherited)
      return old.inSyncMin != new.inSyncMin || old.regionsMin != new.regionsMin
    }.flatMap { topic in
      topic.partitions.enumerated().filter { $0.element.leader != .none }.map { index, partition in
        .partitionChanged(topic: topic.id, PartitionIndex(Int32(index)), afterAnotherMinimum(partition))
      }
    }
  }

  /// With another minimum other records may have been committed than those that were waited for until now, so that
  /// nobody outside of the in-sync set is known to have them all. While nobody leads nothing is committed, and those
  /// who are eligible stay so.
  ///
  /// The partition epoch rises in any case: a leader that has not read of the new minimum yet gets no other in-sync set
  /// until it has. Or it would commit by the old minimum what those do not have who leave under the new one.
  private func afterAnotherMinimum(_ partition: PartitionState) -> PartitionChange {
    var change = PartitionChange(inSync: partition.inSync)
    if !partition.eligible.isEmpty { change.eligible = [] }
    return change
  }

  /// Rules of placement can be set on partitions that already are as they say; others are reassigned first. Observers
  /// alone come the other way round: a reassignment can make them only once they are asked for.
  private func checkPlacement(of topic: TopicState, changing keys: Set<String>) throws(Refusal) {
    let rules = try PlacementRules(configs(of: .topic(topic.name.text)))
    try checkRegionsExist(rules)
    for (index, partition) in topic.partitions.enumerated() {
      guard !partition.isBeingReassigned else {
        throw Refusal(
          .reassignmentInProgress,
          "\(topic.name)-\(index) is being reassigned; its placement can be set when that is done or cancelled.")
      }
      let layout = ReplicaLayout(replicas: partition.replicas, observers: partition.observers)
      guard keys != ["placement.observers.per.region"] else { continue }
      if let outside = layout.replicas.first(where: { !rules.isAllowed(region(of: $0) ?? "") }) {
        throw Refusal(
          .invalidConfig,
          "\(topic.name)-\(index) has a replica on broker \(outside.value) in "
            + "\(BrokerLocation.title(region(of: outside) ?? "")), outside of placement.allowed.regions; reassign it first."
        )
      }
      if let complaint = complaint(aboutVotersOf: layout, rules) {
        throw Refusal(.invalidConfig, "\(topic.name)-\(index) is not placed so, reassign it first: \(complaint)")
      }
      try checkSpan(of: layout, rules)
    }
  }
}
