/// What a text may look like: as a pattern for the schema, and as a check that needs no regular expressions.
public enum TextForm: Sendable, CaseIterable {
  /// Any text up to 4,096 characters.
  case any
  /// A name of an object whose name becomes part of others: lower-case letters, digits and dashes.
  case label
  /// A name of an object: labels with dots between them.
  case name
  /// A name of a Kafka topic.
  case topic
  /// A number with a unit, such as 100Gi or 500m.
  case quantity
  /// A key of a Secret or a ConfigMap.
  case dataKey
  /// A host name with `{pod}`, `{region}`, `{cluster}`, `{namespace}` or `{ordinal}` in it.
  case hostTemplate
  /// A topic's name, or the beginning of one with a `*` after it.
  case topicSelection
  /// A group's id, or the beginning of one with a `*` after it. Ids with commas or asterisks cannot be named.
  case groupSelection
  /// HOST:PORT, with an IPv6 address in brackets.
  case address

  public var pattern: String? {
    switch self {
    case .any: nil
    case .label: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
    case .name: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
    case .topic: "^[a-zA-Z0-9._-]+$"
    case .quantity: "^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
    case .dataKey: "^[-._a-zA-Z0-9]+$"
    case .hostTemplate: "^[-.a-z0-9{}]+$"
    case .topicSelection: "^([a-zA-Z0-9._-]+\\*?|\\*)$"
    case .groupSelection: "^([^,*]+\\*?|\\*)$"
    case .address: "^([-._a-zA-Z0-9]+|\\[[0-9a-fA-F:.]+\\]):[0-9]{1,5}$"
    }
  }

  public var lengthMax: Int {
    switch self {
    case .any: ResourceLimits.valueLengthMax
    case .label: 63
    case .name, .dataKey, .hostTemplate: 253
    case .topic: 249
    case .topicSelection: 250
    case .groupSelection: 1000
    case .address: 261
    case .quantity: 32
    }
  }

  /// What would be right, to follow `has to be`.
  public var words: String {
    switch self {
    case .any: "a text of at most \(lengthMax) characters"
    case .label: "1 to 63 lower-case letters, digits and dashes, with a letter or digit at both ends"
    case .name: "a name of lower-case letters, digits, dashes and dots, at most 253 characters"
    case .topic: "a topic name: 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'"
    case .quantity: "a number with a unit, such as 100Gi or 500m"
    case .dataKey: "a key of letters, digits, '-', '_' and '.'"
    case .hostTemplate: "a host name of lower-case letters, digits, dashes and dots, with {pod} in it"
    case .topicSelection: "a topic's name, or the beginning of one with a * after it, such as orders or pay*"
    case .groupSelection: "a group's id, or the beginning of one with a * after it, without commas"
    case .address: "HOST:PORT, such as broker.example.com:9092"
    }
  }

  public func accepts(_ text: String) -> Bool {
    guard text.unicodeScalars.count <= lengthMax else { return false }
    switch self {
    case .any: return true
    case .label: return Self.isLabel(text[...])
    case .name: return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy(Self.isLabel)
    case .topic, .dataKey: return Self.isMade(text, of: "._-", upper: true)
    case .hostTemplate: return Self.isMade(text, of: "-.{}", upper: false)
    case .quantity: return Quantity(text) != nil
    case .topicSelection: return text == "*" || Self.isMade(Self.stem(text), of: "._-", upper: true)
    case .groupSelection:
      let stem = Self.stem(text)
      return text == "*" || !stem.isEmpty && !stem.utf8.contains { $0 == 0x2a || $0 == 0x2c }
    case .address: return Self.isAddress(text)
    }
  }

  /// What stands before a `*` at the end.
  private static func stem(_ text: String) -> String { text.hasSuffix("*") ? String(text.dropLast()) : text }

  private static func isAddress(_ text: String) -> Bool {
    guard let colon = text.lastIndex(of: ":") else { return false }
    let port = text[text.index(after: colon)...].utf8
    guard (1...5).contains(port.count), port.allSatisfy(isDigit) else { return false }
    let host = text[..<colon]
    guard host.hasPrefix("["), host.hasSuffix("]"), host.count > 2 else {
      return isMade(String(host), of: "-._", upper: true)
    }
    return host.dropFirst().dropLast().utf8.allSatisfy {
      isDigit($0) || (0x61...0x66).contains($0) || (0x41...0x46).contains($0) || $0 == 0x3a || $0 == 0x2e
    }
  }

  private static func isLabel(_ text: Substring) -> Bool {
    guard let first = text.utf8.first, let last = text.utf8.last, first != 0x2d, last != 0x2d else { return false }
    return text.utf8.allSatisfy { isLower($0) || isDigit($0) || $0 == 0x2d }
  }

  private static func isMade(_ text: String, of others: String, upper: Bool) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy {
        isLower($0) || isDigit($0) || (upper && (0x41...0x5a).contains($0)) || others.utf8.contains($0)
      }
  }

  static func isLower(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte) }
  static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
