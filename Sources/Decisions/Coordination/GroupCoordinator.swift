public import Vocabulary

/// Coordinates the groups of one partition of `__consumer_offsets`: who is in a group, who owns what, and how far
/// everyone has read.
///
/// It holds no clock, no log and no connection. The caller's duties, in order:
/// 1. Make one when its broker becomes leader of the partition, `replay` every record of the partition (and every
///    transaction marker), then call `loaded`.
/// 2. Hand in each request with a token of its own, and the time. Perform the effects in their order.
/// 3. Call `tick` when `nextDeadline` has come.
/// 4. Tell it of topics that are deleted, pass the catalogue of topics with every call that takes one, and
///    evaluate the patterns that it asks for.
/// 5. When an append fails or leadership is lost: `unload`, and forget it.
///
/// Not here: classic members inside consumer groups, share groups, and configuration of single groups.
///
/// State that records tell is changed by applying those records, in the same way when they are written as when they
/// are loaded. The rounds of classic groups are no such state: they start again after a load (see `ClassicGroup`).
public struct GroupCoordinator: Sendable {
  public let settings: GroupSettings
  var classic: [GroupID: ClassicGroup] = [:]
  var consumer: [GroupID: ConsumerGroup] = [:]
  var offsets = OffsetStore()
  var alarms = Alarms<GroupID>()
  var resolutions: [SubscriptionPattern: Resolution] = [:]
  var nextSweep = Instant.never

  public init(settings: GroupSettings) { self.settings = settings }

  /// When `tick` has something to do; it may be called earlier or later.
  public var nextDeadline: Instant? {
    let next = min(alarms.next ?? .never, nextSweep)
    return next == .never ? nil : next
  }

  /// Applies one record of the log. Only before `loaded`.
  public mutating func replay(_ record: GroupRecord, by writer: RecordWriter = .coordinator) {
    apply(record, by: writer)
  }

  /// The coordinator has read its whole log: every member gets a fresh session.
  public mutating func loaded(at now: Moment, into effects: inout [GroupEffect]) {
    nextSweep = now.instant + settings.offsetsRetentionCheckInterval
    turn(at: now, into: &effects) { coordinator, turn in
      for id in coordinator.classic.keys.sorted() {
        coordinator.withClassic(id) { group in
          for member in group.roster.ids { group.renewSession(of: member, at: turn.now) }
          // The limit may be smaller than it was: a rebalance lets members commit before some are turned away.
          if group.roster.count > turn.settings.classicMembersMax { group.rebalance(&turn) }
        }
      }
      for id in coordinator.consumer.keys.sorted() {
        coordinator.withConsumer(id) { $0.startSessions(turn.now, turn.settings) }
      }
    }
  }

  /// Does what is due: expires members, ends join phases, removes old offsets.
  public mutating func tick(at now: Moment, into effects: inout [GroupEffect]) {
    turn(at: now, into: &effects) { coordinator, turn in
      for id in coordinator.alarms.due(at: now.instant) {
        coordinator.withClassic(id) { $0.tick(&turn) }
        coordinator.tickConsumer(id, &turn)
      }
      if coordinator.nextSweep <= now.instant {
        coordinator.nextSweep = now.instant + coordinator.settings.offsetsRetentionCheckInterval
        coordinator.sweep(&turn)
      }
    }
  }

  /// Answers everyone who waits, with NOT_COORDINATOR when the partition has moved, or with COORDINATOR_NOT_AVAILABLE
  /// when it must be loaded again. Nothing is left in here afterwards.
  public mutating func unload(as error: ErrorCode, into effects: inout [GroupEffect]) {
    var turn = Turn(now: Moment(instant: .never, time: .none), settings: settings)
    for id in classic.keys.sorted() {
      for member in classic[id]?.roster.ordered ?? [] { classic[id]?.answer(member, with: error, &turn) }
    }
    effects += turn.effects
    self = GroupCoordinator(settings: settings)
  }

  // MARK: Ways to work on one group

  mutating func turn(
    at now: Moment, into effects: inout [GroupEffect], _ work: (inout GroupCoordinator, inout Turn) -> Void
  ) {
    var turn = Turn(now: now, settings: settings)
    work(&self, &turn)
    effects += turn.effects
  }

  /// Takes a group out while it is worked on, so that it is changed in place.
  @discardableResult mutating func withClassic<Result>(
    _ id: GroupID, _ work: (inout ClassicGroup) -> Result
  ) -> Result? {
    guard var group = classic.removeValue(forKey: id) else { return nil }
    let result = work(&group)
    alarms.set(id, at: group.wake)
    classic[id] = group
    return result
  }

  @discardableResult mutating func withConsumer<Result>(
    _ id: GroupID, _ work: (inout ConsumerGroup) -> Result
  ) -> Result? {
    guard var group = consumer.removeValue(forKey: id) else { return nil }
    let result = work(&group)
    alarms.set(id, at: group.wake)
    consumer[id] = group
    return result
  }

  // MARK: The one path by which records change state

  mutating func write(_ records: [GroupRecord], by writer: RecordWriter = .coordinator, _ turn: inout Turn) {
    turn.append(records, by: writer)
    for record in records { apply(record, by: writer) }
  }

  private mutating func apply(_ record: GroupRecord, by writer: RecordWriter) {
    switch record {
    case .offset(let group, let partition, let value):
      if let value, classic[group] == nil, consumer[group] == nil {
        classic[group] = ClassicGroup(id: group, since: value.committedAt)
      }
      offsets.apply(group, partition, value, by: writer)
    case .classicGroup(let group, let value):
      classic[group] = value.map { ClassicGroup(id: group, $0) }
    case .consumerGroup(let group, nil):
      consumer[group] = nil
    case .consumerGroup(let group, .some), .consumerTopics(let group, _), .consumerPattern(let group, _, _),
      .consumerMember(let group, _, _),
      .consumerTargetEpoch(let group, _),
      .consumerTarget(let group, _, _), .consumerCurrent(let group, _, _):
      applyToConsumer(group, record)
    }
  }
}
