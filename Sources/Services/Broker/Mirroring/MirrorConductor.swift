import ClusterMetadata
import EventLoop
import KafkaClient
import KafkaProtocol
import MirrorPlanning
import Synchronization
import Telemetry
import Vocabulary

/// What the active controller does for a mirror: makes the topics that the source has, keeps their partitions and
/// settings in step, and makes them this cluster's own after a failover. Everything that it decides stands in the
/// metadata, so that the next controller goes on where this one stopped.
final class MirrorConductor: Sendable {
  private static let interval = TimeSpan.seconds(1)
  /// Topics that are made in one change.
  private static let topicsPerChangeMax = 200

  private let name: String
  private unowned let broker: Broker
  private let state = Mutex(State())

  private struct State {
    var last = Instant(nanoseconds: 0)
    var isBusy = false
    var problems: [String: String] = [:]
    /// When this controller first saw that a failover was asked for.
    var failoverSeen: Instant?
    /// When the brokers were last asked what they know, for the metadata.
    var lastKeeping = Instant(nanoseconds: 0)
    /// Since when there is nothing more to give up in a fail-back.
    var givenUpSince: Instant?
  }
  private let moments = SwitchoverMoments()

  init(_ name: String, _ broker: Broker) {
    self.name = name
    self.broker = broker
  }

  /// What stands in the way, by topic; an empty name is for the mirror as a whole. In order.
  var problems: [(topic: String, problem: String)] {
    state.withLock { $0.problems.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
  }

  func tick(_ order: MirrorOrder, _ link: MirrorLink, _ image: MetadataImage) {
    guard broker.controller?.isActive == true, !order.isPromoted || order.isClosing else { return }
    let now = monotonicNow()
    let mayWork = state.withLock { state in
      let pause = order.changesSides ? Mirrors.hurry : Self.interval
      if order.state != .failover { state.failoverSeen = nil }
      if order.state != .failback { state.givenUpSince = nil }
      guard !state.isBusy, now - state.last >= pause else { return false }
      state.isBusy = true
      state.last = now
      return true
    }
    guard mayWork else { return }
    if order.isClosing { return close(order, link) }
    switch order.state {
    case .paused:
      guard order.mayOwe, let view = link.freshView else { return rest() }
      release(order, link, view, image)
    case .failover: failOver(order, link, image, now)
    case .switchover:
      guard let view = link.freshView, view.clusterID == order.sourceID else {
        note(["": "the source does not answer: a switchover needs it"])
        return rest()
      }
      // What diverges in the middle of it is set aside as well, and that waits for being written down.
      keepIfDue(order, now) { _ in
        MirrorSwitchover(self.broker, order, link, view).proceed(self.moments) { outcome in
          switch outcome {
          case .waits(let reason): self.note(["": reason])
          case .promoted: self.note([:])
          }
          self.rest()
        }
      }
    case .running, .failback:
      guard let view = link.freshView else {
        if order.state == .failback { note(["": "the source does not answer: a fail-back needs it"]) }
        return rest()
      }
      keepIfDue(order, now) { self.follow(order, link, view, image, $0) }
    }
  }

  /// What the brokers know is written into the metadata now and then. Passes on what they said, if they were asked.
  private func keepIfDue(
    _ order: MirrorOrder, _ now: Instant, then: @escaping @Sendable (MirrorSurvey?) -> Void
  ) {
    let pause =
      order.state == .failback ? .zero : order.setsAside || order.policy == .accept ? Self.interval : keepingInterval
    let isDue = state.withLock { state in
      guard now - state.lastKeeping >= pause else { return false }
      state.lastKeeping = now
      return true
    }
    guard isDue, !broker.image.topics(mirroredBy: name).isEmpty else { return then(nil) }
    MirrorKeeping(broker, name).proceed(then: then)
  }

  private func rest() { state.withLock { $0.isBusy = false } }

  private func note(_ problems: [String: String]) {
    let news = state.withLock { state in
      let news = problems.filter { state.problems[$0.key] != $0.value }
      state.problems = problems
      return news
    }
    for (topic, problem) in news.sorted(by: { $0.key < $1.key }) {
      broker.log.warning("a mirror leaves something out", ["mirror": name, "topic": topic, "reason": problem])
    }
  }

  // MARK: Following the source

  private func follow(
    _ order: MirrorOrder, _ link: MirrorLink, _ view: SourceCluster.View, _ image: MetadataImage,
    _ survey: MirrorSurvey?
  ) {
    if view.clusterID == broker.clusterID {
      note(["": "the source is this very cluster"])
      return rest()
    }
    guard let sourceID = order.sourceID else { return adopt(view.clusterID) }
    guard sourceID == view.clusterID else {
      note(["": "the cluster \(view.clusterID) answers where \(sourceID) was found before"])
      return rest()
    }
    let topics = view.topics.filter { name, topic in
      !topic.isInternal && !name.isInternal && order.topics.contains(name.text)
    }
    guard !topics.isEmpty else {
      note(order.state == .failback ? ["": "the source has none of the topics"] : [:])
      return rest()
    }
    SourceQuestions(link, view).askConfigs(of: topics.keys.sorted()) { configs in
      self.broker.pool.run {
        // What a switchover has closed that was given up.
        MirrorSwitchover(self.broker, order, link, view).release(configs.ofTopics)
        self.perform(order, view, topics, configs, survey)
      }
    }
  }

  /// Opens what a switchover has closed that was given up.
  private func release(
    _ order: MirrorOrder, _ link: MirrorLink, _ view: SourceCluster.View, _ image: MetadataImage
  ) {
    let names = image.topics(mirroredBy: name).map(\.name).filter { view.topics[$0] != nil }
    guard view.clusterID == order.sourceID, !names.isEmpty else { return rest() }
    SourceQuestions(link, view).askConfigs(of: names) { configs in
      self.broker.pool.run {
        MirrorSwitchover(self.broker, order, link, view).release(configs.ofTopics)
        self.rest()
      }
    }
  }

  private func adopt(_ sourceID: String) {
    var source = Chance()
    let (name, chance) = (name, UInt32.random(in: 0 ... .max, using: &source))
    broker.change { draft in
      draft.add(draft.image.adopt(sourceID, by: name, chance: chance))
    } then: { _ in
      self.rest()
    }
  }

  /// What one look at the topics of the source came to.
  private struct Followed: Sendable {
    var problems: [String: String] = [:]
    /// Topics that clients wrote here until now.
    var givenUp = 0
    /// Topics that nothing was done about, since the source did not say enough or there were too many.
    var isPartial = false
    /// Whether the metadata has a fail-back under way. They may be ahead of what this look began with.
    var failsBack = false
  }

  private func perform(
    _ order: MirrorOrder, _ view: SourceCluster.View, _ topics: [TopicName: SourceCluster.Topic],
    _ configs: SourceConfigs, _ survey: MirrorSurvey?
  ) {
    let (name, broker, own) = (name, broker, broker.clusterID)
    broker.change { draft in
      var followed = Followed()
      var changed = 0
      let mirror = draft.image.configs(of: .mirror(name))
      // It may have been deleted since the source was asked.
      guard mirror["bootstrap.servers"] != nil else { return followed }
      if let kind = configs.kind, kind != mirror[MirrorConfigs.sourceKind] {
        draft.add(draft.image.note([(MirrorConfigs.sourceKind, kind)], of: name))
      }
      followed.failsBack = mirror["state"] == MirrorOrder.State.failback.rawValue
      for (topicName, topic) in topics.sorted(by: { $0.key < $1.key }) {
        guard let values = configs.ofTopics[topicName], changed < Self.topicsPerChangeMax else {
          followed.isPartial = true
          continue
        }
        let before = draft.records.count
        let source = SourceTopic(
          name: topicName, id: topic.id, partitions: topic.partitions.count,
          path: MirrorPath(text: values["mirror.path"]), configs: values)
        let steps = planTopic(
          source, own: OwnTopic(topicName, in: draft.image), link: name, from: view.clusterID, into: own,
          failsBack: followed.failsBack)
        for step in steps {
          if case .giveUp = step { followed.givenUp += 1 }
          if let problem = Self.perform(step, topicName, topic, name, broker, &draft) {
            followed.problems[topicName.text] = problem
          }
        }
        if draft.image.configs(of: .topic(topicName.text))["mirror.link"] == name {
          draft.add(draft.image.raiseMirrored(topic.id, above: topic.partitions.map(\.epoch)))
        }
        if draft.records.count > before { changed += 1 }
      }
      return followed
    } then: { result in
      switch result {
      case .success(let followed) where order.state == .failback:
        // One that has ended meanwhile waits for nothing any more.
        if followed.failsBack { self.goBack(followed, survey) } else { self.rest() }
      case .success(let followed):
        self.note(followed.problems)
        self.rest()
      case .failure: self.rest()
      }
    }
  }

  // MARK: Failing back

  /// - Parameter survey: what the brokers said before the topics were looked at.
  private func goBack(_ followed: Followed, _ survey: MirrorSurvey?) {
    let now = monotonicNow()
    let since = state.withLock { state -> Instant? in
      if followed.givenUp > 0 || followed.isPartial {
        state.givenUpSince = nil
      } else if state.givenUpSince == nil {
        state.givenUpSince = now
      }
      return state.givenUpSince
    }
    let topics = Dictionary(
      broker.image.topics(mirroredBy: name).map { ($0.name, $0.partitions.count) }
    ) { first, _ in first }
    // The brokers were asked at the beginning of this look.
    let asked = state.withLock { $0.last }
    let step = planFailBack(topics: topics, statuses: survey?.statuses ?? [:], givenUpFor: since.map { asked - $0 })
    var problems = followed.problems
    switch step {
    case .done:
      note(problems)
      let name = name
      broker.change {
        $0.add($0.image.endFailBack(name))
      } then: { _ in
        self.rest()
      }
      broker.log.info("a mirror failed back", ["mirror": name, "topics": "\(topics.count)"])
    case .nothingToDo where since != nil:
      problems[""] = "the source has no topic that has taken over from one of this cluster"
      note(problems)
      rest()
    case .nothingToDo: rest()
    case .waitFor(let places, let reason):
      problems[""] = "\(places.count) partitions are not copied yet, \(reason)"
      note(problems)
      rest()
    }
  }

  /// What stood in the way, if something did.
  private static func perform(
    _ step: TopicStep, _ name: TopicName, _ topic: SourceCluster.Topic, _ link: String, _ broker: Broker,
    _ draft: inout MetadataDraft
  ) -> String? {
    func mirrored(_ configs: [String: String]) -> MirroredTopic {
      MirroredTopic(
        name: name, id: topic.id, epochs: topic.partitions.map(\.epoch), replicationFactor: topic.replicationFactor,
        configs: configs.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
    }
    switch step {
    case .leave(let problem): return problem.description
    case .create(let path, let configs):
      let known = configs.filter { TopicConfigs.check($0.key, $0.value) == nil }
      let answer = draft.add(
        draft.image.createMirrored(
          mirrored(known), by: link, path: path.clusters, defaults: broker.settings.topicDefaults))
      if case .failure(let refusal) = answer { return refusal.message }
      // Said once: other kinds of Kafka have settings that mean nothing here.
      let unknown = configs.keys.filter { TopicConfigs.byName[$0] == nil }.sorted()
      guard !unknown.isEmpty else { return nil }
      broker.log.info(
        "settings of a mirrored topic are not there in this cluster",
        ["mirror": link, "topic": name.text, "settings": unknown.joined(separator: ",")])
    case .giveUp(let path, let generation, let shared):
      let answer = draft.add(
        draft.image.giveUp(
          name, to: link, path: path.clusters, generation: generation, above: topic.partitions.map(\.epoch),
          shared: shared))
      if case .failure(let refusal) = answer { return refusal.message }
    case .grow:
      if case .failure(let refusal) = draft.add(draft.image.growMirrored(mirrored([:]))) { return refusal.message }
    case .configure(let set, let unset):
      var problem: String?
      let known = set.filter { TopicConfigs.byName[$0.key] != nil }.sorted { $0.key < $1.key }
      let changes = known.map { (key: $0.key, change: ConfigChange.set($0.value)) }
      for change in changes + unset.map({ (key: $0, change: ConfigChange.delete) }) {
        let answer = draft.add(
          draft.image.alter(.topic(name.text), [change], inherited: broker.inherited(draft.image)))
        if case .failure(let refusal) = answer { problem = refusal.message }
      }
      return problem
    }
    return nil
  }

  // MARK: Failing over

  /// Tells the old owner, whenever it is back, that it is none any more.
  private func close(_ order: MirrorOrder, _ link: MirrorLink) {
    guard let view = link.freshView else { return rest() }
    guard view.clusterID == order.sourceID else {
      note(["": "the cluster \(view.clusterID) answers where the source was"])
      return rest()
    }
    MirrorClosing(broker, order, link, view).proceed { problems in
      self.note(problems)
      self.rest()
    }
  }

  private func failOver(_ order: MirrorOrder, _ link: MirrorLink, _ image: MetadataImage, _ now: Instant) {
    let asked = state.withLock { state in
      let seen = state.failoverSeen ?? now
      state.failoverSeen = seen
      return seen
    }
    MirrorFindings(broker, name).survey { survey in
      self.broker.pool.run { self.promote(order, survey.findings(isFinal: true), asked) }
    }
  }

  private func promote(_ order: MirrorOrder, _ found: [TopicPartition: PartitionFinding], _ asked: Instant) {
    let (name, broker, now, time) = (name, broker, monotonicNow(), wallClockNow())
    broker.change { draft in
      let topics = Dictionary(
        draft.image.topics(mirroredBy: name).map { ($0.name, $0.partitions.count) }
      ) { first, _ in first }
      let mirror = draft.image.configs(of: .mirror(name))
      let step = planPromotion(
        isPromoted: mirror["promoted"] != nil, generation: order.generationBefore(broker.plantedInMirroring),
        topics: topics, found: found,
        asked: asked, now: now)
      if case .promote(let generation, let reports) = step {
        _ = draft.add(draft.image.promote(name, generation: generation, reports: reports, at: time))
      }
      return step
    } then: { result in
      if case .success(.promote(let generation, let reports)) = result {
        broker.log.warning(
          "a mirror failed over",
          ["mirror": name, "generation": "\(generation)", "topics": "\(reports.count)"])
      }
      self.rest()
    }
  }
}

extension OwnTopic {
  fileprivate init?(_ name: TopicName, in image: MetadataImage) {
    guard let topic = image.topic(named: name) else { return nil }
    let configs = image.configs(of: .topic(name.text))
    self.init(
      id: topic.id, partitions: topic.partitions.count, link: configs["mirror.link"], configs: configs)
  }
}
