public import JSONValue
import KubernetesResources

/// What API servers and brokers said no to, and will say no to again until a person changes something: a quota, an
/// admission webhook, a right that is missing, a value that brokers do not take. What passes by itself is none of it.
///
/// It is kept by the step itself: a plan that asks for something else, or for nothing more, has nothing to do with it.
public struct RefusedSteps: Hashable, Sendable {
  /// What was said, in a sentence without its end. Of a request about several topics there is one for each.
  public var words: [Step: String] = [:]
  /// What was said of steps that come from another plan about the same thing, such as its copies.
  public var besides: [String] = []
  public init() {}

  func words(of request: BrokerRequest) -> String? { words.isEmpty ? nil : words[.ask(request)] }

  /// What was said of the steps of a plan.
  public func words(of plan: Plan) -> [String] {
    guard !words.isEmpty else { return besides }
    return besides + plan.steps.flatMap(\.parts).compactMap { words[$0] }
  }

  /// Whether a step would be done if it were tried now, as far as is known.
  func isOpen(_ step: Step) -> Bool { words.isEmpty || step.parts.contains { words[$0] == nil } }

  func isOpen(_ move: Reassignment) -> Bool { isOpen(.ask(.reassign([move]))) }

  /// Such sentences as one text for a condition.
  static func text(_ sentences: [String]) -> String {
    let shown = sentences.prefix(ReconciliationLimits.namesInSentenceMax).map { $0.hasSuffix(".") ? $0 : $0 + "." }
    let rest = sentences.count - shown.count
    return shown.joined(separator: " ") + (rest > 0 ? " \(rest) more were refused." : "")
  }
}

extension Step {
  /// What of it can be refused by itself.
  public var parts: [Step] {
    guard case .ask(let request) = self else { return [kept] }
    return request.parts.map { .ask($0.request) }
  }

  /// What it is known by when it was refused. A status says when conditions turned, so that it is another one each time.
  public var kept: Step {
    guard case .writeStatus(let id, _, let member) = self else { return self }
    return .writeStatus(id, .null, member: member)
  }
}

extension BrokerRequest {
  /// What of it the brokers answer by itself, with the name that they are asked about; nil where there is only one answer.
  public var parts: [(subject: String?, request: BrokerRequest)] {
    switch self {
    case .addVoter, .removeVoter, .unregister, .setHandingOver, .alterMirror: [(nil, self)]
    case .reassign(let moves): moves.map { ("\($0.topic)-\($0.partition)", .reassign([$0])) }
    case .createTopics(let topics): topics.map { ($0.name, .createTopics([$0])) }
    case .addPartitions(let topics): topics.map { ($0.topic, .addPartitions([$0])) }
    case .alterTopics(let topics): topics.map { ($0.topic, .alterTopics([$0])) }
    case .deleteTopics(let topics): topics.map { ($0.topic, .deleteTopics([$0])) }
    }
  }

  /// The request without the parts that are not meant; nil where nothing is left.
  public func keeping(_ isMeant: (BrokerRequest) -> Bool) -> BrokerRequest? {
    func kept<Item>(_ items: [Item], _ request: ([Item]) -> BrokerRequest) -> BrokerRequest? {
      let left = items.filter { isMeant(request([$0])) }
      return left.isEmpty ? nil : request(left)
    }
    switch self {
    case .addVoter, .removeVoter, .unregister, .setHandingOver, .alterMirror: return isMeant(self) ? self : nil
    case .reassign(let moves): return kept(moves, BrokerRequest.reassign)
    case .createTopics(let topics): return kept(topics, BrokerRequest.createTopics)
    case .addPartitions(let topics): return kept(topics, BrokerRequest.addPartitions)
    case .alterTopics(let topics): return kept(topics, BrokerRequest.alterTopics)
    case .deleteTopics(let topics): return kept(topics, BrokerRequest.deleteTopics)
    }
  }
}

extension Step {
  /// What in the same member builds on a step, and must not come about where that was refused.
  public enum Dependants: Hashable, Sendable {
    case none
    /// Steps about the same node, or the same resource.
    case group(String)
    /// Everything but statuses: these say what was refused.
    case all
  }

  /// The node or the resource that it is about; nil for what a Region has besides its nodes.
  public var group: String? {
    guard let id = object else { return nil }
    switch id.kind {
    case .claim: return id.name.hasPrefix("data-") ? String(id.name.dropFirst(5)) : id.name
    case .pod: return id.name.hasSuffix("-0") ? String(id.name.dropLast(2)) : id.name
    case .service, .serviceExport, .configMap, .statefulSet: return id.name
    case .kafkaTopic, .kafkaMirror: return "\(id)"
    default: return nil
    }
  }

  /// `present` is what stands there. What has been there before serves those who build on it as it did: a volume that
  /// may not grow is a volume.
  public func dependants(present: JSON?) -> Dependants {
    let group = group.map(Dependants.group) ?? .none
    switch self {
    case .event, .ask, .tell, .restart, .writeStatus: return .none
    case .delete: return group
    case .setFinalizers(let id, _, _):
      // What has no finalizer yet would leave behind whatever were made for it.
      return id.kind == .region || id.kind == .kafkaCluster ? .all : group
    case .apply(let object, _):
      guard let kind = ObjectID(object)?.kind else { return .none }
      switch kind {
      case .claim: return present == nil ? group : .none
      case .region, .kafkaCluster, .serviceAccount, .networkPolicy: return present == nil ? .all : .none
      case .configMap where object["metadata"]["labels"][Marks.node].isNull:
        // It records what must be known before anything else goes.
        return .all
      default: return group
      }
    }
  }
}
