import Vocabulary

// How large records become when they are written, estimated from above: the log refuses batches beyond
// `max.message.bytes`, and one group must not be able to make it refuse those of all others.

extension GroupRecord {
  /// Bytes, with room for keys, lengths and numbers.
  var sizeEstimate: Int {
    switch self {
    case .offset(let group, let partition, let value):
      Self.room(group) + partition.topic.text.utf8.count + (value?.metadata.utf8.count ?? 0)
    case .classicGroup(let group, let value): Self.room(group) + (value?.sizeEstimate ?? 0)
    case .consumerGroup(let group, _), .consumerTargetEpoch(let group, _): Self.room(group)
    case .consumerTopics(let group, let value):
      Self.room(group) + (value ?? []).reduce(0) { $0 + $1.name.text.utf8.count + 32 }
    case .consumerPattern(let group, let pattern, let value):
      Self.room(group) + pattern.text.utf8.count + (value?.topics ?? []).reduce(0) { $0 + $1.text.utf8.count + 4 }
    case .consumerMember(let group, let member, let value):
      Self.room(group, member) + (value?.sizeEstimate ?? 0)
    case .consumerTarget(let group, let member, let value): Self.room(group, member) + (value?.sizeEstimate ?? 0)
    case .consumerCurrent(let group, let member, let value):
      Self.room(group, member) + (value.map { $0.assigned.sizeEstimate + $0.pendingRevocation.sizeEstimate } ?? 0)
    }
  }

  private static func room(_ group: GroupID, _ member: MemberID = .unknown) -> Int {
    128 + group.text.utf8.count + member.text.utf8.count
  }
}

extension ClassicGroupRecord {
  var sizeEstimate: Int {
    members.reduce(128 + protocolType.utf8.count + (protocolName?.utf8.count ?? 0)) { sum, member in
      sum + 64 + member.member.text.utf8.count + (member.instance?.text.utf8.count ?? 0) + member.client.sizeEstimate
        + member.subscription.count + member.assignment.count
    }
  }
}

extension ConsumerMemberRecord {
  var sizeEstimate: Int {
    let texts = [instance?.text, rack, subscribedPattern?.text, assignor].reduce(0) { $0 + ($1?.utf8.count ?? 0) }
    return subscribedTopics.reduce(64 + texts + client.sizeEstimate) { $0 + $1.utf8.count + 4 }
  }
}

extension ClientIdentity {
  fileprivate var sizeEstimate: Int { id.utf8.count + host.utf8.count }
}

extension Assignment {
  fileprivate var sizeEstimate: Int { byTopic.values.reduce(8) { $0 + 24 + 4 * $1.count } }
}
