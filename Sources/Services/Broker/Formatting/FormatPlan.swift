import Consensus
import Vocabulary

/// What formatting writes, decided before anything is written.
struct FormatPlan: Equatable {
  let clusterID: String
  let key: ReplicaKey
  /// What the metadata log begins with (KIP-853); nil where the voters are configured, or found elsewhere.
  let voters: VoterSet?

  /// - Parameter fresh: the directory's id, unless the options give it one.
  init(_ options: FormatOptions, _ settings: BrokerSettings, fresh: UniqueID) throws(StorageUsageError) {
    guard let clusterID = options.clusterID else {
      throw StorageUsageError(sentence: "-t CLUSTER_ID is needed; swiftwater storage random-uuid makes one")
    }
    self.clusterID = clusterID
    try Self.check(options.beginning, settings)
    let node = settings.nodeID
    switch (options.beginning, settings.quorum) {
    case (.named(let text), .found):
      let listener = settings.controllerListeners.first?.name ?? "CONTROLLER"
      let voters: VoterSet
      do throws(InitialControllers.Mistake) {
        voters = try InitialControllers.parse(text, listener: listener)
      } catch {
        throw StorageUsageError(sentence: "--initial-controllers: \(error.sentence)")
      }
      guard let own = voters.voters.first(where: { $0.key.id == node }) else {
        throw StorageUsageError(
          sentence: "--initial-controllers: does not name node \(node.value), which is this one; add "
            + "\(node.value)@host:port:directory-id on every node, or use --no-initial-controllers here and add it later"
        )
      }
      key = own.key
      self.voters = voters
    case (.itself, .found):
      key = ReplicaKey(node, fresh)
      let endpoints = BrokerParts.endpoints(settings)
      guard endpoints.allSatisfy({ !["", "0.0.0.0", "::"].contains($0.host) }) else {
        throw StorageUsageError(
          sentence: "--standalone: the controller listener names no host under which others could reach this node; "
            + "name one in listeners")
      }
      voters = VoterSet([Voter(key, endpoints: endpoints)])
    case (_, .alone), (_, .voters), (.notSaid, .found), (.elsewhere, .found):
      key = ReplicaKey(node, fresh)
      voters = nil
    }
  }

  private static func check(
    _ beginning: FormatOptions.Beginning, _ settings: BrokerSettings
  ) throws(StorageUsageError) {
    let isController = settings.roles.contains(.controller)
    switch (settings.quorum, beginning) {
    case (.alone, .notSaid), (.alone, .itself), (.voters, .notSaid): break
    case (.alone, .named), (.alone, .elsewhere):
      throw StorageUsageError(
        sentence:
          "\(beginning.option): this configuration has no listener for controllers, and is a quorum of its own; "
          + "set controller.listener.names and controller.quorum.bootstrap.servers")
    case (.voters, .itself), (.voters, .named), (.voters, .elsewhere):
      throw StorageUsageError(
        sentence: "\(beginning.option): controller.quorum.voters says already who votes; leave the option out, or set "
          + "controller.quorum.bootstrap.servers instead")
    case (.found, .notSaid) where isController:
      throw StorageUsageError(
        sentence: "a controller without controller.quorum.voters needs one of --standalone, --initial-controllers and "
          + "--no-initial-controllers")
    case (.found, .itself) where !isController, (.found, .named) where !isController:
      throw StorageUsageError(
        sentence: "\(beginning.option): process.roles does not say controller; only a controller begins a quorum")
    case (.found, _): break
    }
  }
}
