public import JSONValue
public import KubernetesResources

/// One resource as every member has it.
public struct CopySituation: Sendable {
  public var id: ObjectID
  /// The object in each member; nil where the member was seen and has none.
  public var members: [String: View<JSON?>]
  /// Whether everything that has to go before an object that is being deleted is gone.
  public var mayGo: Bool
  /// Members that a deletion does not wait for: whoever deletes the only Region that leads to a member says that it is
  /// gone for good.
  public var givenUp: Set<String>
  /// What an object that is being deleted waits for, as far as that is worth saying: a sentence each.
  public var waitsFor: [String] = []
  /// Members that were given up at some time and are back, and when that was: what is in them from before is not
  /// followed (`Departure`).
  public var left: [String: String] = [:]
  /// RFC 3339. Only written where something changes.
  public var now = ""
  public init(_ id: ObjectID, members: [String: View<JSON?>], mayGo: Bool, givenUp: Set<String> = []) {
    self.id = id
    self.members = members
    self.mayGo = mayGo
    self.givenUp = givenUp
  }
}

/// What is wanted, and what has to be copied for it.
public struct CopyPlan: Hashable, Sendable {
  /// The original, or where it cannot be seen the newest copy of it. Nil where no member that was seen has the object.
  public var truth: JSON?
  /// The member in which people edit it.
  public var origin: String?
  public var plan = Plan()
  /// When the original was created, known also where only copies are seen: the older of two wins.
  public var created: String?
  /// Members whose object of that name is another one, which somebody applied there. Its status is not that of the truth.
  public var others: Set<String> = []
}

/// Every resource has a copy in every member, so that no member is the one whose loss stops management.
///
/// The original is the object without the label `Marks.origin`; a copy's label names the original's member. An original
/// carries a finalizer: it is gone on purpose only after somebody was seen to delete it. One that is missing without
/// that was lost with its member's data, and comes back from the copies.
///
/// A copy vouches for its original once it has a status. A request to make a copy may arrive long after its operator
/// stopped to lead, when the original has been deleted, and nothing fences it; a status is written over a version that
/// was seen, by an operator that leads, so that what came late has none.
public enum CopyReconciliation {
  public static func plan(_ situation: CopySituation) -> CopyPlan {
    var result = CopyPlan()
    let seen = situation.members.keys.sorted().compactMap { member -> Held? in
      guard case .seen(let object?) = situation.members[member] else { return nil }
      return Held(member: member, object: object)
    }
    guard let origin = origin(among: followed(seen, situation)) else {
      takeAway(seen, situation, into: &result.plan)
      return result
    }
    result.origin = origin.member
    result.truth = origin.truth
    result.created = origin.created
    if let original = origin.original, original.meta.isBeingDeleted {
      remove(original, seen, situation, into: &result.plan)
      return result
    }
    for member in situation.members.keys.sorted() {
      guard case .seen(let present) = situation.members[member] else { continue }
      write(origin, present, to: member, situation, into: &result)
    }
    return result
  }

  struct Held {
    let member: String
    let object: JSON
    var meta: ObjectMeta { ObjectMeta(object) }
    /// The member that a copy names; nil for an original.
    var origin: String? { meta.labels[Marks.origin].flatMap { $0 == member ? nil : $0 } }
    /// An original that was lost and is being made again, which names itself: the first of two writes.
    var isMadeAgain: Bool { meta.labels[Marks.origin] == member }
    var conditions: [Condition] {
      var ignored: [Mistake] = []
      return object["status"]["conditions"].elements.map { Condition(reading: $0, at: "", mistakes: &ignored) }
    }
    /// Whether it is a copy that was there while an operator led that had seen it.
    var vouches: Bool {
      let hasStatus = object["status"].object.map { !$0.isEmpty } ?? false
      return origin != nil && (hasStatus || PlantedMistake.planted == .lateCopyVouches)
    }
  }

  struct Origin {
    let member: String
    /// Nil where it cannot be seen, or was lost.
    let original: Held?
    let truth: JSON
    let created: String
    let generation: String
  }

  /// Who is the original. Copies that vouch for one decide; else it is the oldest object without the label.
  private static func origin(among seen: [Held]) -> Origin? {
    let copies = seen.filter(\.vouches)
    let named = Set(copies.compactMap(\.origin))
    let originals = seen.filter { $0.origin == nil && (!$0.isMadeAgain || named.contains($0.member)) }
    let byAge = originals.sorted {
      ($0.meta.creationTimestamp ?? "", $0.member) < ($1.meta.creationTimestamp ?? "", $1.member)
    }
    if let original = byAge.first(where: { named.contains($0.member) }) ?? (named.isEmpty ? byAge.first : nil) {
      return Origin(
        member: original.member, original: original, truth: original.object,
        created: original.meta.creationTimestamp ?? "", generation: "\(original.meta.generation)")
    }
    let newest = copies.max { (generation($0), $1.member) < (generation($1), $0.member) }
    guard let newest, let member = newest.origin else { return nil }
    return Origin(
      member: member, original: nil, truth: newest.object,
      created: newest.meta.annotations[Marks.originCreated] ?? newest.meta.creationTimestamp ?? "",
      generation: newest.meta.annotations[Marks.originGeneration] ?? "0")
  }

  /// All but what was left behind in a member that was given up. An original there that copies elsewhere still name was
  /// neither deleted nor given another home meanwhile, and is one as before.
  private static func followed(_ seen: [Held], _ situation: CopySituation) -> [Held] {
    guard !situation.left.isEmpty else { return seen }
    let named = Set(seen.filter { $0.vouches && !isLeftBehind($0, situation) }.compactMap(\.origin))
    return seen.filter { !isLeftBehind($0, situation) || ($0.origin == nil && named.contains($0.member)) }
  }

  private static func isLeftBehind(_ held: Held, _ situation: CopySituation) -> Bool {
    guard let since = situation.left[held.member], PlantedMistake.planted != .returnedIsFollowed else { return false }
    return (held.meta.creationTimestamp ?? "") <= since
  }

  /// What people applied in a member that was given up is theirs: it is not followed, says so, and may be deleted.
  private static func report(_ held: Held, _ situation: CopySituation, into plan: inout Plan) {
    let words =
      "The member \(held.member) was given up at \(situation.left[held.member] ?? ""), and this is from before; apply it in "
      + "another member, or delete it and apply it again."
    if let status = stalled(held, "LeftBehind", words, situation) { plan.steps.append(status) }
  }

  /// What nobody vouches for came late. It goes as soon as it is certain that nobody can: a copy once its original is
  /// seen not to be there, an original that was made again once all members can be seen.
  private static func takeAway(_ seen: [Held], _ situation: CopySituation, into plan: inout Plan) {
    for held in seen {
      let isStale = isLeftBehind(held, situation)
      if isStale, held.origin == nil, !held.meta.isBeingDeleted {
        report(held, situation, into: &plan)
        continue
      }
      let isCertain = isStale || isCertainlyLate(held, situation)
      guard isCertain else {
        plan.waits.append("\(situation.id) in \(held.member) is followed once its original can be seen.")
        continue
      }
      drop(held, situation.id, into: &plan)
    }
  }

  private static func isCertainlyLate(_ held: Held, _ situation: CopySituation) -> Bool {
    if let origin = held.origin { return situation.members[origin]?.content != nil }
    return situation.members.values.allSatisfy { $0.content != nil }
  }

  /// It goes, also where it was an original before and has the finalizer of one.
  private static func drop(_ held: Held, _ id: ObjectID, into plan: inout Plan) {
    if held.meta.finalizers.contains(Marks.finalizer) {
      let others = held.meta.finalizers.filter { $0 != Marks.finalizer }
      plan.steps.append(.setFinalizers(id, others, member: held.member))
    } else if !held.meta.isBeingDeleted {
      plan.steps.append(.delete(id, uid: held.meta.uid, member: held.member))
    }
  }

  private static func generation(_ held: Held) -> Int {
    held.meta.annotations[Marks.originGeneration].flatMap { Int($0) } ?? 0
  }

  private static func write(
    _ origin: Origin, _ present: JSON?, to member: String, _ situation: CopySituation, into result: inout CopyPlan
  ) {
    guard member != origin.member else {
      keep(origin, present, situation, into: &result.plan)
      return
    }
    let copy = copy(of: origin, in: member, situation.id)
    guard let present else {
      result.plan.steps.append(.apply(copy, member: member))
      return
    }
    let held = Held(member: member, object: present)
    guard !held.meta.isBeingDeleted else { return drop(held, situation.id, into: &result.plan) }
    let isSame = present["spec"] == copy["spec"]
    let isStale = isLeftBehind(held, situation)
    if held.origin == nil, !held.isMadeAgain, !isStale, !isSame {
      // Somebody applied another object with the same name here. It is theirs to take away.
      result.plan.waits.append(
        "\(situation.id) in \(member) differs from the one in \(origin.member) that was there first; edit that one, and delete this one."
      )
      result.plan.steps += conflict(held, origin, situation)
      result.others.insert(member)
      return
    }
    guard !isSame || !present.holds(copy) else { return }
    if !isSame, isStale {
      result.plan.steps.append(
        .event(
          situation.id, .warning, reason: "LeftBehind",
          message: "\(member) was given up, and what it had is replaced; edit the original in \(origin.member)."))
    } else if !isSame, held.meta.annotations[Marks.originGeneration] == origin.generation {
      result.plan.steps.append(
        .event(
          situation.id, .warning, reason: "CopyPutBack",
          message: "The copy in \(member) was edited and is put back; edit the original in \(origin.member)."))
    }
    result.plan.steps.append(.apply(copy, member: member))
  }

  /// The original itself: given its finalizer, or made again where it was lost. Making it again takes two writes, so
  /// that one that comes late can be told from what somebody applied: the second one takes away that it names itself.
  private static func keep(_ origin: Origin, _ present: JSON?, _ situation: CopySituation, into plan: inout Plan) {
    if let original = origin.original {
      if original.isMadeAgain {
        plan.steps.append(.apply(again(origin, situation.id, named: nil), member: origin.member))
      } else if !original.meta.finalizers.contains(Marks.finalizer) {
        plan.steps.append(
          .setFinalizers(situation.id, original.meta.finalizers + [Marks.finalizer], member: origin.member))
      }
      return
    }
    guard present == nil else { return }
    plan.steps.append(.apply(again(origin, situation.id, named: origin.member), member: origin.member))
    plan.steps.append(
      .event(
        situation.id, .warning, reason: "MadeAgain",
        message:
          "The original in \(origin.member) was missing without having been deleted, and is made again from a copy."))
  }

  private static func again(_ origin: Origin, _ id: ObjectID, named: String?) -> JSON {
    var meta = ObjectMeta(origin.truth)
    meta.labels[Marks.origin] = named
    meta.annotations[Marks.originCreated] = nil
    meta.annotations[Marks.originGeneration] = nil
    meta.finalizers = [Marks.finalizer]
    return Build.object(id.kind, meta, [("spec", origin.truth["spec"])])
  }

  private static func copy(of origin: Origin, in member: String, _ id: ObjectID) -> JSON {
    let truth = ObjectMeta(origin.truth)
    var meta = ObjectMeta(name: id.name, namespace: id.namespace)
    meta.labels = truth.labels.filter { !isTracked(by: $0.key) }
    meta.labels[Marks.origin] = origin.member
    meta.annotations = truth.annotations.filter { $0.key == Marks.pause }
    meta.annotations[Marks.originCreated] = origin.created
    meta.annotations[Marks.originGeneration] = origin.generation
    return Build.object(id.kind, meta, [("spec", origin.truth["spec"])])
  }

  /// Whether a label says which application or repository an object comes from. That is true of the original alone: a GitOps
  /// tool in the copy's cluster that knows something of the same name would delete the copy as not in its repository.
  private static func isTracked(by label: String) -> Bool {
    ["app.kubernetes.io/instance", "argocd.argoproj.io/instance"].contains(label)
      || ["kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/"].contains { label.hasPrefix($0) }
  }

  /// Said once, in an Event and in its conditions.
  private static func conflict(_ held: Held, _ origin: Origin, _ situation: CopySituation) -> [Step] {
    let words =
      "\(situation.id) was applied in \(held.member) and in \(origin.member) with different specs; the one in "
      + "\(origin.member) counts. Edit that one, and delete this one."
    guard let status = stalled(held, "AppliedTwice", words, situation) else { return [] }
    return [status, .event(situation.id, .warning, reason: "AppliedTwice", message: words)]
  }

  /// That an object is not followed, and why; nil where it says so.
  private static func stalled(_ held: Held, _ reason: String, _ words: String, _ situation: CopySituation) -> Step? {
    let before = held.object["status"]["conditions"].elements
    guard !before.contains(where: { $0["type"].string == "Stalled" && $0["reason"].string == reason }) else {
      return nil
    }
    let conditions = [
      Condition("Ready", .no, reason, words), Condition("Stalled", .yes, reason, words),
      Condition("Reconciling", .no, "UpToDate", "Nothing is being done."),
    ].settled(after: [], generation: held.meta.generation, now: situation.now)
    var status = held.object["status"]
    status["conditions"] = .array(conditions.map(\.json))
    return .writeStatus(situation.id, status, member: held.member)
  }

  /// Copies go first, in every member; the original keeps its finalizer until nobody can have one any more.
  private static func remove(
    _ original: Held, _ seen: [Held], _ situation: CopySituation, into plan: inout Plan
  ) {
    guard original.meta.finalizers.contains(Marks.finalizer) else { return }
    guard situation.mayGo else {
      plan.waits.append("\(situation.id) goes once what belongs to it is gone.")
      guard !situation.waitsFor.isEmpty else { return }
      let copies = seen.filter { $0.vouches && $0.origin == original.member && !$0.meta.isBeingDeleted }
      sayThatItWaits([original] + copies, RefusedSteps.text(situation.waitsFor), situation, into: &plan)
      return
    }
    let unknown = situation.members.keys.sorted().filter {
      situation.members[$0]?.content == nil && !situation.givenUp.contains($0)
    }
    for held in seen where held.member != original.member { drop(held, situation.id, into: &plan) }
    let copies = PlantedMistake.planted == .finalizerBeforeCopies ? 0 : seen.count { $0.member != original.member }
    if copies == 0, unknown.isEmpty || PlantedMistake.planted == .unknownIsAbsent {
      plan.steps.append(
        .setFinalizers(
          situation.id, original.meta.finalizers.filter { $0 != Marks.finalizer }, member: original.member))
    } else if !unknown.isEmpty {
      let words = "\(situation.id) goes once \(listed(unknown)) can be seen: a copy there would bring it back."
      plan.waits.append(words)
      let remedy = " Delete the Region that leads there if it is gone for good."
      sayThatItWaits([original], words + remedy, situation, into: &plan)
    }
  }

  /// What is being deleted and is still there says what it waits for, once: it would look as well as before.
  private static func sayThatItWaits(
    _ all: [Held], _ words: String, _ situation: CopySituation, into plan: inout Plan
  ) {
    var isNews = false
    for held in all {
      let before = held.conditions
      let said = [
        Condition("Ready", .no, "Deleting", words), Condition("Reconciling", .yes, "Deleting", words),
        Condition("Stalled", .no, "Works", "Nothing is in the way."),
      ]
      let others = before.filter { said[$0.type] == nil }
      let new = (said + others).settled(after: before, generation: held.meta.generation, now: situation.now)
      guard new != before else { continue }
      isNews = isNews || before["Ready"]?.reason != "Deleting"
      var status = held.object["status"]
      status["observedGeneration"] = JSON(held.meta.generation)
      status["conditions"] = .array(new.map(\.json))
      plan.steps.append(.writeStatus(situation.id, status, member: held.member))
    }
    if isNews { plan.steps.append(.event(situation.id, .normal, reason: "Deleting", message: words)) }
  }
}
