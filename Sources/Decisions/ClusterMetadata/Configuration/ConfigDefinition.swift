/// What values a configuration key takes. Each kind knows its number on the wire (DescribeConfigs v3+).
public enum ConfigKind: Sendable, Equatable {
  case boolean
  case int(ClosedRange<Int64>)
  case long(ClosedRange<Int64>)
  case double(ClosedRange<Double>)
  case string
  case choice([String])
  /// Values separated by commas, each one of these.
  case list(of: [String])
  /// Values separated by commas, read by the broker itself.
  case freeList
  /// Regions separated by commas, each once: "eu,us".
  case regions
  /// Regions with a number each, separated by commas: "eu:2,us:1".
  case regionCounts
  /// Partitions on brokers, separated by commas: "0:1,0:2"; or "*".
  case throttledReplicas

  /// Whether values can be added to it and taken from it one by one.
  var isListOfValues: Bool {
    switch self {
    case .list, .freeList, .throttledReplicas: true
    case .boolean, .int, .long, .double, .string, .choice, .regions, .regionCounts: false
    }
  }

  public var wireType: Int8 {
    switch self {
    case .boolean: 1
    case .string, .choice: 2
    case .int: 3
    case .long: 5
    case .double: 6
    case .list, .freeList, .regions, .regionCounts, .throttledReplicas: 7
    }
  }

  /// What is wrong with a value, as the end of a sentence; nil when it is fine.
  public func complaint(about value: String) -> String? {
    switch self {
    case .boolean:
      return value == "true" || value == "false" ? nil : "must be true or false"
    case .int(let range), .long(let range):
      guard let number = Int64(value) else { return "must be a whole number" }
      if range.contains(number) { return nil }
      return range.upperBound == .max || range.upperBound == Int64(Int32.max)
        ? "must be at least \(range.lowerBound)" : "must be from \(range.lowerBound) to \(range.upperBound)"
    case .double(let range):
      guard let number = Double(value), number.isFinite else { return "must be a number" }
      return range.contains(number) ? nil : "must be from \(range.lowerBound) to \(range.upperBound)"
    case .string, .freeList:
      return nil
    case .regions:
      return RegionNames.list(value) == nil ? "must be a list of Regions, each once, such as eu,us" : nil
    case .regionCounts:
      return RegionNames.counts(value) == nil
        ? "must be a list of Regions, each once and with a number from 1 on, such as eu:2,us:1" : nil
    case .throttledReplicas:
      return ThrottledReplicas(value) == nil
        ? "must be a list of replicas as partition:broker, such as 0:1,0:2, or * for all of them" : nil
    case .choice(let choices):
      return choices.contains(value) ? nil : "must be one of \(choices.joined(separator: ", "))"
    case .list(let choices):
      let parts = commaSeparated(value)
      return !parts.isEmpty && parts.allSatisfy(choices.contains)
        ? nil : "must be a list of \(choices.joined(separator: ", "))"
    }
  }
}

/// The parts of a list value, without the spaces around them.
public func commaSeparated(_ value: String) -> [String] {
  value.split(separator: ",").map { trimmed($0) }.filter { !$0.isEmpty }
}

/// Text without the blanks on either side.
public func trimmed(_ text: some StringProtocol) -> String {
  var rest = Substring(text)
  while let first = rest.first, first.isWhitespace { rest.removeFirst() }
  while let last = rest.last, last.isWhitespace { rest.removeLast() }
  return String(rest)
}

/// One key of a topic or a broker.
public struct ConfigDefinition: Sendable {
  public let name: String
  public let kind: ConfigKind
  /// As it would be written in a file; nil when there is none.
  public let defaultValue: String?
  public let documentation: String
}

/// Where a value comes from, by its number on the wire.
public enum ConfigSource: Int8, Sendable {
  case dynamicTopic = 1
  case dynamicBroker = 2
  case dynamicDefaultBroker = 3
  case staticBroker = 4
  case defaultValue = 5
}
