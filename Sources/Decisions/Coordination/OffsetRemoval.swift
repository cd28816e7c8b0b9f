public import Vocabulary

// Offsets end: they are deleted on request, with their group, with their topic, or by age.

extension GroupCoordinator {
  /// OffsetDelete. Refusals: INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP where the topics of a group with
  /// members are unknown; per partition GROUP_SUBSCRIBED_TO_TOPIC, and COORDINATOR_LOAD_IN_PROGRESS as for commits.
  /// - Parameter closed: topics of which another cluster is about to have the offsets, as in `commit`.
  public mutating func deleteOffsets(
    _ request: DeleteOffsetsRequest, closed: Set<TopicName> = [], _ token: Token, at now: Moment,
    into effects: inout [GroupEffect]
  ) {
    turn(at: now, into: &effects) { coordinator, turn in
      if let error = coordinator.refusal(of: request) {
        return turn.answer(token, .deleteOffsets(DeleteOffsetsAnswer(error: error, topics: [])))
      }
      var doomed: [TopicPartition] = []
      let isSubscribed = coordinator.subscription(of: request.group)
      let topics = request.topics.map { topic in
        let error: ErrorCode =
          isSubscribed(topic.topic)
          ? .groupSubscribedToTopic : closed.contains(topic.topic) ? .coordinatorLoadInProgress : .none
        if error == .none { doomed += topic.partitions.map { TopicPartition(topic.topic, $0) } }
        return OfTopic(topic.topic, topic.partitions.map { PartitionResult($0, error) })
      }
      coordinator.remove(doomed, of: request.group, &turn)
      turn.answer(token, .deleteOffsets(DeleteOffsetsAnswer(error: .none, topics: topics)))
    }
  }

  private func refusal(of request: DeleteOffsetsRequest) -> ErrorCode? {
    if request.group.text.isEmpty { return .invalidGroupId }
    if let group = classic[request.group] { return group.isEmpty || group.isConsumers ? nil : .nonEmptyGroup }
    return consumer[request.group] == nil ? .groupIdNotFound : nil
  }

  /// Whether members of a group subscribe to a topic.
  private func subscription(of id: GroupID) -> (TopicName) -> Bool {
    if let group = classic[id] { return group.isSubscribed }
    let names = consumer[id]?.subscribedNames ?? []
    return { names.contains($0.text) }
  }

  private mutating func remove(_ partitions: [TopicPartition], of group: GroupID, _ turn: inout Turn) {
    let existing = partitions.filter { offsets.offset(group, $0) != nil || offsets.isPending(group, $0) }
    write(existing.map { .offset(group, $0, nil) }, &turn)
  }

  /// DeleteGroups: each group with its offsets. Refusals, one per group: INVALID_GROUP_ID, GROUP_ID_NOT_FOUND,
  /// NON_EMPTY_GROUP, and COORDINATOR_LOAD_IN_PROGRESS for one with offsets in a topic that is closed, which another cluster
  /// may have carried already.
  public mutating func deleteGroups(
    _ groups: [GroupID], isClosed: (TopicName) -> Bool = { _ in false }, _ token: Token, at now: Moment,
    into effects: inout [GroupEffect]
  ) {
    turn(at: now, into: &effects) { coordinator, turn in
      var results: [DeletedGroup] = []
      for group in groups {
        let partitions = coordinator.offsets.partitions(of: group)
        let error =
          coordinator.refusalToDelete(group)
          ?? (partitions.contains { isClosed($0.topic) } ? .coordinatorLoadInProgress : nil)
        results.append(DeletedGroup(group: group, error: error ?? .none))
        guard error == nil else { continue }
        coordinator.remove(partitions, of: group, &turn)
        coordinator.bury(group, &turn)
      }
      turn.answer(token, .deleteGroups(results))
    }
  }

  private func refusalToDelete(_ id: GroupID) -> ErrorCode? {
    if id.text.isEmpty { return .invalidGroupId }
    if let group = classic[id] { return group.isEmpty ? nil : .nonEmptyGroup }
    guard let group = consumer[id] else { return .groupIdNotFound }
    return group.isEmpty ? nil : .nonEmptyGroup
  }

  /// Writes the tombstones of an empty group.
  mutating func bury(_ id: GroupID, _ turn: inout Turn) {
    if classic[id] != nil { write([.classicGroup(id, nil)], &turn) }
    if let group = consumer[id] { write(group.tombstones, &turn) }
  }

  /// These topics no longer exist: nobody's offsets in them do.
  public mutating func topicsDeleted(_ topics: Set<TopicName>, at now: Moment, into effects: inout [GroupEffect]) {
    turn(at: now, into: &effects) { coordinator, turn in
      for group in coordinator.offsets.groups {
        let doomed = coordinator.offsets.partitions(of: group).filter { topics.contains($0.topic) }
        coordinator.remove(doomed, of: group, &turn)
      }
    }
  }

  /// Removes what is older than `offsets.retention.minutes`, and groups of which nothing is left.
  mutating func sweep(_ turn: inout Turn) {
    let used = consumer.values.reduce(into: Set<SubscriptionPattern>()) { $0.formUnion($1.usedPatterns) }
    resolutions = resolutions.filter { used.contains($0.key) }
    for id in Set(classic.keys).union(consumer.keys).sorted() {
      let partitions = offsets.partitions(of: id)
      let isSubscribed = subscription(of: id)
      let expired = partitions.filter { !isSubscribed($0.topic) && isExpired(id, $0, at: turn.now.time) }
      remove(expired, of: id, &turn)
      guard expired.count == partitions.count, !offsets.hasOpenTransaction(id) else { continue }
      if classic[id]?.isAbandoned ?? consumer[id]?.isEmpty ?? false { bury(id, &turn) }
    }
  }

  private func isExpired(_ id: GroupID, _ partition: TopicPartition, at now: Timestamp) -> Bool {
    guard let offset = offsets.offset(id, partition), !offsets.isPending(id, partition),
      let start = classic[id]?.retentionStart(of: offset) ?? (consumer[id] == nil ? nil : offset.committedAt)
    else { return false }
    if let end = offset.expiresAt { return end <= now }
    return start.plus(settings.offsetsRetention) <= now
  }
}

extension ClassicGroup {
  /// From when on an offset's retention counts; nil: not at all for now.
  func retentionStart(of offset: CommittedOffset) -> Timestamp? {
    // Without a protocol type there never were members: only the commits tell that someone is interested.
    if protocolType == nil { return offset.committedAt }
    if isEmpty { return stateSince == .none ? offset.committedAt : stateSince }
    // A member that no longer subscribes to a topic does not need its offsets for ever.
    if case .stable = state, isConsumers, choice?.subscribedTopics != nil { return offset.committedAt }
    return nil
  }

  /// Nobody is in it, and nobody is about to come.
  var isAbandoned: Bool { isEmpty && pending.isEmpty }
}
