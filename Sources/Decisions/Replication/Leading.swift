public import Vocabulary

// What reaches a replica as the leader, from producers, followers and the controller.

extension Replica {
  /// Whether a produce request may be appended, and with which leader epoch. Nothing may be handed to `handle` between
  /// this and `appended`.
  ///
  /// NOT_LEADER_OR_FOLLOWER elsewhere than on the leader; NOT_ENOUGH_REPLICAS when acks=all could not be kept.
  public func admit(_ acks: Acks) -> Result<LeaderEpoch, Refusal> {
    guard case .leader(let lead) = role else {
      return .failure(Refusal(.notLeaderOrFollower, "This broker does not lead the partition"))
    }
    switch acks {
    case .allInSync where lead.isUnderMinimum(settings):
      let regions = Minimum.regions(of: lead.committed, lead.members).count
      return .failure(
        Refusal(
          .notEnoughReplicas,
          "\(lead.committed.count) replicas in \(regions) Regions are in sync, where \(settings.minimum.replicas) in "
            + "\(settings.minimum.regions) are needed"))
    case .leader, .allInSync:
      return .success(settings.planted == .startsNoEpoch ? max(log.epochs.latest, LeaderEpoch(0)) : lead.epoch)
    }
  }

  mutating func appended(_ write: Write, at now: Instant, into effects: inout [Effect]) {
    guard case .leader = role else {
      effects.append(.answerWrite(write.id, .refused(.notLeaderOrFollower)))
      return
    }
    whileLeading(at: now, into: &effects) { lead, scene in
      scene.log.end = max(scene.log.end, write.end)
      switch write.acks {
      case .leader: scene.effects.append(.answerWrite(write.id, .acknowledged))
      case .allInSync where scene.settings.planted == .acknowledgesBeforeReplication:
        scene.effects.append(.answerWrite(write.id, .acknowledged))
      case .allInSync: lead.writes.append(write)
      }
      lead.reconsider(&scene)
    }
  }

  /// What a fetch is answered when it is looked at again, such as when it has waited for more. It counts as progress
  /// only once, when it comes: `fetchRequested`.
  public func answer(toAgain request: FetchRequest) -> FetchAnswer {
    refusal(of: request)
      ?? .records(upTo: log.end, highWatermark: log.highWatermark, logStart: log.start)
  }

  mutating func fetchRequested(_ request: FetchRequest, at now: Instant, into effects: inout [Effect]) {
    // The sender is a broker: it cannot know of an epoch that was not given.
    heard(of: request.leaderEpoch, into: &effects)
    if let answer = refusal(of: request) {
      effects.append(.answerFetch(request, answer))
      return
    }
    let isVouchedFor = isVouchedFor(request)
    whileLeading(at: now, into: &effects) { lead, scene in
      if isVouchedFor { lead.progress[request.from]?.fetched(request, leaderEnd: scene.log.end, at: scene.now) }
      lead.reconsider(&scene)
      scene.effects.append(
        .answerFetch(
          request,
          .records(upTo: scene.log.end, highWatermark: scene.log.highWatermark, logStart: scene.log.start)))
    }
  }

  /// A log that ends in an epoch older than all that are known here may differ in what was removed here. It counts
  /// once the follower has removed as much, which the answer tells it to.
  private func isVouchedFor(_ request: FetchRequest) -> Bool {
    guard request.lastEpoch != .none, let first = log.epochs.starts.first else { return true }
    return request.lastEpoch >= first.epoch || request.logStart >= log.start
  }

  /// Nothing of a fetch counts before all of this has been checked.
  private func refusal(of request: FetchRequest) -> FetchAnswer? {
    if settings.planted != .checksNoEpoch, let code = refusal(forEpoch: request.leaderEpoch) { return .refused(code) }
    guard case .leader(let lead) = role else { return .refused(.notLeaderOrFollower) }
    guard let progress = lead.progress[request.from] else { return .refused(.unknownTopicOrPartition) }
    // A fetch that an earlier life of the broker has sent says nothing about this one (KIP-903).
    let newest = max(
      progress.position?.brokerEpoch ?? request.brokerEpoch, brokers[request.from]?.epoch ?? request.brokerEpoch)
    guard request.brokerEpoch >= newest else { return .refused(.notLeaderOrFollower) }
    if settings.planted != .checksNoEpoch, request.lastEpoch != .none,
      let end = log.epochs.end(of: request.lastEpoch, logEnd: log.end),
      end.epoch != request.lastEpoch || end.offset < request.offset
    {
      return .diverging(end)
    }
    guard request.offset >= log.start, request.offset <= log.end else {
      return .outOfRange(logStart: log.start, logEnd: log.end)
    }
    return nil
  }

  mutating func proposalAnswered(
    _ id: ProposalID, _ answer: ProposalAnswer, at now: Instant, into effects: inout [Effect]
  ) {
    switch answer {
    case .confirmed(let epoch, let partitionEpoch, let inSync):
      whileLeading(at: now, into: &effects) { lead, scene in
        if epoch == lead.epoch { lead.confirm(inSync, partitionEpoch, &scene) }
      }
    case .refused(.fencedLeaderEpoch):
      guard case .leader(let lead) = role, lead.awaits(id) else { return }
      // There is a newer leader: the metadata will say who.
      heard(of: LeaderEpoch(leaderEpoch.value + 1), into: &effects)
    case .refused(let code):
      whileLeading(at: now, into: &effects) { lead, scene in lead.refused(id, code, &scene) }
    }
  }
}
