public import Vocabulary

/// A topic at the source, as far as a mirror needs to know it.
public struct SourceTopic: Hashable, Sendable {
  public let name: TopicName
  public let id: UniqueID
  public let partitions: Int
  public let path: MirrorPath
  /// What was set on the topic itself.
  public let configs: [String: String]
  /// The mirror that writes it there; nil where clients do, so that it has come from nowhere else.
  public var link: String? { configs["mirror.link"] }
  public init(name: TopicName, id: UniqueID, partitions: Int, path: MirrorPath, configs: [String: String]) {
    self.name = name
    self.id = id
    self.partitions = partitions
    self.path = path
    self.configs = configs
  }
}

/// The topic of that name in this cluster.
public struct OwnTopic: Hashable, Sendable {
  public let id: UniqueID
  public let partitions: Int
  /// The mirror that writes it; nil when clients do.
  public let link: String?
  public let configs: [String: String]
  public init(id: UniqueID, partitions: Int, link: String?, configs: [String: String]) {
    self.id = id
    self.partitions = partitions
    self.link = link
    self.configs = configs
  }
}

public enum TopicStep: Hashable, Sendable {
  case create(path: MirrorPath, configs: [String: String])
  /// The topic of clients here becomes a copy of the one there, which came from it and has taken over. `shared` says of
  /// partitions, by index, up to where they are known to be the same.
  case giveUp(path: MirrorPath, generation: Int32, shared: [Int: Offset])
  case grow(to: Int)
  case configure(set: [String: String], unset: [String])
  /// The topic is left alone, for a reason that people are told.
  case leave(TopicProblem)
}

public enum TopicProblem: Hashable, Sendable {
  /// The path leads back to this cluster.
  case circle(MirrorPath)
  /// A topic of that name is written by clients here, or by another mirror.
  case nameIsTaken(by: String?)
  /// It was deleted at the source and made again.
  case madeAgain(UniqueID)
  case shrunk(to: Int)
  /// Kafka before 2.8 gives topics no ids: one that was made again could not be told from the old one.
  case hasNoID
  /// Fail-back: only who owns a topic can be gone back to.
  case isMirroredThere(by: String)
  case neverCameFromHere
  /// Fail-back: whoever owns the later generation has taken over; it is not the source.
  case isNotLater(own: Int32, source: Int32)

  public var description: String {
    switch self {
    case .circle(let path): "it comes from this very cluster, by \(path.clusters.joined(separator: ", "))"
    case .nameIsTaken(nil): "a topic of that name is written by clients here"
    case .nameIsTaken(let link?): "the mirror \(link) writes the topic of that name"
    case .madeAgain(let id): "the topic was deleted at the source and made again, with the id \(id)"
    case .shrunk(let count): "the source has only \(count) partitions of it"
    case .hasNoID: "the source gives it no topic id"
    case .isMirroredThere(let link): "the source does not own it: the mirror \(link) writes it there"
    case .neverCameFromHere: "the source's has not come from this cluster"
    case .isNotLater(let own, let source):
      "it is of generation \(own) here, and the source's of generation \(source) has not taken over from that"
    }
  }
}

/// What is to be done about a topic of the source. Pure: the same arguments give the same steps, and none when all is as
/// it should be.
/// - Parameter failsBack: whether topics that clients write here may become copies of what has taken over from them.
public func planTopic(
  _ source: SourceTopic, own: OwnTopic?, link: String, from cluster: String, into target: String,
  failsBack: Bool = false
) -> [TopicStep] {
  guard source.id != .zero else { return [.leave(.hasNoID)] }
  // What clients write there begins there, wherever it was copied from before: somebody who copies nothing closes no
  // circle.
  let came = source.link == nil ? MirrorPath([]) : source.path
  guard let path = came.leading(from: cluster, into: target) else { return [.leave(.circle(came))] }
  let wanted = source.configs.filter { isFollowed($0.key) }
  guard let own else { return [.create(path: path, configs: wanted)] }
  if failsBack, own.link == nil { return [planGivingUp(source, own, path, in: target)] }
  guard own.link == link else { return [.leave(.nameIsTaken(by: own.link))] }
  guard own.id == source.id else { return [.leave(.madeAgain(source.id))] }
  var steps: [TopicStep] = []
  if source.partitions > own.partitions { steps.append(.grow(to: source.partitions)) }
  if source.partitions < own.partitions { steps.append(.leave(.shrunk(to: source.partitions))) }
  let present = own.configs.filter { isFollowed($0.key) }
  let set = wanted.filter { present[$0.key] != $0.value }
  let unset = present.keys.filter { wanted[$0] == nil }.sorted()
  if !set.isEmpty || !unset.isEmpty { steps.append(.configure(set: set, unset: unset)) }
  return steps
}

/// One writer for each generation: a topic is given up only to one that clients write in a later generation, and that came
/// from here.
private func planGivingUp(
  _ source: SourceTopic, _ own: OwnTopic, _ path: MirrorPath, in target: String
) -> TopicStep {
  guard own.id == source.id else { return .leave(.madeAgain(source.id)) }
  if let link = source.link { return .leave(.isMirroredThere(by: link)) }
  guard source.path.clusters.contains(target) else { return .leave(.neverCameFromHere) }
  let (mine, theirs) = (ownershipGeneration(own.configs), ownershipGeneration(source.configs))
  guard theirs > mine else { return .leave(.isNotLater(own: mine, source: theirs)) }
  guard source.partitions >= own.partitions else { return .leave(.shrunk(to: source.partitions)) }
  let found = PartitionFinding.parse(source.configs["mirror.report"] ?? "")
  let shared = Dictionary(found.compactMap { index, finding in finding.map { (index, $0.end) } }) { first, _ in first }
  return .giveUp(path: path, generation: theirs, shared: shared)
}

/// The generation of a topic's owner: the report of the last change of sides says it, and before there was one it is 1.
public func ownershipGeneration(_ configs: [String: String]) -> Int32 {
  guard let report = configs["mirror.report"], report.hasPrefix("generation=") else { return 1 }
  return Int32(report.dropFirst("generation=".count).prefix { $0 != ";" }) ?? 1
}

/// Whether a copy has a setting as the source has it. What is about the places and the brokers of one cluster means nothing
/// in another one.
public func isFollowed(_ key: String) -> Bool {
  !key.hasPrefix("mirror.") && !key.hasPrefix("placement.") && !key.hasSuffix(".throttled.replicas")
    && key != "min.insync.regions"
}
