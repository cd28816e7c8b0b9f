import EventLoop
import JSONValue
import KubernetesAPI
import KubernetesResources
import Reconciliation
import Synchronization
import Telemetry
import Vocabulary

extension Reconciler {
  /// Figures that change all the time are written once in this time, where nothing else has changed.
  private static let measuringPause = TimeSpan.seconds(5)

  func mirrors(into target: ObjectKey, _ key: WorkKey, _ before: Sights) async throws(Undone) -> TimeSpan? {
    guard !before.mirrors(into: target).isEmpty else { return nil }
    let asked = await ask(about: before.mirrors(into: target), into: target, before)
    // Asking may have taken seconds: what mirrors and clusters are by now is what counts.
    let sights = asked == nil ? before : Sights(membership)
    let situation = asked.flatMap { lookAgain(target, after: $0.situation, sights) }
    let keys = sights.mirrors(into: target)
    let late = lateCopies(keys, Kinds.mirrors, sights)
    var wanted = keys.compactMap { self.wanted($0, into: target, sights) }
    var plan = Plan()
    var gone = Set(wanted.map(\.id))
    var waitsFor: [ObjectID: [String]] = [:]
    if let asked, let situation {
      // Of a mirror that was applied meanwhile nothing is known, not even that there is none. Its change brings the next
      // round.
      wanted.removeAll { !asked.names.contains($0.mirror.mirrorName) }
      var mirrors = MirrorSituation(
        cluster: situation.cluster, brokers: situation.brokers, facts: asked.facts, now: now)
      mirrors.mirrors = wanted
      mirrors.refused = performer.refusals(of: key)
      let result = MirrorReconciliation.plan(mirrors)
      plan = result.plan
      (gone, waitsFor) = (result.gone, result.waitsFor)
    } else {
      for mirror in wanted { plan.steps += orphaned(mirror, target) }
    }
    var copied: [Step] = []
    for mirror in wanted {
      let mayGo = gone.contains(mirror.id)
      let copies = sights.copies(of: mirror.id, mayGo: mayGo, waitsFor: waitsFor[mirror.id] ?? []).plan
      copied += copies.steps
      plan.waits += copies.waits
    }
    plan.steps = late.steps + copied + plan.steps
    plan.waits += late.waits
    remember(plan.steps)
    let conversation = conversation(target)
    let performed = await performer.perform(plan.steps, for: key, sights) { request in
      try await conversation.perform(request) { _ in nil }
    }
    log.debug(
      "looked at mirrors", ["into": target, "steps": plan.steps.count, "waits": plan.waits.joined(separator: " ")])
    performer.endRound(key)
    return try pause(after: performed, plan.waits, key)
  }

  /// What brokers were asked about mirrors, and what they said.
  private struct Asked {
    var situation: ClusterSituation
    let names: [String]
    let facts: View<[String: MirrorFacts]>
  }

  /// Nil where there is no cluster to ask.
  private func ask(about keys: [ObjectKey], into target: ObjectKey, _ sights: Sights) async -> Asked? {
    let id = ObjectID(.kafkaCluster, target.namespace, target.name)
    guard let truth = sights.copies(of: id, mayGo: false).truth else { return nil }
    var found = situation(target, truth, sights)
    await addBrokers(to: &found, target)
    let wanted = keys.compactMap { self.wanted($0, into: target, sights) }
    let names = wanted.map(\.mirror.mirrorName)
    let facts = await conversation(target).mirrors(names, on: found.brokers, now: now)
    if hasNewReports(wanted, facts) {
      // What topics say was asked before their mirror was seen to be done.
      conversation(target).forgetTopics()
      await addBrokers(to: &found, target)
    }
    return Asked(situation: found, names: names, facts: facts)
  }

  /// The KafkaMirrors that make topics in a cluster.
  func makers(in cluster: ObjectKey, _ sights: Sights) -> [TopicMaker] {
    sights.mirrors(into: cluster).compactMap { key in
      let id = ObjectID(.kafkaMirror, key.namespace, key.name)
      return sights.copies(of: id, mayGo: false).truth.flatMap { TopicMaker(KafkaMirror.read($0).resource) }
    }
  }

  private func wanted(_ mirror: ObjectKey, into target: ObjectKey, _ sights: Sights) -> WantedMirror? {
    let id = ObjectID(.kafkaMirror, mirror.namespace, mirror.name)
    let copies = sights.copies(of: id, mayGo: false)
    guard let truth = copies.truth, Self.target(of: truth) == target else { return nil }
    let (resource, mistakes) = KafkaMirror.read(truth)
    var wanted = WantedMirror(
      resource, mistakes: mistakes, created: copies.created ?? "", source: source(of: resource, sights),
      copies: sights.records(of: id, as: KafkaMirror.self, without: copies.others))
    let last = measured.withLock { $0[mirror] }
    wanted.mayMeasure = last.map { monotonicNow() - $0 >= Self.measuringPause } ?? true
    return wanted
  }

  /// Whether a mirror was promoted whose report is not recorded yet.
  private func hasNewReports(_ wanted: [WantedMirror], _ facts: View<[String: MirrorFacts]>) -> Bool {
    wanted.contains { mirror in
      guard let present = facts.content?[mirror.mirror.mirrorName], present.promoted != nil else { return false }
      return mirror.recorded?.lastPromotion?.generation != present.generation
    }
  }

  private func source(of mirror: KafkaMirror, _ sights: Sights) -> WantedMirror.Source {
    guard let reference = mirror.spec.source.cluster else { return .given(mirror.spec.source.bootstrapServers) }
    let id = ObjectID(.kafkaCluster, reference.namespace ?? mirror.metadata.namespace, reference.name)
    guard let truth = sights.copies(of: id, mayGo: false).truth else { return .noSuchCluster(id) }
    return .cluster(id, bootstrapServers: KafkaCluster.read(truth).resource.status.bootstrapServers)
  }

  private func remember(_ steps: [Step]) {
    measured.withLock { measured in
      for case .writeStatus(let id, _, _) in steps where id.kind == .kafkaMirror { measured[id.key] = monotonicNow() }
    }
  }

  /// A mirror into a cluster that is not there says so.
  private func orphaned(_ wanted: WantedMirror, _ cluster: ObjectKey) -> [Step] {
    let words = "spec.target names the KafkaCluster \(cluster), and there is none; apply it, or correct the name."
    return wanted.copies.keys.sorted().compactMap { member in
      guard let copy = wanted.copies[member]?.content, !wanted.mirror.metadata.isBeingDeleted else { return nil }
      var status = copy.status
      status.observedGeneration = copy.generation
      status.conditions = [
        Condition("Ready", .no, "NoSuchCluster", words), Condition("Stalled", .yes, "NoSuchCluster", words),
        Condition("Reconciling", .no, "UpToDate", "Nothing is being done."),
      ].settled(after: copy.status.conditions, generation: copy.generation, now: now)
      return status == copy.status ? nil : .writeStatus(wanted.id, status.json, member: member)
    }
  }
}
