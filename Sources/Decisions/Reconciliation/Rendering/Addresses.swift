import JSONValue
import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// Where others reach a node on one of its ports. Nil until it is known.
  struct Endpoint: Hashable {
    var host: String, port: Int
    var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    /// The host of such a text.
    static func host(of text: Substring) -> String? {
      text.lastIndex(of: ":").map { String(text[..<$0].drop { $0 == "[" }.prefix { $0 != "]" }) }
    }
  }

  func networkType(_ region: String) -> RegionNetwork.Kind { self.region(region)?.spec.network.type ?? .podIP }

  /// What clients, other brokers and other controllers are told, by listener; nil where nodes tell their own address (PodIP).
  /// A controller says of itself where it is (KIP-853), and what it says goes before what others were configured with.
  func advertised(_ node: Node) -> [(listener: String, endpoint: Endpoint?)]? {
    guard networkType(node.region) != .podIP else { return nil }
    let clients = (node.isBroker ? listeners : []).map { ($0.name.uppercased(), $0.port) }
    return (clients + (node.isController ? [(Self.controllerListener, Self.controllerPort)] : []))
      .map { ($0, endpoint(of: node, port: $1)) }
  }

  /// Where other controllers and brokers reach a controller.
  func controllerEndpoint(_ node: Node) -> Endpoint? {
    if networkType(node.region) == .podIP {
      // A pod that has just gone comes back elsewhere; until then its last address stays, so that the text does not
      // change twice.
      let now = pod(of: node).flatMap { $0.state == .stopping ? nil : $0.address }
      return now.map { Endpoint(host: $0, port: Self.controllerPort) } ?? lastWritten(node)
    }
    return endpoint(of: node, port: Self.controllerPort) ?? lastWritten(node)
  }

  private func endpoint(of node: Node, port: Int) -> Endpoint? {
    let service = objects(in: node.region)?.objects[ObjectID(.service, namespace, node.name)]
    switch networkType(node.region) {
    case .podIP: return pod(of: node)?.address.map { Endpoint(host: $0, port: port) }
    case .multiClusterService:
      return Endpoint(host: "\(node.name).\(namespace).svc.clusterset.local", port: port)
    case .hostTemplate:
      let template = region(node.region)?.spec.network.hostTemplate ?? ""
      let host = template.replacing("{pod}", node.podName).replacing("{ordinal}", "\(node.ordinal)")
        .replacing("{region}", node.region).replacing("{cluster}", name).replacing("{namespace}", namespace)
      return Endpoint(host: host, port: port)
    case .loadBalancer:
      let ingress = service?["status"]["loadBalancer"]["ingress"][0]
      return (ingress?["hostname"].string ?? ingress?["ip"].string).map { Endpoint(host: $0, port: port) }
    case .nodePort:
      let found = service?["spec"]["ports"].elements.first { $0["port"].int == port }?["nodePort"].int
      guard let found, found > 0, let host = machineAddress(for: node) else { return nil }
      return Endpoint(host: host, port: found)
    }
  }

  /// The address that was told last stays while its machine works: each change of it is a restart. It also stays where the
  /// pod itself is on that machine, since no other address brings back who is on a dead one, and where no machine is
  /// said to work: then it is more likely that nobody hears of them.
  private func machineAddress(for node: Node) -> String? {
    guard let machines = objects(in: node.region)?.machines, !machines.isEmpty else { return nil }
    let told = properties(of: node)?["advertised.listeners"]?.split(separator: ",").first
      .flatMap { $0.split(separator: "/").last }.flatMap { Endpoint.host(of: $0) }
    let home = pod(of: node)?.machine.flatMap { machines[$0] }
    let working = machines.filter(\.value.isReady)
    if let told, let teller = machines.values.first(where: { $0.address == told }) {
      if teller.isReady || working.isEmpty || home?.address == told { return told }
    }
    if let home, home.isReady || working.isEmpty { return home.address }
    // Before there is a pod, or where its machine does not work: not one machine for all of them.
    let offered = working.filter(\.value.isOffered)
    let choice = [offered, working, machines].first { !$0.isEmpty } ?? [:]
    return choice.sorted { $0.key < $1.key }.map(\.value.address)[node.ordinal % choice.count]
  }

  /// What stands in the node's ConfigMap now.
  func properties(of node: Node) -> [String: String]? {
    let map = objects(in: node.region)?.objects[ObjectID(.configMap, namespace, node.name)]
    return map?["data"]["server.properties"].string.map(PropertiesText.parse)
  }

  /// The address of a controller as any ConfigMap that can be seen has it.
  private func lastWritten(_ node: Node) -> Endpoint? {
    for other in nodes {
      guard let properties = properties(of: other) else { continue }
      for entry in (properties["controller.quorum.voters"] ?? "").split(separator: ",") {
        let parts = entry.split(separator: "@", maxSplits: 1)
        guard parts.count == 2, parts[0] == "\(node.id.value)", let host = Endpoint.host(of: parts[1]),
          let port = parts[1].split(separator: ":").last.flatMap({ Int($0) })
        else { continue }
        return Endpoint(host: host, port: port)
      }
    }
    return nil
  }

  /// Whether what is exported in a Region is heard of elsewhere.
  func offersExports(_ region: String) -> Bool { objects(in: region)?.hasServiceExports ?? true }

  /// Whether everything a node is told at its start is known, so that its pod can be made.
  func canStart(_ node: Node) -> Bool {
    // A name that leads nowhere would be told to everybody.
    if networkType(node.region) == .multiClusterService, !offersExports(node.region) { return false }
    return advertised(node)?.allSatisfy { $0.endpoint != nil } ?? true
  }

  /// Addresses of brokers, sorted: every Region's are there, so that no one Region is the door.
  var bootstrapServers: [String] {
    guard let first = listeners.first else { return [] }
    return wanted.filter(\.isBroker).compactMap { node in
      endpoint(of: node, port: first.port)?.text
        ?? situation.brokers.content?.brokers.first { $0.id == node.id }?.address
    }.sorted()
  }
}

extension String {
  /// This text with each place of another replaced; the standard library has none without Foundation.
  func replacing(_ part: String, _ other: String) -> String {
    var result = ""
    var rest = self[...]
    while !rest.isEmpty {
      if rest.hasPrefix(part) {
        result += other
        rest = rest.dropFirst(part.count)
      } else {
        result.append(rest.removeFirst())
      }
    }
    return result
  }
}

/// `key=value` lines, sorted by key.
enum PropertiesText {
  static func text(_ values: [String: String]) -> String {
    values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }.joined()
  }
  static func parse(_ text: String) -> [String: String] {
    var values: [String: String] = [:]
    for line in text.split(separator: "\n") {
      guard let equals = line.firstIndex(of: "=") else { continue }
      values[String(line[..<equals])] = String(line[line.index(after: equals)...])
    }
    return values
  }
}
