public import Vocabulary

extension MetadataImage {
  /// A broker's session has ended, or it asked for this: it leaves the in-sync sets and leads nothing.
  /// Of a broker that is fenced or not registered: nothing.
  public func fence(
    _ id: NodeID, inherited: ConfigResolution = ConfigResolution(fixed: [:])
  ) -> [MetadataRecord] {
    guard let broker = brokers[id], !broker.isFenced else { return [] }
    let fenced = MetadataRecord.brokerFencing(id, epoch: broker.epoch, isFenced: true)
    return [fenced] + after([fenced]).settle(inherited, where: { $0.inSync.contains(id) }, { $0.leave(id) })
  }

  /// It serves again: it leads what has no leader and what it has every committed record of.
  func unfence(_ broker: BrokerRegistration, inherited: ConfigResolution) -> [MetadataRecord] {
    let unfenced = MetadataRecord.brokerFencing(broker.id, epoch: broker.epoch, isFenced: false)
    return [unfenced] + after([unfenced]).settle(inherited, where: { $0.leader == .none })
  }

  /// Leaders move away before the broker stops (KIP-841: it may not come back into an in-sync set meanwhile).
  func beginShutdown(of broker: BrokerRegistration, inherited: ConfigResolution) -> [MetadataRecord] {
    let id = broker.id
    let began: [MetadataRecord] =
      broker.isShuttingDown ? [] : [.brokerShutdownBegan(id, epoch: broker.epoch)]
    return began
      + after(began).settle(inherited, where: { $0.inSync.contains(id) && $0.inSync != [id] || $0.leader == id }) {
        $0.leave(id)
      }
  }

  /// UnregisterBroker: allowed while the broker has replicas, as in Kafka. They stay in their partitions, and its id
  /// can register again. It must not be alive, or its next heartbeat would be refused; Kafka does not check that
  /// either.
  public func unregister(
    _ id: NodeID, inherited: ConfigResolution = ConfigResolution(fixed: [:])
  ) -> Decision<Result<Void, Refusal>> {
    guard let broker = brokers[id] else {
      return Decision(
        records: [],
        answer: .failure(Refusal(.brokerIdNotRegistered, "Broker \(id.value) is not registered.")))
    }
    let gone = MetadataRecord.brokerUnregistered(id, epoch: broker.epoch)
    let changes = after([gone]).settle(inherited) { partition in
      partition.inSync.contains(id) || partition.eligible.contains(id)
    } _: { transition in
      transition.leave(id)
      transition.after.eligible.removeAll { $0 == id }
    }
    return Decision(records: [gone] + changes, answer: .success(()))
  }

  /// Some of a broker's log directories failed (KIP-858): what lay there is out of sync. A broker that has none left
  /// is fenced.
  public func failDirectories(
    _ failed: [UniqueID], of id: NodeID, epoch: Int64, inherited: ConfigResolution = ConfigResolution(fixed: [:])
  ) -> Decision<Result<Void, Refusal>> {
    do throws(Refusal) {
      let broker = try registration(of: id, epoch: epoch)
      let online = broker.logDirectories.filter { !failed.contains($0) }
      if online == broker.logDirectories { return Decision(records: [], answer: .success(())) }
      if online.isEmpty { return Decision(records: fence(id, inherited: inherited), answer: .success(())) }
      let lost = MetadataRecord.brokerDirectoriesChanged(id, epoch: epoch, online: online)
      let changes = after([lost]).leaveLostDirectories(of: id, inherited)
      return Decision(records: [lost] + changes, answer: .success(()))
    } catch {
      return Decision(records: [], answer: .failure(error))
    }
  }

  /// What a broker holds in directories that it has no more is out of sync.
  func leaveLostDirectories(of id: NodeID, _ inherited: ConfigResolution) -> [MetadataRecord] {
    let online = brokers[id]?.logDirectories ?? []
    return settle(inherited) { partition in
      guard partition.inSync.contains(id), let directory = partition.directory(of: id), directory != .zero,
        directory != .unassignedDirectory
      else { return false }
      return !online.contains(directory)
    } _: { transition in
      transition.leave(id)
    }
  }

  /// AssignReplicasToDirs for one replica (KIP-858): the broker says in which of its directories it lies. One that is
  /// not online takes the replica out of sync.
  public func assign(
    _ directory: UniqueID, toReplicaOf partition: PartitionIndex, topic: UniqueID, on id: NodeID, epoch: Int64,
    inherited: ConfigResolution = ConfigResolution(fixed: [:])
  ) -> Decision<Result<Void, Refusal>> {
    do throws(Refusal) {
      let broker = try registration(of: id, epoch: epoch)
      let topic = try self.topic(.id(topic)).get()
      let state = try self.partition(partition, of: topic)
      guard let at = state.replicas.firstIndex(of: id) else {
        throw Refusal(
          .notLeaderOrFollower,
          "Broker \(id.value) has no replica of \(topic.name)-\(partition.value); its replicas are on "
            + "\(text(state.replicas)).")
      }
      let rules = rules(of: topic, inherited: inherited)
      var transition = PartitionTransition(state, rules, self)
      // Gives every replica a place in the list, also where an older record left it empty.
      transition.keep(state.replicas)
      transition.after.directories[at] = directory
      if !broker.logDirectories.contains(directory) { transition.leave(id) }
      let change = transition.settle(rules.allowsUnclean ? .unclean : .ifNeeded)
      let records = change.map { [MetadataRecord.partitionChanged(topic: topic.id, partition, $0)] } ?? []
      return Decision(records: records, answer: .success(()))
    } catch {
      return Decision(records: [], answer: .failure(error))
    }
  }
}
