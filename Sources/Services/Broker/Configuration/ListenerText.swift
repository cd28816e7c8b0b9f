import ClusterMetadata

/// One of `listeners` or `advertised.listeners`: `NAME://host:port`.
struct ListenerText: Equatable, Sendable {
  let name: String
  /// Empty for every address.
  let host: String
  let port: UInt16

  static func parse(_ value: String, key: String) throws(ConfigurationError) -> [ListenerText] {
    var listeners: [ListenerText] = []
    for text in commaSeparated(value) {
      guard let listener = ListenerText(text) else {
        throw ConfigurationError(
          "\(key): '\(text)' is not a listener; write NAME://host:port, such as PLAINTEXT://localhost:9092")
      }
      if listeners.contains(where: { $0.name == listener.name }) {
        throw ConfigurationError(
          "\(key): the listener name \(listener.name) stands twice; each needs a name of its own")
      }
      listeners.append(listener)
    }
    return listeners
  }

  /// A colon inside the host needs brackets, as in `PLAINTEXT://[::1]:9092`.
  init?(_ text: String) {
    let scalars = Array(text)
    guard let colon = text.range(of: "://") else { return nil }
    let name = String(text[..<colon.lowerBound])
    let address = text[colon.upperBound...]
    guard !name.isEmpty, !scalars.isEmpty, let last = address.lastIndex(of: ":"),
      let port = UInt16(address[address.index(after: last)...])
    else { return nil }
    var host = address[..<last]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    self.init(name: name.uppercased(), host: String(host), port: port)
  }

  init(name: String, host: String, port: UInt16) {
    self.name = name
    self.host = host
    self.port = port
  }
}

extension String {
  /// The first place of a text within this one; the standard library has none without Foundation.
  fileprivate func range(of text: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
      start = index(after: start)
    }
    return nil
  }
}
