import ClusterMetadata
import Testing
import Vocabulary

@testable import Broker

@Suite struct BrokerSettingsTests {
  private func complaint(_ values: [String: String]) -> String? {
    do {
      _ = try BrokerSettings(values)
      return nil
    } catch { return "\(error)" }
  }

  @Test func nothingAtAllIsABrokerOnItsOwnMachine() throws {
    let settings = try BrokerSettings([:])
    #expect(settings.nodeID == NodeID(1))
    let here = BrokerSettings.Address(host: "localhost", port: 9092)
    #expect(settings.listeners == [BrokerSettings.Listener(name: "PLAINTEXT", bind: here, advertised: here)])
    #expect(settings.logDirectories == ["./swiftwater-data"])
    #expect(settings.metrics == nil)
    #expect(settings.remarks == [])
  }

  @Test func anOverrideWinsOverTheFile() throws {
    let settings = try BrokerSettings(
      file: "node.id=1\nnum.partitions=3\n", named: "f", overrides: ["node.id=2", " broker.rack = a b "])
    #expect(settings.nodeID == NodeID(2))
    #expect(settings.topicDefaults.partitions == 3)
    #expect(settings.rack == "a b")
  }

  @Test(arguments: ["node.id", "=1", ""]) func anOverrideThatIsNoneIsRefused(override: String) {
    #expect(throws: ConfigurationError.self) {
      try BrokerSettings(file: nil, named: "f", overrides: [override])
    }
  }

  @Test func anUnknownKeyIsRefusedWithTheNearestOne() {
    let near = complaint(["listenrs": "PLAINTEXT://localhost:1"])
    #expect(near == "unknown key listenrs; did you mean listeners?; docs/configuration.md lists the keys")
    let far = complaint(["completely.different.key": "1"])
    #expect(far == "unknown key completely.different.key; docs/configuration.md lists the keys")
  }

  @Test(arguments: [
    ("num.partitions", "many", "must be a whole number"), ("num.partitions", "0", "must be at least 1"),
    ("num.partitions", "99999999999999999999", "must be a whole number"),
    ("num.network.threads", "257", "must be from 1 to 256"),
    ("auto.create.topics.enable", "yes", "must be true or false"),
    ("log.cleanup.policy", "delete,forget", "must be a list of delete, compact"),
    ("log.cleaner.min.cleanable.ratio", "1.5", "must be from 0.0 to 1.0"),
    ("log.message.timestamp.type", "Mine", "must be one of CreateTime, LogAppendTime"),
    ("node.id", "-1", "must be at least 0"), ("metrics.port", "65536", "must be from 0 to 65535"),
  ]) func aValueThatCannotBeIsNamedWithItsKeyAndWhatWouldBeRight(key: String, value: String, right: String) {
    #expect(complaint([key: value]) == "\(key): '\(value)' is not accepted; it \(right)")
  }

  @Test func acceptedKeysWithoutEffectAreRemarkedWithTheReason() throws {
    let settings = try BrokerSettings(["num.io.threads": "8", "num.replica.fetchers": "2"])
    #expect(settings.remarks.count == 2)
    #expect(settings.remarks.first?.hasPrefix("num.io.threads is accepted and has no effect: ") == true)
  }

  @Test func twoNamesOfOneNodeMustAgree() throws {
    #expect(try BrokerSettings(["broker.id": "7"]).nodeID == NodeID(7))
    #expect(try BrokerSettings(["broker.id": "7", "node.id": "7"]).nodeID == NodeID(7))
    let sentence = complaint(["broker.id": "7", "node.id": "8"])
    #expect(sentence?.contains("node.id is 8 and broker.id is 7") == true)
  }

  @Test func theMetadataLogIsInTheFirstFolderOfTheRecordsIfNotSaid() throws {
    let two = try BrokerSettings(["log.dirs": "/a/, /b"])
    #expect(two.logDirectories == ["/a", "/b"] && two.metadataDirectory == "/a")
    #expect(try BrokerSettings(["log.dirs": "/a,/b", "metadata.log.dir": "/b"]).metadataDirectory == "/b")
    #expect(complaint(["log.dirs": "/a,/b,/a/"])?.contains("names /a twice") == true)

    #expect(try BrokerSettings(["log.dir": "/a"]).logDirectories == ["/a"])
    #expect(try BrokerSettings(["log.dir": "/a", "log.dirs": "/b"]).logDirectories == ["/b"])
    #expect(complaint(["log.dirs": " , "])?.contains("names no folder") == true)
  }

  private static let both = [
    "listeners": "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093", "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
  ]
  private static let controllerAlone = [
    "listeners": "CONTROLLER://localhost:9093", "controller.listener.names": "CONTROLLER",
    "process.roles": "controller",
  ]

  @Test func aProcessThatNamesNoOthersIsAClusterOfItsOwn() throws {
    #expect(try BrokerSettings([:]).quorum == .alone)
    let voter = ["process.roles": "controller, broker", "controller.quorum.voters": "1@localhost:9093"]
    #expect(try BrokerSettings(voter).quorum == .alone)
    #expect(try BrokerSettings([:]).roles == [.broker, .controller])
  }

  @Test func aNodeFindsTheQuorumByItsVotersOrByItsServers() throws {
    let voters = ["controller.quorum.voters": "1@a:1,2@[::1]:2"]
    let quorum = try BrokerSettings(Self.both.merging(voters) { $1 }).quorum
    #expect(
      quorum
        == .voters([
          ConfiguredVoter(id: NodeID(1), address: .init(host: "a", port: 1)),
          ConfiguredVoter(id: NodeID(2), address: .init(host: "::1", port: 2)),
        ]))
    let servers = ["process.roles": "broker", "controller.quorum.bootstrap.servers": "a:1, b:2"]
    let broker = try BrokerSettings(servers)
    #expect(broker.quorum == .found(through: [.init(host: "a", port: 1), .init(host: "b", port: 2)]))
    #expect(broker.roles == [.broker] && broker.interBrokerListener == "PLAINTEXT")
    let controller = try BrokerSettings(
      Self.controllerAlone.merging(["controller.quorum.bootstrap.servers": "localhost:9093"]) { $1 })
    #expect(controller.listeners.isEmpty && controller.controllerListeners.map(\.name) == ["CONTROLLER"])
    #expect(controller.interBrokerListener == nil)
  }

  @Test(arguments: [
    (["process.roles": "president"], "must be a list of broker, controller"),
    (["process.roles": ""], "process.roles: "),
    (["process.roles": "broker"], "needs controller.quorum.bootstrap.servers=host:port"),
    (["process.roles": "broker", "controller.quorum.voters": "1@a:1"], "names node 1, which is no controller"),
    (["controller.quorum.voters": "1@a:1,2@b:1"], "controller.listener.names: a controller of several nodes needs"),
    (["controller.quorum.voters": "11@a:1"], "does not name node 1, which is a controller; add 1@host:port"),
    (["controller.quorum.voters": "1@a:1,1@b:1"], "names node 1 twice"),
    (["controller.quorum.voters": "1-a:1"], "'1-a:1' is not id@host:port"),
    (
      ["controller.quorum.voters": "1@a:1", "controller.quorum.bootstrap.servers": "a:1"],
      "only one of them can say where the quorum is"
    ),
    (["controller.quorum.bootstrap.servers": "a"], "'a' is not host:port"),
    (["process.roles": "controller"], "is for clients, and process.roles=controller serves none"),
    (["inter.broker.listener.name": "INSIDE"], "'INSIDE' is not one of listeners, which are PLAINTEXT"),
  ]) func rolesAndTheQuorumMustFitTogether(values: [String: String], reason: String) {
    #expect(complaint(values)?.contains(reason) == true, "\(complaint(values) ?? "accepted")")
  }

  @Test func aListenerForControllersNeedsAController() {
    let values = Self.both.merging(
      ["process.roles": "broker", "controller.quorum.bootstrap.servers": "a:1"]
    ) { $1 }
    #expect(complaint(values)?.contains("CONTROLLER is for controllers, and process.roles=broker is none") == true)
    #expect(
      complaint(Self.controllerAlone)?.contains("controller.quorum.bootstrap.servers: a controller needs it") == true)
  }

  @Test func aClusterIDIsPrintableText() throws {
    #expect(try BrokerSettings(["cluster.id": "5L6g3nShT-eMCtK--X86sw"]).clusterID == "5L6g3nShT-eMCtK--X86sw")
    for wrong in ["", "a b", "caf\u{e9}", String(repeating: "x", count: 65)] {
      #expect(complaint(["cluster.id": wrong])?.hasPrefix("cluster.id: '\(wrong)' must be") == true)
    }
  }

  @Test func theMetricsAddressIsHostAndPort() throws {
    #expect(try BrokerSettings(["metrics.port": "9404"]).metrics == .init(host: "", port: 9404))
    #expect(try BrokerSettings(["metrics.listener": "127.0.0.1:9404"]).metrics == .init(host: "127.0.0.1", port: 9404))
    for wrong in ["9404", "localhost:", "localhost:99999"] {
      #expect(
        complaint(["metrics.listener": wrong])
          == "metrics.listener: '\(wrong)' is not host:port; an IPv6 address needs brackets, as in [::1]:9404")
    }
  }

  @Test func theLimitsOfConsumerGroupsContainTheirDefaults() {
    let session = complaint(["group.consumer.session.timeout.ms": "10000"])
    #expect(
      session
        == "group.consumer.session.timeout.ms: 10000 is not from group.consumer.min.session.timeout.ms (45000) to group.consumer.max.session.timeout.ms (60000)"
    )
    #expect(
      complaint([
        "group.consumer.session.timeout.ms": "10000", "group.consumer.min.session.timeout.ms": "1000",
      ]) == nil)
    #expect(complaint(["group.consumer.heartbeat.interval.ms": "15001"])?.contains("15001 is not from") == true)
  }

  @Test func theConsumerProtocolCanBeLeftOut() throws {
    #expect(try BrokerSettings([:]).offersConsumerProtocol)
    #expect(try !BrokerSettings(["group.coordinator.rebalance.protocols": "classic"]).offersConsumerProtocol)
  }
}

@Suite struct ListenerTests {
  private func listeners(_ values: [String: String]) throws -> [BrokerSettings.Listener] {
    try BrokerSettings(values).listeners
  }
  private func complaint(_ values: [String: String]) -> String {
    do {
      return "\(try BrokerSettings(values).listeners)"
    } catch { return "\(error)" }
  }

  @Test func eachListenerIsAdvertisedUnderItsName() throws {
    let found = try listeners([
      "listeners": "inside://10.0.0.1:9092, OUTSIDE://:9093",
      "advertised.listeners": "OUTSIDE://example.com:29093",
      "listener.security.protocol.map": "INSIDE:PLAINTEXT,OUTSIDE:plaintext",
    ])
    #expect(found.map(\.name) == ["INSIDE", "OUTSIDE"])
    #expect(found.map(\.bind.host) == ["10.0.0.1", ""])
    #expect(found.map(\.advertised.host) == ["10.0.0.1", "example.com"])
    #expect(found.map(\.advertised.port) == [9092, 29093])
  }

  @Test func anAddressWithColonsStandsInBrackets() throws {
    #expect(try listeners(["listeners": "PLAINTEXT://[::1]:9092"]).map(\.bind.host) == ["::1"])
    #expect(complaint(["listeners": "PLAINTEXT://::1:9092"]).contains("is not a listener"))
  }

  @Test func controllerListenersAreNotForClients() throws {
    let kafkas = [
      "listeners": "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
      "advertised.listeners": "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
      "controller.listener.names": "CONTROLLER", "controller.quorum.voters": "1@localhost:9093",
    ]
    #expect(try listeners(kafkas).map(\.name) == ["PLAINTEXT"])
    #expect(
      complaint(["listeners": "CONTROLLER://localhost:9093", "controller.listener.names": "CONTROLLER"])
        == "listeners: names no listener for clients")
  }

  @Test(arguments: ["localhost:9092", "PLAINTEXT://localhost", "PLAINTEXT://localhost:70000", "://localhost:1"])
  func whatIsNotAListenerIsNamed(text: String) {
    #expect(
      complaint(["listeners": text])
        == "listeners: '\(text)' is not a listener; write NAME://host:port, such as PLAINTEXT://localhost:9092")
  }

  @Test func aNameStandsOnce() {
    #expect(complaint(["listeners": "A://a:1,a://b:2"]).contains("the listener name A stands twice"))
  }

  @Test func whatIsAdvertisedIsListenedOn() {
    #expect(
      complaint(["advertised.listeners": "OTHER://a:1"]) == "advertised.listeners: OTHER is not one of listeners")
  }

  @Test(arguments: ["0.0.0.0", "[::]", ""]) func clientsAreNeverSentToNoPlaceAtAll(host: String) {
    let sentence = complaint(["listeners": "PLAINTEXT://\(host):9092"])
    #expect(sentence.hasPrefix("advertised.listeners: clients cannot connect to "))
    #expect(sentence.hasSuffix("set PLAINTEXT://name-or-address:9092"))
  }

  @Test func protocolsThatAreNotSpokenAreRefused() {
    for name in ["SSL", "SASL_SSL", "SASL_PLAINTEXT"] {
      #expect(complaint(["listeners": "\(name)://a:1"]).contains("would speak \(name), which is not supported yet"))
      let mapped = ["listeners": "IN://a:1", "listener.security.protocol.map": "IN:\(name)"]
      #expect(complaint(mapped).contains("IN would speak \(name)"))
    }
    #expect(
      complaint(["listeners": "IN://a:1"])
        == "listeners: IN has no protocol; set listener.security.protocol.map=IN:PLAINTEXT")
    #expect(complaint(["listener.security.protocol.map": "IN"]).contains("'IN' is not NAME:PROTOCOL"))
  }
}
