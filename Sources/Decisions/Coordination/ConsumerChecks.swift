import Vocabulary

// What a consumer group refuses, and with which words.

/// A refused ConsumerGroupHeartbeat.
struct Refusal: Error {
  let error: ErrorCode
  let message: String
  init(_ error: ErrorCode, _ message: String) {
    self.error = error
    self.message = message
  }
}

extension ConsumerHeartbeatRequest {
  /// What is wrong with the request whatever the group looks like.
  func check(_ settings: GroupSettings) throws(Refusal) {
    if group.text.isEmpty { throw Refusal(.invalidRequest, "the group id is empty") }
    if instance?.text.isEmpty == true { throw Refusal(.invalidRequest, "the instance id is empty") }
    if rack?.isEmpty == true { throw Refusal(.invalidRequest, "the rack id is empty") }
    switch epoch {
    case .joining: try checkJoin()
    case .leavingForAWhile:
      try checkMember()
      if instance == nil { throw Refusal(.invalidRequest, "only a member with an instance id leaves for a while") }
    case _ where epoch >= .leaving: try checkMember()
    default: throw Refusal(.invalidRequest, "the member epoch \(epoch.value) means nothing")
    }
    if let assignor, !settings.consumerAssignors.contains(where: { $0.rawValue == assignor }) {
      let known = settings.consumerAssignors.map(\.rawValue).joined(separator: ", ")
      throw Refusal(.unsupportedAssignor, "the assignor \(assignor) is not one of: \(known)")
    }
    let names = (subscribedTopics ?? []).reduce(0) { $0 + $1.utf8.count + 4 }
    if names > settings.appendMax.value / 2 {
      throw Refusal(.invalidRequest, "the names of the subscribed topics have \(names) bytes: too many to be kept")
    }
    if subscribedPattern == .unreadable {
      throw Refusal(.invalidRegularExpression, "the subscribed regular expression cannot be read")
    }
  }

  private func checkMember() throws(Refusal) {
    if member.isUnknown { throw Refusal(.invalidRequest, "the member id is empty") }
  }

  private func checkJoin() throws(Refusal) {
    guard rebalanceTimeout != nil else { throw Refusal(.invalidRequest, "a first heartbeat needs a rebalance timeout") }
    guard let owned, owned.isEmpty else { throw Refusal(.invalidRequest, "a member that joins owns nothing") }
    var subscribes = subscribedTopics?.isEmpty == false
    if case .pattern = subscribedPattern { subscribes = true }
    if !subscribes { throw Refusal(.invalidRequest, "a first heartbeat needs subscribed topics") }
  }
}

extension ConsumerGroup {
  /// How a heartbeat finds its member.
  enum Arrival {
    /// Nobody of that name is here.
    case new
    case known
    /// A static member is back under a new member id.
    case replaces(MemberID)
    /// A known member begins anew: it owns nothing any more.
    case again
  }

  func arrival(of id: MemberID, _ request: ConsumerHeartbeatRequest) throws(Refusal) -> Arrival {
    let joins = request.epoch == .joining
    if let instance = request.instance {
      guard let current = statics[instance], let member = members[current] else {
        if joins { return try members[id].map { member throws(Refusal) in try check(member, request) } ?? .new }
        throw Refusal(.unknownMemberId, "no member has the instance id \(instance)")
      }
      if joins && current != id {
        if member.current.epoch != .leavingForAWhile {
          throw Refusal(.unreleasedInstanceId, "the instance id \(instance) is owned by member \(current)")
        }
        return .replaces(current)
      }
      if current != id {
        throw Refusal(.fencedInstanceId, "the instance id \(instance) is owned by member \(current)")
      }
      // The same process is back after leaving for a while.
      if joins && member.current.epoch == .leavingForAWhile { return .replaces(current) }
      return try check(member, request)
    }
    guard let member = members[id] else {
      if joins { return .new }
      throw Refusal(.unknownMemberId, "member \(id) is not in group \(self.id)")
    }
    return try check(member, request)
  }

  private func check(_ member: Member, _ request: ConsumerHeartbeatRequest) throws(Refusal) -> Arrival {
    let current = member.current
    if current.state == .unknown && request.owned?.isEmpty != true {
      throw Refusal(.fencedMemberEpoch, "the member's state is unknown: it must give up everything and rejoin")
    }
    if request.epoch == current.epoch { return .known }
    // The answer that told the newer epoch may have been lost; what it gave cannot be in use yet.
    if request.epoch == current.previousEpoch, let owned = request.owned, owned.isSubset(of: current.assigned) {
      return .known
    }
    if request.epoch == .joining { return .again }
    throw Refusal(
      .fencedMemberEpoch,
      "the member epoch \(request.epoch.value) is not \(current.epoch.value): it must give up everything and rejoin")
  }

  /// What a commit must pass.
  func refusal(of who: Committer, by writer: RecordWriter) -> ErrorCode? {
    if who.generationOrEpoch < 0 && isEmpty { return nil }
    guard let member = members[who.member] else { return .unknownMemberId }
    switch writer {
    case .coordinator:
      if who.knows == .classicGroupsOnly { return .unsupportedVersion }
      return who.generationOrEpoch == member.current.epoch.value ? nil : .staleMemberEpoch
    case .transaction:
      return who.generationOrEpoch == member.current.epoch.value ? nil : .illegalGeneration
    }
  }

  /// What a fetch of offsets must pass that names a member.
  func refusalToFetch(_ member: MemberID?, _ epoch: MemberEpoch?) -> ErrorCode? {
    guard let member, !member.isUnknown || (epoch ?? .leaving) >= .joining else { return nil }
    guard let known = members[member] else { return .unknownMemberId }
    return epoch == known.current.epoch ? nil : .staleMemberEpoch
  }

  func description(_ settings: GroupSettings) -> ConsumerGroupDescription {
    var all = ConsumerGroupDescription(group: id)
    all.state = publicState
    all.groupEpoch = epoch
    all.assignmentEpoch = targetEpoch
    all.assignor = assignor(settings).rawValue
    all.members = members.keys.sorted().compactMap { members[$0] }.map { member in
      ConsumerGroupDescription.Member(
        member: member.id, instance: member.record.instance, rack: member.record.rack, epoch: member.current.epoch,
        client: member.record.client, subscribedTopics: member.record.subscribedTopics,
        subscribedPattern: member.record.subscribedPattern, assignment: member.current.assigned,
        target: targets[member.id] ?? Assignment())
    }
    return all
  }
}
