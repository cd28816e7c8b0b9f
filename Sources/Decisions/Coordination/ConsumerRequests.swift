public import Vocabulary

// The requests of consumer groups (KIP-848), found their group.

extension GroupCoordinator {
  /// ConsumerGroupHeartbeat: joins with epoch 0, leaves with -1, goes away for a while with -2 (static members),
  /// changes a subscription, and reports and learns assignments.
  ///
  /// Refusals: INVALID_REQUEST, UNSUPPORTED_ASSIGNOR, INVALID_REGULAR_EXPRESSION, GROUP_ID_NOT_FOUND (also for a classic
  /// group with members), GROUP_MAX_SIZE_REACHED, UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, FENCED_INSTANCE_ID,
  /// UNRELEASED_INSTANCE_ID.
  /// Differs from Apache Kafka: a member that joins again under its id with epoch 0 is let in at once, since it owns
  /// nothing; Kafka fences it until its session ends. Classic members cannot share the group.
  public mutating func consumerHeartbeat(
    _ request: ConsumerHeartbeatRequest, _ token: Token, at now: Moment, topics: TopicCatalogue,
    into effects: inout [GroupEffect]
  ) {
    turn(at: now, into: &effects) { coordinator, turn in
      do throws(Refusal) {
        try request.check(coordinator.settings)
        let answer =
          if request.epoch < .joining {
            try coordinator.leaveConsumerGroup(request, &turn)
          } else {
            try coordinator.beat(request, topics, &turn)
          }
        turn.answer(token, .consumerHeartbeat(answer))
      } catch {
        turn.answer(token, .consumerHeartbeat(ConsumerHeartbeatAnswer(error: error.error, message: error.message)))
      }
    }
  }

  private func consumerGroup(for request: ConsumerHeartbeatRequest) throws(Refusal) -> ConsumerGroup {
    if let group = consumer[request.group] { return group }
    if request.epoch == .joining && classic[request.group]?.isEmpty ?? true { return ConsumerGroup(id: request.group) }
    throw Refusal(.groupIdNotFound, "\(request.group) is not a consumer group")
  }

  private mutating func beat(
    _ request: ConsumerHeartbeatRequest, _ topics: TopicCatalogue, _ turn: inout Turn
  ) throws(Refusal) -> ConsumerHeartbeatAnswer {
    let found = try consumerGroup(for: request)
    let member = request.member.isUnknown ? MemberID("\(request.nonce)") : request.member
    let replacesOne = request.instance.map { found.statics[$0] != nil } ?? false
    if found.members[member] == nil && !replacesOne && found.members.count >= settings.consumerMembersMax {
      throw Refusal(.groupMaxSizeReached, "the group has its maximum of \(settings.consumerMembersMax) members")
    }
    let arrival = try found.arrival(of: member, request)
    if classic[request.group] != nil { write([.classicGroup(request.group, nil)], &turn) }
    // The group has one owner at a time, so that it is changed in place.
    consumer[request.group] = nil
    var change = ConsumerChange(consume found)
    let before = change.group.members[member]?.current
    switch arrival {
    case .new, .known: break
    case .again: change.restart(member)
    case .replaces(let old): change.replace(old, with: member)
    }
    var subscription = change.subscribe(member, request)
    if case .new = arrival { subscription = .bump }
    resolvePatterns(&change, topics, &turn)
    change.refresh(subscription, topics, settings)
    change.retarget(settings)
    change.reconcile(member, request.owned, turn.now)
    change.group.renewSession(of: member, turn.now, settings)
    let after = change.group.members[member]?.current ?? .nothing
    finish(change, &turn)
    return answer(request, member, before, after)
  }

  private func answer(
    _ request: ConsumerHeartbeatRequest, _ member: MemberID, _ before: CurrentAssignmentRecord?,
    _ after: CurrentAssignmentRecord
  ) -> ConsumerHeartbeatAnswer {
    var answer = ConsumerHeartbeatAnswer(error: .none)
    answer.member = member
    answer.epoch = after.epoch
    answer.heartbeatInterval = settings.consumerHeartbeatInterval
    // A full request comes from a member that may have missed an answer.
    let isFull =
      request.rebalanceTimeout != nil && request.owned != nil
      && (request.subscribedTopics != nil || request.subscribedPattern != .unchanged)
    if request.epoch == .joining || isFull || before?.assigned != after.assigned { answer.assignment = after.assigned }
    return answer
  }

  private mutating func leaveConsumerGroup(
    _ request: ConsumerHeartbeatRequest, _ turn: inout Turn
  ) throws(Refusal) -> ConsumerHeartbeatAnswer {
    let found = try consumerGroup(for: request)
    if let instance = request.instance {
      guard let current = found.statics[instance] else {
        throw Refusal(.unknownMemberId, "no member has the instance id \(instance)")
      }
      if current != request.member {
        throw Refusal(.fencedInstanceId, "the instance id \(instance) is owned by member \(current)")
      }
    }
    guard let member = found.members[request.member] else {
      throw Refusal(.unknownMemberId, "member \(request.member) is not in group \(request.group)")
    }
    consumer[request.group] = nil
    var change = ConsumerChange(consume found)
    if request.epoch == .leavingForAWhile {
      var current = member.current
      current.epoch = .leavingForAWhile
      current.pendingRevocation = Assignment()
      change.write(.consumerCurrent(request.group, request.member, current))
      change.group.limitRevocation(of: request.member, turn.now)
    } else {
      change.fence(request.member)
    }
    finish(change, &turn)
    var answer = ConsumerHeartbeatAnswer(error: .none)
    answer.member = request.member
    answer.epoch = request.epoch
    return answer
  }

  /// Puts a changed group back, and says what has to be written.
  private mutating func finish(_ change: ConsumerChange, _ turn: inout Turn) {
    turn.append(change.records)
    alarms.set(change.group.id, at: change.group.wake)
    consumer[change.group.id] = change.group
  }

  /// Removes members whose session, or whose time to revoke, is over.
  mutating func tickConsumer(_ id: GroupID, _ turn: inout Turn) {
    guard var group = consumer.removeValue(forKey: id) else { return }
    let gone = group.expired(at: turn.now.instant)
    var change = ConsumerChange(consume group)
    for member in gone { change.fence(member) }
    finish(change, &turn)
  }

  /// A group without members may change its kind.
  mutating func replaceEmptyConsumerGroup(_ id: GroupID, _ turn: inout Turn) {
    guard let group = consumer[id], group.isEmpty else { return }
    write(group.tombstones, &turn)
  }

  mutating func applyToConsumer(_ id: GroupID, _ record: GroupRecord) {
    if consumer[id] == nil {
      // A tombstone of what is gone says nothing new.
      if record.isTombstone { return }
      classic[id] = nil
      consumer[id] = ConsumerGroup(id: id)
    }
    consumer[id]?.apply(record)
  }

  // MARK: Patterns

  /// Sees to it that the group's patterns have been evaluated over these topics. Until the result is there, what a
  /// pattern meant before holds.
  private mutating func resolvePatterns(_ change: inout ConsumerChange, _ topics: TopicCatalogue, _ turn: inout Turn) {
    for pattern in change.group.usedPatterns {
      if let known = resolutions[pattern], known.version >= topics.version {
        if let names = known.names { change.setPattern(pattern, names, known.version, turn.now, settings) }
      } else {
        resolutions[pattern] = Resolution(version: topics.version, names: nil)
        turn.effects.append(.resolve(pattern))
      }
    }
  }

  /// The result of a `.resolve` effect: the names of all topics that match, in this version of the catalogue.
  /// Groups take it up with their next heartbeat.
  public mutating func resolved(
    _ pattern: SubscriptionPattern, to names: [TopicName], version: Int64, at now: Moment,
    into effects: inout [GroupEffect]
  ) {
    if let known = resolutions[pattern], known.names != nil, known.version > version { return }
    let names = Set(names).sorted()
    resolutions[pattern] = Resolution(version: version, names: names)
    turn(at: now, into: &effects) { coordinator, turn in
      for id in coordinator.consumer.keys.sorted() {
        guard coordinator.consumer[id]?.usesPattern(pattern) == true,
          let group = coordinator.consumer.removeValue(forKey: id)
        else { continue }
        var change = ConsumerChange(group)
        change.setPattern(pattern, names, version, turn.now, turn.settings)
        coordinator.finish(change, &turn)
      }
    }
  }
}

/// What is known of a pattern in this coordinator's life.
struct Resolution {
  /// The version of the topics that it was, or is being, evaluated over.
  var version: Int64
  /// nil while it is being evaluated.
  var names: [TopicName]?
}

extension ConsumerChange {
  fileprivate mutating func setPattern(
    _ pattern: SubscriptionPattern, _ names: [TopicName], _ version: Int64, _ now: Moment, _ settings: GroupSettings
  ) {
    if group.patterns[pattern]?.topics == names { return }
    let topics = PatternTopics(topics: names, version: version, evaluatedAt: now.time)
    note(.consumerPattern(group.id, pattern, topics), settings)
    group.seenVersion = nil
  }
}

extension GroupRecord {
  var isTombstone: Bool {
    switch self {
    case .offset(_, _, let value): value == nil
    case .classicGroup(_, let value): value == nil
    case .consumerGroup(_, let value): value == nil
    case .consumerTopics(_, let value): value == nil
    case .consumerPattern(_, _, let value): value == nil
    case .consumerMember(_, _, let value): value == nil
    case .consumerTargetEpoch(_, let value): value == nil
    case .consumerTarget(_, _, let value): value == nil
    case .consumerCurrent(_, _, let value): value == nil
    }
  }
}
