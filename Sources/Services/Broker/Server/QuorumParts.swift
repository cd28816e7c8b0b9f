import Consensus
import KafkaClient
import LogStorage
import Telemetry
import Vocabulary

extension BrokerParts {
  /// The metadata quorum as this node is configured to take part in it.
  func quorum(_ settings: BrokerSettings, log: Log) throws -> MetadataQuorum {
    let key = ReplicaKey(settings.nodeID, directory.identity.directoryID)
    var setup = MetadataQuorum.Setup(
      clusterID: directory.identity.clusterID, local: Voter(key, endpoints: Self.endpoints(settings)),
      isController: settings.roles.contains(.controller), log: metadataLog, disk: directory.disk, loop: loops[0],
      pool: pool, report: { message, detail in log.error(message, ["detail": detail]) })
    setup.settings = Self.quorumSettings(settings.reader)
    setup.controllerListener = settings.controllerListeners.first?.name
    setup.snapshotInterval = ByteCount(settings.reader.int("metadata.log.max.record.bytes.between.snapshots"))
    switch settings.quorum {
    case .alone: break
    case .voters(let voters):
      setup.configuredVoters = voters.map { ($0.id, BrokerAddress(host: $0.address.host, port: $0.address.port)) }
    case .found(let servers):
      setup.bootstrapServers = servers.map { BrokerAddress(host: $0.host, port: $0.port) }
    }
    return try MetadataQuorum(setup)
  }

  private static func quorumSettings(_ reader: SettingsReader) -> QuorumSettings {
    var settings = QuorumSettings()
    settings.electionTimeout = reader.milliseconds("controller.quorum.election.timeout.ms")
    settings.fetchTimeout = reader.milliseconds("controller.quorum.fetch.timeout.ms")
    settings.electionBackoffMax = reader.milliseconds("controller.quorum.election.backoff.max.ms")
    settings.requestTimeout = reader.milliseconds("controller.quorum.request.timeout.ms")
    // A follower hears from its leader several times before it would give it up.
    settings.fetchMaxWait = min(settings.fetchMaxWait, TimeSpan(nanoseconds: settings.fetchTimeout.nanoseconds / 4))
    settings.retryBackoff = reader.milliseconds("controller.quorum.retry.backoff.ms")
    return settings
  }

  /// Where other nodes reach this one as a controller: what its listener says, or else what the configured voters say.
  static func endpoints(_ settings: BrokerSettings) -> [Endpoint] {
    settings.controllerListeners.map { listener in
      var address = listener.advertised
      if ["", "0.0.0.0", "::"].contains(address.host), case .voters(let voters) = settings.quorum,
        let own = voters.first(where: { $0.id == settings.nodeID })
      {
        address = own.address
      }
      return Endpoint(listener: listener.name, host: address.host, port: address.port)
    }
  }
}
