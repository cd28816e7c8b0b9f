import JSONValue
public import KubernetesResources

/// Everything that is known about one Region object.
public struct RegionSituation: Sendable {
  public var region: Region
  public var mistakes: [Mistake] = []
  public var copies: [String: View<RecordedCopy<RegionStatus>>]
  /// What was found behind its access.
  public enum Contact: Hashable, Sendable {
    /// `uid` is that of the member's marker.
    case reached(member: String, uid: String? = nil, version: String, roundTripMilliseconds: Int)
    /// Another Kubernetes cluster than the Region's: what was recorded, what was found and how to go on.
    case another(why: String)
    /// In a sentence that says what to change, such as which verb on which resource is not allowed.
    case failed(since: String, why: String)
  }
  public var contact: Contact
  /// Other Regions by the member they are in: two with the same one need different node selectors.
  public var others: [(region: Region, member: String)] = []
  /// What API servers said no to about its copies.
  public var refused: [String] = []
  /// Brokers of all clusters there.
  public var brokers = Readiness()
  public var now: String
  public init(
    _ region: Region, copies: [String: View<RecordedCopy<RegionStatus>>], contact: Contact, now: String
  ) {
    self.region = region
    self.copies = copies
    self.contact = contact
    self.now = now
  }
}

public enum RegionReconciliation {
  private static let anotherCluster = "AnotherCluster"

  public static func plan(_ situation: RegionSituation) -> Plan {
    let region = situation.region
    let id = ObjectID(.region, region.metadata.namespace, region.metadata.name)
    var status = region.status
    status.brokers = situation.brokers
    var conditions: [Condition] = []
    let mistake = mistake(situation)
    switch situation.contact {
    case .reached(let member, let uid, let version, let roundTrip):
      status.member = member
      status.memberUID = uid ?? status.memberUID
      status.kubernetesVersion = version
      status.roundTrip = roundTripText(roundTrip)
      conditions.append(Condition("Reachable", .yes, "Answers", "Its API server answers."))
    case .another(let why):
      status.roundTrip = nil
      conditions.append(Condition("Reachable", .no, anotherCluster, why))
    case .failed(let since, let why):
      status.roundTrip = nil
      conditions.append(
        Condition("Reachable", .no, "NoAnswer", "Its API server has not done what was asked since \(since): \(why)"))
    }
    if let mistake {
      conditions.append(Condition("Ready", .no, "Mistake", mistake))
      conditions.append(Condition("Stalled", .yes, "Mistake", mistake))
    } else if case .another(let why) = situation.contact {
      conditions.append(Condition("Ready", .no, anotherCluster, why))
      conditions.append(Condition("Stalled", .yes, anotherCluster, why))
    } else {
      let reachable = conditions["Reachable"]
      conditions.append(
        reachable?.status == .yes
          ? Condition("Ready", .yes, "Usable", "Clusters can use it.")
          : Condition("Ready", .no, "NoAnswer", reachable?.message ?? ""))
      conditions.append(
        situation.refused.isEmpty
          ? Condition("Stalled", .no, "Works", "Nothing is in the way.")
          : Condition("Stalled", .yes, "Refused", RefusedSteps.text(situation.refused)))
    }
    var plan = Plan()
    for member in situation.copies.keys.sorted() {
      guard let copy = situation.copies[member]?.content else { continue }
      var new = status
      new.observedGeneration = copy.generation
      new.conditions = conditions.settled(
        after: copy.status.conditions, generation: copy.generation, now: situation.now)
      if new != copy.status { plan.steps.append(.writeStatus(id, new.json, member: member)) }
    }
    return plan
  }

  /// In steps that double, so that an ordinary flutter writes nothing.
  static func roundTripText(_ milliseconds: Int) -> String {
    var step = 10
    while step < milliseconds { step *= 2 }
    return milliseconds <= 10 ? "under 10ms" : "under \(step)ms"
  }

  private static func mistake(_ situation: RegionSituation) -> String? {
    if let mistake = situation.mistakes.first { return mistake.description }
    let region = situation.region
    guard TextForm.label.accepts(region.metadata.name) else {
      return "metadata.name is '\(region.metadata.name)', and has to be \(TextForm.label.words)."
    }
    guard case .reached(let member, _, _, _) = situation.contact else { return nil }
    let mine = region.spec.scheduling
    let twin = situation.others.sorted { $0.region.metadata.name < $1.region.metadata.name }.first { other in
      other.member == member && other.region.metadata.name != region.metadata.name
        && other.region.spec.scheduling.nodeSelector == mine.nodeSelector
    }
    guard let twin else { return nil }
    return
      "spec.access leads to the Kubernetes cluster \(member), where the Region \(twin.region.metadata.name) is already; "
      + "give the two different spec.scheduling.nodeSelector, or correct the kubeconfig."
  }
}
