import ClusterMetadata
import EventLoop
import KafkaClient
import KafkaProtocol
import MirrorPlanning
import Synchronization
import Telemetry
import Vocabulary

/// One look at a switchover, by the active controller: asks what is there and takes the next step.
struct MirrorSwitchover: Sendable {
  enum Outcome: Sendable {
    case waits(String)
    case promoted
  }

  private let broker: Broker
  private let order: MirrorOrder
  private let link: MirrorLink
  private let view: SourceCluster.View

  init(_ broker: Broker, _ order: MirrorOrder, _ link: MirrorLink, _ view: SourceCluster.View) {
    self.broker = broker
    self.order = order
    self.link = link
    self.view = view
  }

  private var word: String { SourceFence.word(of: broker.clusterID, order.attempt) }

  func proceed(_ moments: SwitchoverMoments, then: @escaping @Sendable (Outcome) -> Void) {
    var topics: [TopicName: Int] = [:]
    var led: [NodeID: [TopicPartition]] = [:]
    for topic in broker.image.topics(mirroredBy: order.name) {
      let (name, count) = (topic.name, topic.partitions.count)
      topics[name] = count
      guard let there = view.topics[name], there.id == topic.id else {
        return then(.waits("the source has another topic \(name) than there is here"))
      }
      guard there.partitions.count >= count else {
        return then(.waits("there are \(count) partitions of \(name) here, and the source was seen with fewer"))
      }
      for (index, place) in there.partitions.prefix(count).enumerated() {
        guard let leader = place.leader else { return then(.waits("\(name)-\(index) has no leader at the source")) }
        led[leader, default: []].append(TopicPartition(name, PartitionIndex(Int32(index))))
      }
    }
    guard !topics.isEmpty else { return then(.waits("there is no topic to take over")) }
    // Whoever leads nothing may coordinate groups.
    let nodes = Set(led.keys).union(view.brokers.keys).sorted()
    let (known, leaders) = (topics, led)
    let gathering = Gathering<SourceSaid>(count: nodes.count) { said in
      let asked = monotonicNow()
      MirrorFindings(broker, order.name).survey { survey in
        broker.pool.run {
          take(
            known, leaders, Dictionary(zip(nodes, said)) { first, _ in first }, survey,
            { moments.note($0, $1, at: asked, in: order.attempt) }, then)
        }
      }
    }
    for (index, node) in nodes.enumerated() {
      SourceStandings(link, view, node).ask(about: topics.keys.sorted(), led[node] ?? []) {
        gathering.put($0, at: index)
      }
    }
  }

  private func take(
    _ topics: [TopicName: Int], _ led: [NodeID: [TopicPartition]], _ said: [NodeID: SourceSaid],
    _ survey: MirrorSurvey, _ note: @Sendable (SwitchoverMoments.Stage, Bool) -> TimeSpan?,
    _ then: @escaping @Sendable (Outcome) -> Void
  ) {
    if let name = said.values.flatMap(\.mirrored).min() {
      return then(
        .waits("\(name) is written by a mirror at the source as well: take it over from where that one copies"))
    }
    var fenced = Set(topics.keys)
    var source: [TopicPartition: SourceStanding] = [:]
    for (node, partitions) in led {
      for partition in partitions {
        let isFenced = said[node]?.isFenced(partition.topic, by: word) == true
        if !isFenced { fenced.remove(partition.topic) }
        let isEarly = broker.plantedInMirroring == .takesOverEarly
        let end = isEarly ? survey.statuses[partition]?.mark : said[node]?.ends[partition]
        source[partition] = SourceStanding(isFenced: isFenced, end: end)
      }
    }
    let isClosed = source.values.allSatisfy { $0.isFenced && $0.end != nil }
    let step = planSwitchover(
      generation: order.generationBefore(broker.plantedInMirroring), topics: topics, fenced: fenced,
      counts: counts(of: topics, said), source: source,
      copies: survey.findings(
        isFinal: false, asIfNothingWereOpen: broker.plantedInMirroring == .waitsForNoTransactions),
      closedFor: note(.closed, isClosed))
    if case .promote = step {} else { _ = note(.settled, false) }
    switch step {
    case .fence(let names):
      SourceFence(link, view).alter(names.map { ($0, .closeToWrites(word)) }) { refusal in
        then(.waits(refusal ?? "the source is being closed"))
      }
    case .waitForSource(let places): then(.waits("the source has not said yet where \(places.count) partitions end"))
    case .waitForCounts(let names):
      then(.waits("the source has not said yet how many partitions \(names.count) topics have"))
    case .grow(let names): grow(names, then)
    case .waitForTransactions(let open): then(.waits(Self.words(of: open)))
    case .waitForCopies(let places): then(.waits("\(places.count) partitions are not copied yet"))
    case .promote(let generation, let reports):
      carryLastOffsets(topics, said, survey, note) {
        promote(generation, topics, reports, then)
      } waits: {
        then(.waits($0))
      }
    }
  }

  /// Every record is here, and nothing is open: now nobody commits there any more, and what was committed is carried.
  private func carryLastOffsets(
    _ topics: [TopicName: Int], _ said: [NodeID: SourceSaid], _ survey: MirrorSurvey,
    _ note: (SwitchoverMoments.Stage, Bool) -> TimeSpan?, then: () -> Void, waits: @escaping @Sendable (String) -> Void
  ) {
    var closed: [NodeID: Set<TopicName>] = [:]
    for node in view.brokers.keys {
      closed[node] = Set(topics.keys.filter { said[node]?.takesNoCommits($0, for: word) == true })
    }
    let isClosed = closed.values.allSatisfy { $0.count == topics.count }
    let isEarly = broker.plantedInMirroring == .carriesGroupsBeforeTheFence
    let step = planLastOffsets(
      of: Set(topics.keys), closed: isEarly ? closed.mapValues { _ in Set(topics.keys) } : closed,
      closedFor: note(.settled, isClosed || isEarly), passes: survey.groups,
      shards: broker.image.topic(named: .consumerOffsets)?.partitions.count ?? 0)
    switch step {
    case .close(let names):
      SourceFence(link, view).alter(names.map { ($0, .closeToCommits(word)) }) { refusal in
        waits(refusal ?? "the source is being closed to commits of groups")
      }
    case .waitForSource(let nodes):
      waits("\(nodes.count) brokers of the source have not said yet that groups commit nothing there")
    case .waitForTransactions(let groups):
      waits("waiting for transactions to end that have committed offsets of the groups \(Self.words(of: groups))")
    case .waitForGroups(let groups):
      waits("the offsets of the groups \(Self.words(of: groups)) could not be carried")
    case .waitForPass(let nodes):
      waits(
        "the offsets of groups are carried a last time, by the brokers \(Self.words(of: nodes.map { "\($0.value)" }))")
    case .done: then()
    }
  }

  private static func words(of names: [String]) -> String {
    let more = names.count > openNamedMax ? " and \(names.count - openNamedMax) more" : ""
    return names.prefix(openNamedMax).joined(separator: ", ") + more
  }

  /// The first few partitions by name.
  private static func words(of open: [TopicPartition: Int]) -> String {
    let named = open.keys.sorted().prefix(openNamedMax).map { "\($0)" }.joined(separator: ", ")
    let count = open.values.reduce(0, +)
    let more = open.count > openNamedMax ? " and \(open.count - openNamedMax) more" : ""
    return "waiting for \(count) open transaction\(count == 1 ? "" : "s") in \(named)\(more)"
  }
  private static let openNamedMax = 3

  /// What was seen at any time, and what brokers said that were closed: who knows of the fence knows of every partition
  /// that was there before it.
  private func counts(of topics: [TopicName: Int], _ said: [NodeID: SourceSaid]) -> [TopicName: SourceCount] {
    var counts: [TopicName: SourceCount] = [:]
    for name in topics.keys {
      guard let there = view.topics[name] else { continue }
      let closed = said.values.filter { $0.isFenced(name, by: word) && $0.counts[name]?.id == there.id }
      let isOld = broker.plantedInMirroring == .countsNoPartitions
      counts[name] = SourceCount(
        seen: there.partitions.count,
        closed: isOld ? there.partitions.count : closed.compactMap { $0.counts[name]?.partitions }.max())
    }
    return counts
  }

  /// Makes the partitions that the source has got since the mirror last followed it. They are copied as all others are.
  private func grow(_ names: [TopicName], _ then: @escaping @Sendable (Outcome) -> Void) {
    // What is not in the view yet is looked at anew.
    link.lookAgain()
    let view = view
    broker.change { draft in
      for name in names {
        guard let there = view.topics[name], let own = draft.image.topic(named: name), own.id == there.id,
          there.partitions.count > own.partitions.count
        else { continue }
        let grown = MirroredTopic(
          name: name, id: there.id, epochs: there.partitions.map(\.epoch), replicationFactor: there.replicationFactor,
          configs: [])
        if case .failure(let refusal) = draft.add(draft.image.growMirrored(grown)) { return Optional(refusal.message) }
      }
      return nil
    } then: { result in
      switch result {
      case .success(let problem?): then(.waits(problem))
      case .success(nil): then(.waits("partitions are made that the source has and there are not yet here"))
      case .failure(let refusal): then(.waits(refusal.message))
      }
    }
  }

  private func promote(
    _ generation: Int32, _ topics: [TopicName: Int], _ reports: [TopicName: String],
    _ then: @escaping @Sendable (Outcome) -> Void
  ) {
    let (order, time) = (order, wallClockNow())
    broker.change { draft -> Result<Void, Refusal> in
      // Nothing is taken over that was not looked at.
      let now = draft.image.topics(mirroredBy: order.name)
      guard now.count == topics.count, now.allSatisfy({ topics[$0.name] == $0.partitions.count }) else {
        return .failure(Refusal(.invalidRequest, "the topics here have changed meanwhile"))
      }
      return draft.add(
        draft.image.promote(
          order.name, generation: generation, attempt: order.attempt, reports: reports, at: time))
    } then: { result in
      switch result.flatMap({ $0 }) {
      case .success:
        broker.log.info(
          "a mirror took over", ["mirror": order.name, "generation": "\(generation)", "topics": "\(reports.count)"])
        then(.promoted)
      case .failure(let refusal): then(.waits(refusal.message))
      }
    }
  }

  /// Opens again what an attempt of ours has closed that was given up. A word is taken away by itself, so that an attempt
  /// that came later keeps its own.
  func release(_ configs: [TopicName: [String: String]]) {
    var changes: [(TopicName, SourceFence.Change)] = []
    for (name, values) in configs.sorted(by: { $0.key < $1.key }) {
      let fences = [MirrorConfigs.fence, MirrorConfigs.commitFence].map { ($0, commaSeparated(values[$0] ?? "")) }
      for fence in Set(fences.flatMap(\.1)).sorted() {
        guard fence.hasPrefix("\(broker.clusterID):"),
          let attempt = Int32(fence.dropFirst(broker.clusterID.utf8.count + 1)),
          attempt <= order.attempt
        else { continue }
        let isOther = broker.plantedInMirroring == .opensWithAnotherNumber
        let word = isOther ? SourceFence.word(of: broker.clusterID, attempt + 1) : fence
        changes.append((name, .open(word, keys: fences.filter { $0.1.contains(fence) }.map(\.0))))
      }
    }
    if !changes.isEmpty { SourceFence(link, view).alter(changes) { _ in } }
  }
}

/// Since when the steps of a switchover are known to be done, in the memory of one controller.
final class SwitchoverMoments: Sendable {
  enum Stage: Hashable, Sendable {
    /// The source is closed, and all of its ends are known.
    case closed
    /// Every record is here, and no group commits at the source any more.
    case settled
  }
  private struct State {
    var attempt: Int32?
    var since: [Stage: Instant] = [:]
  }
  private let state = Mutex(State())

  /// For how long it was so at `moment`; nil where it is not.
  func note(_ stage: Stage, _ isSo: Bool, at moment: Instant, in attempt: Int32) -> TimeSpan? {
    let now = monotonicNow()
    return state.withLock { state in
      if state.attempt != attempt { state = State(attempt: attempt) }
      guard isSo else {
        state.since[stage] = nil
        return nil
      }
      let since = state.since[stage] ?? now
      state.since[stage] = since
      return moment - since
    }
  }
}
