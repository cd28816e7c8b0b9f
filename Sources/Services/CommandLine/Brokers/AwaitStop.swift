import EventLoop
import Glibc
import KafkaClient
import KafkaProtocol
import Vocabulary

let awaitStopCommand = Command(
  "brokers", "await-stop", "Waits until a broker may stop and every partition keeps its minimum in sync.",
  operands: "ID", count: 1...1,
  options: [.value("for", "SECONDS", "gives up after so long, with status 1 (60)"), .bootstrap], perform: awaitStop)

/// What a pod does before it stops. A broker that does not answer serves nobody: there is nothing to wait for.
private func awaitStop(_ arguments: Arguments, _ console: Console) async throws {
  let node = try Session.node(arguments.positionals[0])
  let pause: UInt64 = 500_000_000
  let seconds: Int64 = try arguments.number("for", in: 0...86_400) ?? 60
  let deadline = monotonicNow() + .seconds(seconds)
  var told: String?
  try await Session.run(arguments, retrying: .seconds(2)) { client in
    while true {
      let gate: StopGate
      do { gate = try await client.stopGate(for: node) } catch let unknown as UnknownBroker { throw unknown } catch {
        console.note("broker \(node.value) does not answer, so that nobody waits for it: \(error)")
        return
      }
      guard let obstacle = gate.obstacle else {
        return try console.write("broker \(node.value) may stop\n")
      }
      if told != obstacle { console.note("broker \(node.value) should not stop yet: \(obstacle)") }
      told = obstacle
      guard monotonicNow() < deadline else {
        throw Failure("broker \(node.value) could not stop safely within \(seconds) s: \(obstacle)")
      }
      try await Task.sleep(nanoseconds: pause)
    }
  }
}

private struct UnknownBroker: Error, CustomStringConvertible {
  let node: NodeID
  let known: [Int32]
  var description: String {
    "there is no broker \(node.value) in this cluster; there are \(known.sorted().map { String($0) }.joined(separator: ", "))"
  }
}

extension ClusterClient {
  /// Topics in one DescribeConfigs request.
  private static var topicsMax: Int { 500 }
  /// A voter that was at the leader's end within this time is caught up; in milliseconds.
  private static var caughtUpWithin: Int64 { 2000 }

  fileprivate func stopGate(for node: NodeID) async throws -> StopGate {
    let brokers = try await cluster().brokers
    guard brokers.contains(where: { $0.brokerID == node.value }) else {
      throw UnknownBroker(node: node, known: brokers.map(\.brokerID))
    }
    guard try await handsOver() else {
      return StopGate(node: node, partitions: [], quorum: nil, regions: [:], handsOver: false)
    }
    let regions = Dictionary(
      brokers.map { (NodeID($0.brokerID), $0.rack?.split(separator: "/").first.map(String.init) ?? "") }
    ) { first, _ in first }
    // A broker that is cut off from the quorum answers little else, and is waited for on account of that alone.
    guard let quorum = try? await stopQuorum() else {
      return StopGate(node: node, partitions: [], quorum: nil, regions: regions)
    }
    let topics = try await topics().filter { topic in
      topic.partitions.contains { $0.replicas.contains(node) }
    }
    var partitions: [StopGate.Partition] = []
    for start in stride(from: 0, to: topics.count, by: Self.topicsMax) {
      let chunk = topics[start..<min(start + Self.topicsMax, topics.count)]
      let rules = try await rules(of: chunk.map(\.name))
      for topic in chunk {
        let rule = rules[topic.name.text] ?? [:]
        for partition in topic.partitions where partition.replicas.contains(node) {
          let observers = Self.observers(partition.replicas, rule["placement.observers.per.region"] ?? "", regions)
          partitions.append(
            StopGate.Partition(
              name: "\(topic.name)-\(partition.index.value)",
              voters: partition.replicas.filter { !observers.contains($0) }, inSync: partition.inSync,
              replicasMin: rule["min.insync.replicas"].flatMap { Int($0) } ?? 1,
              regionsMin: rule["min.insync.regions"].flatMap { Int($0) } ?? 1))
        }
      }
    }
    return StopGate(node: node, partitions: partitions, quorum: quorum, regions: regions)
  }

  private func stopQuorum() async throws -> StopGate.Quorum {
    let quorum = try await quorum()
    let now = quorum.time ?? 0
    let caughtUp = quorum.voters.filter { voter in
      voter.id == quorum.leader || voter.lastCaughtUp.map { now - $0 < Self.caughtUpWithin } ?? false
    }
    return StopGate.Quorum(
      leader: quorum.leader.value >= 0 ? quorum.leader : nil, voters: quorum.voters.map(\.id),
      caughtUp: caughtUp.map(\.id))
  }

  /// What the topics' settings come to.
  private func rules(of topics: [TopicName]) async throws -> [String: [String: String]] {
    let request = DescribeConfigsRequest { request in
      request.resources = topics.map { topic in
        .init {
          $0.resourceType = 2
          $0.resourceName = topic.text
          $0.configurationKeys = ["min.insync.replicas", "min.insync.regions", "placement.observers.per.region"]
        }
      }
    }
    var found: [String: [String: String]] = [:]
    for result in try await sendToAny(request).response.results {
      // It was deleted meanwhile.
      guard result.errorCode != .unknownTopicOrPartition else { continue }
      guard result.errorCode == .none else {
        throw Failure("the settings of \(result.resourceName) cannot be read: \(result.errorCode)")
      }
      found[result.resourceName] = Dictionary(result.configs.map { ($0.name, $0.value ?? "") }) { first, _ in first }
    }
    return found
  }

  /// The last replicas of each Region that the topic's placement gives observers.
  private static func observers(_ replicas: [NodeID], _ text: String, _ regions: [NodeID: String]) -> [NodeID] {
    text.split(separator: ",").flatMap { entry -> [NodeID] in
      let parts = entry.split(separator: ":")
      guard parts.count == 2, let count = Int(parts[1]), count > 0 else { return [] }
      return replicas.filter { regions[$0] == String(parts[0]) }.suffix(count)
    }
  }
}
