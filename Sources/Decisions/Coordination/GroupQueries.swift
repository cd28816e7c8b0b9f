import Vocabulary

// What groups there are, and what they look like.

extension GroupCoordinator {
  /// DescribeGroups: classic groups only; every other name is described as dead.
  public func describe(_ groups: [GroupID], _ token: Token, into effects: inout [GroupEffect]) {
    let all = groups.map { id in
      if id.text.isEmpty { return ClassicGroupDescription(group: id, error: .invalidGroupId) }
      return classic[id]?.description ?? ClassicGroupDescription(group: id)
    }
    effects.append(.answer(token, .describeClassic(all)))
  }

  /// ConsumerGroupDescribe (KIP-848): GROUP_ID_NOT_FOUND for what is no consumer group.
  public func describeConsumerGroups(_ groups: [GroupID], _ token: Token, into effects: inout [GroupEffect]) {
    let all = groups.map { id in
      if id.text.isEmpty { return ConsumerGroupDescription(group: id, error: .invalidGroupId) }
      return consumer[id]?.description(settings) ?? ConsumerGroupDescription(group: id, error: .groupIdNotFound)
    }
    effects.append(.answer(token, .describeConsumer(all)))
  }

  /// ListGroups, ordered by name.
  public func list(_ filter: ListFilter, _ token: Token, into effects: inout [GroupEffect]) {
    let states = Set(filter.states.map { $0.lowercased() })
    let types = Set(filter.types.map { $0.lowercased() })
    var groups = classic.values.map {
      ListedGroup(group: $0.id, protocolType: $0.protocolType ?? "", state: $0.publicState, type: .classic)
    }
    groups += consumer.values.map {
      ListedGroup(
        group: $0.id, protocolType: ClassicGroup.consumerProtocolType, state: $0.publicState, type: .consumer)
    }
    let shown = groups.filter { group in
      (states.isEmpty || states.contains(group.state.rawValue.lowercased()))
        && (types.isEmpty || types.contains(group.type.rawValue))
    }
    effects.append(.answer(token, .list(shown.sorted { $0.group < $1.group })))
  }
}

extension ClassicGroup {
  var description: ClassicGroupDescription {
    var all = ClassicGroupDescription(group: id, state: publicState)
    all.protocolType = protocolType ?? ""
    var shown: String?
    if case .stable = state { shown = choice?.name }
    all.protocolName = shown ?? ""
    all.members = roster.ordered.map { member in
      ClassicGroupDescription.Member(
        member: member.id, instance: member.instance, client: member.client,
        metadata: shown.map { member.metadata(for: $0) } ?? [],
        assignment: member.assignment)
    }
    return all
  }
}
