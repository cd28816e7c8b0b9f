import JSONValue
import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// The longest name of a StatefulSet: its pods carry it in a label with ten characters more.
  static let setNameMax = 52
  /// Settings that the operator decides; in `spec.config` they would contradict it.
  static let ownKeys: Set<String> = [
    "node.id", "broker.id", "process.roles", "listeners", "advertised.listeners", "listener.security.protocol.map",
    "controller.listener.names", "inter.broker.listener.name", "controller.quorum.voters",
    "controller.quorum.bootstrap.servers", "broker.rack", "log.dirs", "log.dir", "cluster.id", "metrics.listener",
    "metrics.port",
  ]

  /// What the schema cannot refuse by itself, or an old API server did not. Sorted.
  var mistakes: [Mistake] {
    (situation.mistakes + namingMistakes + regionMistakes + listenerMistakes + quorumMistakes + providerMistakes
      + storageMistakes + identityMistakes)
      .sorted()
  }

  private var namingMistakes: [Mistake] {
    var found: [Mistake] = []
    let name = cluster.metadata.name
    if !TextForm.label.accepts(name) {
      found.append(Mistake("metadata.name", "is '\(name)', and has to be \(TextForm.label.words)."))
    }
    for node in wanted where node.name.utf8.count > Self.setNameMax {
      found.append(
        Mistake(
          "metadata.name",
          "makes the name '\(node.name)', which is longer than \(Self.setNameMax) characters; take shorter names of cluster and Region."
        )
      )
      break
    }
    for key in cluster.spec.config.keys.sorted() where Self.ownKeys.contains(key) {
      found.append(Mistake("spec.config.\(key)", "is decided by the operator; take it out."))
    }
    return found
  }

  private var regionMistakes: [Mistake] {
    var found: [Mistake] = []
    if wanted.allSatisfy({ !$0.isBroker }) {
      found.append(Mistake("spec.regions", "has no brokers; at least one Region needs brokers of 1 or more."))
    }
    if wanted.allSatisfy({ !$0.isController }) {
      found.append(Mistake("spec.regions", "has no controllers; at least one Region needs controllers of 1 or more."))
    }
    let known = situation.regions.map(\.metadata.name).sorted()
    for (place, share) in cluster.spec.regions.enumerated() where region(share.name) == nil {
      let there = known.isEmpty ? "there is none in this namespace" : "there are \(listed(known))"
      found.append(Mistake("spec.regions[\(place)].name", "is '\(share.name)', and there is no such Region; \(there)."))
    }
    for share in cluster.spec.regions {
      guard let region = region(share.name), region.spec.network.type == .hostTemplate else { continue }
      let template = region.spec.network.hostTemplate ?? ""
      if !template.contains("{pod}"), !template.contains("{ordinal}") {
        found.append(
          Mistake(
            "spec.network.hostTemplate",
            "of the Region \(share.name) is '\(template)', and has to have {pod} or {ordinal} in it."))
      }
    }
    return found
  }

  private var listenerMistakes: [Mistake] {
    var found: [Mistake] = []
    var ports: [Int: String] = [Self.controllerPort: "the controllers", Self.metricsPort: "metrics"]
    for (place, listener) in listeners.enumerated() {
      if let other = ports[listener.port] {
        found.append(
          Mistake("spec.listeners[\(place)].port", "is \(listener.port), which is taken by \(other); take another."))
      }
      ports[listener.port] = "the listener \(listener.name)"
      if listener.name.uppercased() == Self.controllerListener {
        found.append(
          Mistake(
            "spec.listeners[\(place)].name", "is '\(listener.name)', which is the controllers' own; take another."))
      }
      if listener.tls || listener.authentication != .none {
        found.append(
          Mistake(
            "spec.listeners[\(place)]",
            "asks for TLS or authentication, which brokers of this version do not serve; set tls: false and authentication: none."
          ))
      }
    }
    return found
  }

  /// In every Region, or of every provider, fewer voters than a majority, where the loss of one is to be survived.
  private var quorumMistakes: [Mistake] {
    let survive = cluster.spec.durability.survive
    guard survive != .broker else { return [] }
    func place(_ share: RegionShare) -> String {
      survive == .provider ? situation.regions.provider(of: share.name) : share.name
    }
    let voters = wanted.filter(\.isController)
    let majority = voters.count / 2 + 1
    let shares = cluster.spec.regions.filter { $0.controllers > 0 }
    for share in shares {
      let left = voters.count - shares.filter { place($0) == place(share) }.reduce(0) { $0 + $1.controllers }
      guard left < majority else { continue }
      let cure =
        survive == .provider
        ? "spread them over three providers (spec.provider of the Regions), none with half of them or more, or set spec.durability.survive: Region."
        : "spread them over three Regions, such as 1-1-1 or 2-2-1, or set spec.durability.survive: Broker."
      let layout = shares.map { share in
        survive == .provider
          ? "\(share.name) (\(place(share))) \(share.controllers)" : "\(share.name) \(share.controllers)"
      }
      return [
        Mistake(
          "spec.regions",
          "has the controllers \(layout.joined(separator: ", ")): without \(place(share)) \(left) of \(voters.count) are left, and \(majority) are needed; \(cure)"
        )
      ]
    }
    return []
  }

  /// Records that survive one provider are in more Regions than it has. Where these are all there are, writing would
  /// stop with any Region, which is less than without this.
  private var providerMistakes: [Mistake] {
    let shares = cluster.spec.regions.filter { $0.brokers > 0 }
    guard cluster.spec.durability.survive == .provider else { return [] }
    let groups = Dictionary(grouping: shares) { situation.regions.provider(of: $0.name) }
    guard let (name, mine) = groups.min(by: { ($1.value.count, $0.key) < ($0.value.count, $1.key) }), mine.count > 1,
      shares.count <= mine.count + 1
    else { return [] }
    return [
      Mistake(
        "spec.durability.survive",
        "is Provider, and \(name) has \(mine.count) of the \(shares.count) Regions with brokers: every record would have to be in \(mine.count + 1) Regions, and writing would stop without any one; let other providers have brokers in \(mine.count) Regions or more, or \(name) in one, or set Region."
      )
    ]
  }

  private var storageMistakes: [Mistake] {
    var found: [Mistake] = []
    for (place, share) in cluster.spec.regions.enumerated() {
      for node in wanted where node.region == share.name {
        guard let has = claimSize(of: node), let old = Quantity(has), let new = Quantity(share.storage.size), new < old
        else { continue }
        found.append(
          Mistake(
            "spec.regions[\(place)].storage.size",
            "is \(share.storage.size), and \(node.name) has \(has) already: volumes never shrink; set \(has) or more."))
        break
      }
    }
    return found
  }

  /// Two members that recorded different ids are two clusters: nothing is touched.
  private var identityMistakes: [Mistake] {
    let ids = situation.copies.keys.sorted().compactMap { member in
      situation.copies[member]?.content?.status.clusterID.map { (member, $0) }
    }
    guard let first = ids.first, let other = ids.first(where: { $0.1 != first.1 }) else { return [] }
    return [
      Mistake(
        "status.clusterID",
        "is \(first.1) in \(first.0) and \(other.1) in \(other.0): these are two clusters with one name; rename one of them."
      )
    ]
  }

  /// How large the volume of a node is asked to be now; nil where there is none or it cannot be seen.
  func claimSize(of node: Node) -> String? {
    objects(in: node.region)?.objects[ObjectID(.claim, namespace, claimName(node))]?["spec"]["resources"]["requests"][
      "storage"
    ].string
  }

  func claimName(_ node: Node) -> String { "data-\(node.name)" }
}
