import Consensus
import LogStorage
public import Vocabulary

/// A controller that is to become a voter, as its own configuration and data folder describe it.
public struct NewVoter: Sendable {
  public let id: NodeID
  public let directory: UniqueID
  public let clusterID: String
  public let endpoints: [(name: String, host: String, port: UInt16)]

  /// Reads server.properties, and meta.properties in the folder that it names. Throws one sentence.
  public init(configuration file: String) throws {
    let settings = try BrokerSettings(file: try ConfigurationFile.read(file), named: file, overrides: [])
    guard settings.roles.contains(.controller) else {
      throw StartRefusal(description: "\(file): process.roles does not say controller; only controllers vote")
    }
    guard !settings.controllerListeners.isEmpty else {
      throw StartRefusal(description: "\(file): has no listener for controllers, under which the others would reach it")
    }
    let meta = "\(settings.metadataDirectory)/meta.properties"
    let values = try PropertiesFile.parse(try ConfigurationFile.read(meta), named: meta)
    guard let directory = values["directory.id"].flatMap({ UniqueID($0) }), let cluster = values["cluster.id"] else {
      throw StartRefusal(description: "\(meta) has no directory.id: format the folder, or start the node once")
    }
    id = settings.nodeID
    self.directory = directory
    clusterID = cluster
    endpoints = BrokerParts.endpoints(settings).map { ($0.listener, $0.host, $0.port) }
  }
}
