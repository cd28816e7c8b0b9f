import KafkaClient
import KafkaProtocol
import KubernetesAPI
import MirrorPlanning
import Reconciliation
import Vocabulary

extension Conversation {
  /// What every broker says about these mirrors. Those that no broker knows are left out; where nobody answers nothing is
  /// known.
  func mirrors(_ names: [String], on brokers: View<BrokerFacts>, now: String) async -> View<[String: MirrorFacts]> {
    let nodes: [NodeID]
    switch brokers {
    case .unknown(let since, let why): return .unknown(since: since, why: why)
    case .seen(let facts): nodes = facts.brokers.filter { !$0.isFenced }.map(\.id)
    }
    do {
      let client = try client()
      let answers = await withTaskGroup(of: (NodeID, [String: [DescribeConfigsResponse.Config]]?).self) { group in
        for node in nodes { group.addTask { (node, await self.configs(of: names, from: node, client)) } }
        return await group.reduce(into: []) { $0.append($1) }
      }
      guard answers.contains(where: { $0.1 != nil }) else {
        throw Unknown("no broker says how its mirrors are.")
      }
      var found: [String: MirrorFacts] = [:]
      for name in names {
        let said = answers.sorted { $0.0 < $1.0 }.map { ($0.0, $0.1?[name], $0.1 == nil) }
        guard said.contains(where: { $0.1 != nil }) else { continue }
        found[name] = Self.facts(said)
      }
      return .seen(found)
    } catch {
      return .unknown(since: now, why: "\(error)")
    }
  }

  /// Of mirrors that a broker does not know there is nothing; nil where it does not answer.
  private func configs(
    of names: [String], from node: NodeID, _ client: ClusterClient
  ) async -> [String: [DescribeConfigsResponse.Config]]? {
    var found: [String: [DescribeConfigsResponse.Config]] = [:]
    for name in names {
      do throws(ClientError) {
        found[name] = try await client.configs(of: .mirror(name), from: node)
      } catch {
        guard case .refused(_, _, _, .resourceNotFound, _) = error else { return nil }
      }
    }
    return found
  }

  private static func facts(
    _ said: [(node: NodeID, configs: [DescribeConfigsResponse.Config]?, isSilent: Bool)]
  ) -> MirrorFacts {
    var facts = MirrorFacts()
    var promoted: [String?] = []
    for (node, configs, isSilent) in said {
      if isSilent { facts.silent.append(node) }
      guard let configs else { continue }
      promoted.append(configs.first { $0.name == "promoted" }?.value)
      for config in configs {
        guard let value = config.value else { continue }
        if config.name.hasPrefix(statusPrefix) {
          if let place = place(config.name.dropFirst(statusPrefix.count)), let status = PartitionStatus(text: value) {
            facts.partitions[place] = status
          }
        } else if config.name.hasPrefix(problemPrefix) {
          facts.problems[String(config.name.dropFirst(problemPrefix.count))] = value
        } else if !config.name.hasPrefix("status.") {
          // A broker that has not read yet that it is done may still be at it.
          if config.name == "state", facts.settings["state"] == "failback" { continue }
          facts.settings[config.name] = value
        }
      }
    }
    // A broker that has not read of it yet still refuses writes.
    if !promoted.contains(nil), let time = promoted.first?.flatMap({ Int64($0) }) {
      facts.promoted = KubernetesTime.text(Timestamp(milliseconds: time))
    }
    return facts
  }

  private static let statusPrefix = "status.partition."
  private static let problemPrefix = "status.problem."

  private static func place(_ text: Substring) -> TopicPartition? {
    guard let dash = text.lastIndex(of: "-"), let name = TopicName(String(text[..<dash])),
      let index = Int32(text[text.index(after: dash)...]), index >= 0
    else { return nil }
    return TopicPartition(name, PartitionIndex(index))
  }
}
