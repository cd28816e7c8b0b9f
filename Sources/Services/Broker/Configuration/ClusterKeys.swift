import ClusterMetadata
import KafkaClient
public import Vocabulary

/// What a process is (`process.roles`).
public enum ProcessRole: String, CaseIterable, Sendable {
  case broker, controller
}

/// Where the metadata quorum is.
public enum QuorumMembership: Sendable, Equatable {
  /// This process is the whole cluster: no listener for controllers, no voters named.
  case alone
  /// `controller.quorum.voters`: who votes is configured, the same on every node.
  case voters([ConfiguredVoter])
  /// `controller.quorum.bootstrap.servers`: who votes is in the metadata log (KIP-853).
  case found(through: [BrokerSettings.Address])
}

public struct ConfiguredVoter: Sendable, Equatable {
  public let id: NodeID
  public let address: BrokerSettings.Address
}

extension BrokerSettings {
  static func roles(from values: [String: String]) throws(ConfigurationError) -> Set<ProcessRole> {
    guard let text = values["process.roles"] else { return Set(ProcessRole.allCases) }
    let names = commaSeparated(text)
    let roles = Set(names.compactMap(ProcessRole.init))
    guard !roles.isEmpty, roles.count == names.count else {
      throw ConfigurationError("process.roles: '\(text)' must name broker, controller or both, each once")
    }
    return roles
  }

  static func quorum(
    from values: [String: String], node: NodeID, roles: Set<ProcessRole>, hasControllerListener: Bool
  ) throws(ConfigurationError) -> QuorumMembership {
    let voters = try voters(from: values)
    let servers = try addresses(of: "controller.quorum.bootstrap.servers", in: values)
    if !voters.isEmpty, !servers.isEmpty {
      throw ConfigurationError(
        "controller.quorum.voters and controller.quorum.bootstrap.servers: only one of them can say where the quorum is; keep the servers where voters come and go"
      )
    }
    if roles == [.broker] {
      guard !voters.isEmpty || !servers.isEmpty else {
        throw ConfigurationError(
          "process.roles: a broker that is no controller needs controller.quorum.bootstrap.servers=host:port, where it finds the controllers"
        )
      }
      if voters.contains(where: { $0.id == node }) {
        throw ConfigurationError(
          "controller.quorum.voters: names node \(node.value), which is no controller; add controller to process.roles or take it out"
        )
      }
      return voters.isEmpty ? .found(through: servers) : .voters(voters)
    }
    if voters.isEmpty, servers.isEmpty {
      if !hasControllerListener, roles == [.broker, .controller] { return .alone }
      throw ConfigurationError(
        "controller.quorum.bootstrap.servers: a controller needs it (or controller.quorum.voters), to find the others; with itself in it where it is the first"
      )
    }
    if !voters.isEmpty, !voters.contains(where: { $0.id == node }) {
      throw ConfigurationError(
        "controller.quorum.voters: does not name node \(node.value), which is a controller; add \(node.value)@host:port on every node"
      )
    }
    if !hasControllerListener {
      if voters.count == 1, roles == [.broker, .controller] { return .alone }
      throw ConfigurationError(
        "controller.listener.names: a controller of several nodes needs a listener for them, such as CONTROLLER with CONTROLLER://host:9093 in listeners"
      )
    }
    return voters.isEmpty ? .found(through: servers) : .voters(voters)
  }

  private static func voters(from values: [String: String]) throws(ConfigurationError) -> [ConfiguredVoter] {
    var voters: [ConfiguredVoter] = []
    for text in commaSeparated(values["controller.quorum.voters"] ?? "") {
      guard let at = text.firstIndex(of: "@"), let id = Int32(text[..<at]), id >= 0,
        let address = BrokerAddress(text[text.index(after: at)...])
      else {
        throw ConfigurationError("controller.quorum.voters: '\(text)' is not id@host:port")
      }
      guard !voters.contains(where: { $0.id.value == id }) else {
        throw ConfigurationError("controller.quorum.voters: names node \(id) twice")
      }
      voters.append(ConfiguredVoter(id: NodeID(id), address: Address(host: address.host, port: address.port)))
    }
    return voters
  }

  private static func addresses(
    of key: String, in values: [String: String]
  ) throws(ConfigurationError) -> [Address] {
    var addresses: [Address] = []
    for text in commaSeparated(values[key] ?? "") {
      guard let address = BrokerAddress(text) else {
        throw ConfigurationError("\(key): '\(text)' is not host:port; an IPv6 address needs brackets")
      }
      addresses.append(Address(host: address.host, port: address.port))
    }
    return addresses
  }

  /// The listener that brokers use among themselves: `inter.broker.listener.name`, or the first.
  static func interBrokerListener(
    from values: [String: String], among listeners: [Listener]
  ) throws(ConfigurationError) -> String? {
    guard let name = values["inter.broker.listener.name"]?.uppercased() else { return listeners.first?.name }
    guard listeners.contains(where: { $0.name == name }) else {
      let names = listeners.map(\.name).joined(separator: ", ")
      throw ConfigurationError(
        "inter.broker.listener.name: '\(name)' is not one of listeners, which are \(names.isEmpty ? "none" : names)")
    }
    return name
  }
}
