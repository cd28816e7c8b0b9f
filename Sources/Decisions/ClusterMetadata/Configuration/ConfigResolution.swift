/// One value of a key and where it comes from.
public struct ConfigValue: Sendable, Equatable {
  public let key: String
  public let value: String?
  public let source: ConfigSource
}

/// A key with the value that counts and, strongest first, every value that could.
public struct ResolvedConfig: Sendable {
  public let definition: ConfigDefinition
  public let effective: ConfigValue
  public let synonyms: [ConfigValue]
  public let isReadOnly: Bool
}

/// A broker's values by where they were set; reads what a key comes to. Pure.
public struct ConfigResolution: Sendable {
  /// From server.properties and `--override`.
  public var fixed: [String: String]
  /// Of this broker, set while it runs.
  public var broker: [String: String]
  /// Of every broker, set while they run.
  public var allBrokers: [String: String]

  public init(fixed: [String: String], broker: [String: String] = [:], allBrokers: [String: String] = [:]) {
    self.fixed = fixed
    self.broker = broker
    self.allBrokers = allBrokers
  }

  /// Every value that was set for a broker key, the strongest first, and its default last.
  public func values(ofBrokerKey name: String) -> [ConfigValue] {
    var values: [ConfigValue] = []
    if let value = broker[name] { values.append(ConfigValue(key: name, value: value, source: .dynamicBroker)) }
    if let value = allBrokers[name] {
      values.append(ConfigValue(key: name, value: value, source: .dynamicDefaultBroker))
    }
    if let value = fixed[name] { values.append(ConfigValue(key: name, value: value, source: .staticBroker)) }
    if let value = BrokerConfigs.byName[name]?.definition.defaultValue {
      values.append(ConfigValue(key: name, value: value, source: .defaultValue))
    }
    return values
  }

  public func resolve(brokerKey known: BrokerConfigDefinition) -> ResolvedConfig {
    let values = values(ofBrokerKey: known.name)
    return ResolvedConfig(
      definition: known.definition,
      effective: values.first ?? ConfigValue(key: known.name, value: nil, source: .defaultValue),
      synonyms: values, isReadOnly: known.effect != .dynamic)
  }

  /// `own` holds what was set on the topic itself.
  public func resolve(_ topic: TopicConfigDefinition, own: [String: String]) -> ResolvedConfig {
    var synonyms: [ConfigValue] = []
    if let value = own[topic.name] {
      synonyms.append(ConfigValue(key: topic.name, value: value, source: .dynamicTopic))
    }
    for key in topic.brokerKeys {
      synonyms += values(ofBrokerKey: key.name)
    }
    // A default of a weaker key must not hide what was set on it, so that what was set comes first.
    synonyms = synonyms.filter { $0.source != .defaultValue } + synonyms.filter { $0.source == .defaultValue }
    let effective: ConfigValue
    if let first = synonyms.first {
      effective = ConfigValue(key: topic.name, value: scaled(first, in: topic), source: first.source)
    } else {
      effective = ConfigValue(key: topic.name, value: topic.definition.defaultValue, source: .defaultValue)
    }
    return ResolvedConfig(definition: topic.definition, effective: effective, synonyms: synonyms, isReadOnly: false)
  }

  /// The value in the topic key's unit: hours become milliseconds, and -1 stays -1.
  private func scaled(_ value: ConfigValue, in topic: TopicConfigDefinition) -> String? {
    guard let text = value.value, let scale = topic.brokerKeys.first(where: { $0.name == value.key })?.scale, scale > 1,
      let number = Int64(text), number >= 0
    else { return value.value }
    let (product, overflow) = number.multipliedReportingOverflow(by: scale)
    return String(overflow ? .max : product)
  }
}
