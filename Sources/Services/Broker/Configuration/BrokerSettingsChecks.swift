import ClusterMetadata
import Vocabulary

extension BrokerSettings {
  /// Refuses unknown keys and values that their keys do not take; says which keys have no effect here.
  static func check(_ values: [String: String]) throws(ConfigurationError) -> [String] {
    var remarks: [String] = []
    for (key, value) in values.sorted(by: { $0.key < $1.key }) {
      guard let known = BrokerConfigs.byName[key] else {
        throw ConfigurationError("unknown key \(key)\(suggestion(for: key)); docs/configuration.md lists the keys")
      }
      if let complaint = known.definition.kind.complaint(about: value) {
        throw ConfigurationError("\(key): '\(value)' is not accepted; it \(complaint)")
      }
      if case .none(let reason) = known.effect {
        remarks.append("\(key) is accepted and has no effect: \(reason)")
      }
    }
    try checkConsumerGroups(SettingsReader(values: values))
    return remarks
  }

  private static func checkConsumerGroups(_ reader: SettingsReader) throws(ConfigurationError) {
    for what in ["session.timeout.ms", "heartbeat.interval.ms"] {
      let value = reader.int("group.consumer.\(what)")
      let (least, most) = (reader.int("group.consumer.min.\(what)"), reader.int("group.consumer.max.\(what)"))
      guard least <= value, value <= most else {
        throw ConfigurationError(
          "group.consumer.\(what): \(value) is not from group.consumer.min.\(what) (\(least)) to group.consumer.max.\(what) (\(most))"
        )
      }
    }
  }

  private static func suggestion(for key: String) -> String {
    let near = BrokerConfigs.byName.keys.sorted()
      .map { ($0, distance(key, $0)) }
      .min { $0.1 < $1.1 }
    guard let near, near.1 <= 3 else { return "" }
    return "; did you mean \(near.0)?"
  }

  /// How many letters must change to make one text of the other (Levenshtein).
  private static func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a.utf8.prefix(100)), Array(b.utf8))
    var row = Array(0...b.count)
    for i in 0..<a.count {
      var diagonal = row[0]
      row[0] = i + 1
      for j in 0..<b.count {
        let above = row[j + 1]
        row[j + 1] = min(above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1))
        diagonal = above
      }
    }
    return row[b.count]
  }

  static func nodeID(from values: [String: String]) throws(ConfigurationError) -> NodeID {
    if let old = values["broker.id"], let new = values["node.id"], old != new {
      throw ConfigurationError(
        "node.id is \(new) and broker.id is \(old): they are two names of one thing; keep node.id")
    }
    let text = values["node.id"] ?? values["broker.id"] ?? "1"
    guard let id = Int32(text) else { throw ConfigurationError("node.id: '\(text)' must be a whole number from 0") }
    return NodeID(id)
  }

  /// What is bound: for clients and other brokers, and for controllers.
  static func listeners(
    from reader: SettingsReader, roles: Set<ProcessRole>
  ) throws(ConfigurationError) -> (clients: [Listener], controllers: [Listener]) {
    let names = Set(commaSeparated(reader.values["controller.listener.names"] ?? "").map { $0.uppercased() })
    let all = try ListenerText.parse(reader.text("listeners"), key: "listeners")
    try checkProtocols(of: all, map: reader.values["listener.security.protocol.map"], controllers: names)
    let advertised = try ListenerText.parse(reader.values["advertised.listeners"] ?? "", key: "advertised.listeners")
    for listener in advertised where !all.contains(where: { $0.name == listener.name }) {
      throw ConfigurationError("advertised.listeners: \(listener.name) is not one of listeners")
    }
    let controllers = all.filter { names.contains($0.name) }.map { bound in
      let told = advertised.first { $0.name == bound.name } ?? bound
      return Listener(
        name: bound.name, bind: Address(host: bound.host, port: bound.port),
        advertised: Address(host: told.host, port: told.port))
    }
    let clients = all.filter { !names.contains($0.name) }
    guard roles.contains(.broker) else {
      if let first = clients.first {
        throw ConfigurationError(
          "listeners: \(first.name) is for clients, and process.roles=controller serves none; add it to controller.listener.names or take it out"
        )
      }
      return ([], controllers)
    }
    guard !clients.isEmpty else { throw ConfigurationError("listeners: names no listener for clients") }
    if !roles.contains(.controller), let first = controllers.first {
      throw ConfigurationError(
        "listeners: \(first.name) is for controllers, and process.roles=broker is none; take it out of listeners")
    }
    return (try clients.map { bound throws(ConfigurationError) in try told(bound, advertised) }, controllers)
  }

  private static func told(_ bound: ListenerText, _ advertised: [ListenerText]) throws(ConfigurationError) -> Listener {
    let told = advertised.first { $0.name == bound.name } ?? bound
    guard !["", "0.0.0.0", "::"].contains(told.host) else {
      let place = told.host.isEmpty ? "an empty host" : told.host
      throw ConfigurationError(
        "advertised.listeners: clients cannot connect to \(place); set \(bound.name)://name-or-address:\(told.port)")
    }
    return Listener(
      name: bound.name, bind: Address(host: bound.host, port: bound.port),
      advertised: Address(host: told.host, port: told.port))
  }

  /// A listener for controllers speaks PLAINTEXT where nothing else is said, as in Kafka's own examples.
  private static func checkProtocols(
    of listeners: [ListenerText], map: String?, controllers: Set<String>
  ) throws(ConfigurationError) {
    var protocols: [String: String] = [:]
    for pair in commaSeparated(map ?? "") {
      guard let colon = pair.firstIndex(of: ":") else {
        throw ConfigurationError("listener.security.protocol.map: '\(pair)' is not NAME:PROTOCOL")
      }
      protocols[pair[..<colon].uppercased()] = pair[pair.index(after: colon)...].uppercased()
    }
    for listener in listeners {
      let spoken = protocols[listener.name] ?? (controllers.contains(listener.name) ? "PLAINTEXT" : listener.name)
      if ["SSL", "SASL_SSL", "SASL_PLAINTEXT"].contains(spoken) {
        throw ConfigurationError(
          "listeners: \(listener.name) would speak \(spoken), which is not supported yet; use PLAINTEXT")
      }
      guard spoken == "PLAINTEXT" else {
        throw ConfigurationError(
          "listeners: \(listener.name) has no protocol; set listener.security.protocol.map=\(listener.name):PLAINTEXT")
      }
    }
  }

  static func directories(
    from values: [String: String], _ reader: SettingsReader
  ) throws(ConfigurationError) -> (metadata: String, logs: [String]) {
    let logs = commaSeparated(values["log.dirs"] ?? reader.text("log.dir")).map(withoutTrailingSlash)
    guard let first = logs.first else {
      throw ConfigurationError("log.dirs: names no folder; name one, or several with commas between them")
    }
    if let twice = logs.indices.first(where: { logs[..<$0].contains(logs[$0]) }) {
      throw ConfigurationError("log.dirs: names \(logs[twice]) twice; each folder is named once")
    }
    return (values["metadata.log.dir"].map { withoutTrailingSlash($0) } ?? first, logs)
  }

  private static func withoutTrailingSlash(_ path: String) -> String {
    path.count > 1 && path.hasSuffix("/") ? withoutTrailingSlash(String(path.dropLast())) : path
  }

  static func clusterID(from values: [String: String]) throws(ConfigurationError) -> String? {
    guard let id = values["cluster.id"] else { return nil }
    guard !id.isEmpty, id.utf8.count <= 64, id.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      throw ConfigurationError("cluster.id: '\(id)' must be 1 to 64 printable characters without blanks")
    }
    return id
  }

  static func metricsAddress(from values: [String: String]) throws(ConfigurationError) -> Address? {
    if let text = values["metrics.listener"] {
      guard let listener = ListenerText("METRICS://\(text)") else {
        throw ConfigurationError(
          "metrics.listener: '\(text)' is not host:port; an IPv6 address needs brackets, as in [::1]:9404")
      }
      return Address(host: listener.host, port: listener.port)
    }
    return values["metrics.port"].flatMap { UInt16($0) }.map { Address(host: "", port: $0) }
  }
}
