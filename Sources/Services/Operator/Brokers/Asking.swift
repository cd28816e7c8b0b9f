import KafkaClient
import KafkaProtocol
import Reconciliation
import Vocabulary

extension Conversation {
  /// Does what a plan asks of the brokers. What is refused for one topic does not keep others waiting: what was refused
  /// is thrown in the end, and the next plan begins with what is left.
  func perform(_ request: BrokerRequest, controllerAddress: (NodeID) -> String?) async throws {
    defer { forgetFacts() }
    let client = try client()
    var refusals = Refusals()
    switch request {
    case .addVoter(let replica): try await addVoter(replica, at: controllerAddress(replica.id), client)
    case .removeVoter(let replica):
      let request = RemoveRaftVoterRequest {
        $0.clusterID = self.clusterID
        $0.voterID = replica.id.value
        $0.voterDirectoryID = replica.directory
      }
      let answer = try await client.sendToAny(request).response
      refusals.add("node \(replica)", answer.errorCode, answer.errorMessage, passing: [.voterNotFound])
    case .unregister(let node):
      let answer = try await client.sendToAny(UnregisterBrokerRequest { $0.brokerID = node.value }).response
      refusals.add("broker \(node)", answer.errorCode, answer.errorMessage, passing: [.brokerIdNotRegistered])
    case .setHandingOver(let isOn): try await setHandingOver(isOn, client, &refusals)
    case .reassign(let moves): try await reassign(moves, client, &refusals)
    case .createTopics(let topics): try await create(topics, client, &refusals)
    case .addPartitions(let topics): try await grow(topics, client, &refusals)
    case .alterTopics(let topics): try await alter(topics, client, &refusals)
    case .deleteTopics(let topics): try await delete(topics, client, &refusals)
    case .alterMirror(let one):
      let changes = one.changes.sorted { $0.key < $1.key }.map { ConfigChange.set($0.key, to: $0.value) }
      do throws(ClientError) {
        try await client.alterConfigs(of: .mirror(one.mirror), changes)
      } catch {
        guard case .refused(_, _, _, let code, let message) = error else { throw error }
        refusals.add("the mirror \(one.mirror)", code, message)
      }
    }
    if let failure = refusals.failure { throw failure }
  }

  private func addVoter(_ replica: ReplicaKey, at address: String?, _ client: ClusterClient) async throws {
    guard replica.directory != .zero, let address = address.flatMap({ BrokerAddress($0) }) else {
      throw Unknown("node \(replica) cannot become a voter: its directory or its address is not known.")
    }
    let request = AddRaftVoterRequest {
      $0.clusterID = self.clusterID
      $0.timeoutMs = Int32(Limits.requestSpan.milliseconds)
      $0.voterID = replica.id.value
      $0.voterDirectoryID = replica.directory
      $0.listeners = [
        .init {
          $0.name = "CONTROLLER"
          $0.host = address.host
          $0.port = address.port
        }
      ]
    }
    let answer = try await client.sendToAny(request).response
    var refusals = Refusals()
    refusals.add("node \(replica)", answer.errorCode, answer.errorMessage, passing: [.duplicateVoter])
    if let failure = refusals.failure { throw failure }
  }

  private func setHandingOver(_ isOn: Bool, _ client: ClusterClient, _ refusals: inout Refusals) async throws {
    let request = IncrementalAlterConfigsRequest {
      $0.resources = [
        .init {
          $0.resourceType = 4
          $0.resourceName = ""
          $0.configs = [
            .init {
              $0.name = ClusterClient.handOverKey
              $0.value = isOn ? nil : "false"
              $0.configOperation = isOn ? 1 : 0
            }
          ]
        }
      ]
    }
    for resource in try await client.sendToAny(request).response.responses {
      refusals.add(ClusterClient.handOverKey, resource.errorCode, resource.errorMessage)
    }
  }

  private func reassign(_ moves: [Reassignment], _ client: ClusterClient, _ refusals: inout Refusals) async throws {
    let byTopic = Dictionary(grouping: moves, by: \.topic)
    let request = AlterPartitionReassignmentsRequest {
      $0.timeoutMs = Int32(Limits.requestSpan.milliseconds)
      $0.topics = byTopic.keys.sorted().map { name in
        .init {
          $0.name = name
          $0.partitions = (byTopic[name] ?? []).map { move in
            .init {
              $0.partitionIndex = Int32(clamping: move.partition)
              $0.replicas = move.replicas.map(\.value)
            }
          }
        }
      }
    }
    let answer = try await client.call(request, to: .controller).response
    refusals.addAll("reassignments", answer.errorCode, answer.errorMessage)
    for topic in answer.responses {
      for partition in topic.partitions {
        refusals.add("\(topic.name)-\(partition.partitionIndex)", partition.errorCode, partition.errorMessage)
      }
    }
  }

  private func create(_ topics: [TopicCreation], _ client: ClusterClient, _ refusals: inout Refusals) async throws {
    for chunk in topics.chunks(of: Limits.topicsPerRequest) {
      let request = CreateTopicsRequest {
        $0.timeoutMs = Int32(Limits.requestSpan.milliseconds)
        $0.topics = chunk.map { topic in
          .init {
            $0.name = topic.name
            $0.numPartitions = Int32(clamping: topic.partitions)
            $0.replicationFactor = Int16(clamping: topic.replicationFactor ?? -1)
            $0.configs = topic.config.sorted { $0.key < $1.key }.map { key, value in
              .init {
                $0.name = key
                $0.value = value
              }
            }
          }
        }
      }
      for topic in try await client.call(request, to: .controller).response.topics {
        refusals.add(topic.name, topic.errorCode, topic.errorMessage, passing: [.topicAlreadyExists])
      }
    }
  }

  private func grow(_ topics: [PartitionIncrease], _ client: ClusterClient, _ refusals: inout Refusals) async throws {
    for chunk in topics.chunks(of: Limits.topicsPerRequest) {
      let request = CreatePartitionsRequest {
        $0.timeoutMs = Int32(Limits.requestSpan.milliseconds)
        $0.topics = chunk.map { topic in
          .init {
            $0.name = topic.topic
            $0.count = Int32(clamping: topic.partitions)
            $0.assignments = nil
          }
        }
      }
      for topic in try await client.call(request, to: .controller).response.results {
        refusals.add(topic.name, topic.errorCode, topic.errorMessage)
      }
    }
  }

  private func alter(_ topics: [TopicAlteration], _ client: ClusterClient, _ refusals: inout Refusals) async throws {
    for chunk in topics.chunks(of: Limits.topicsPerRequest) {
      let request = IncrementalAlterConfigsRequest {
        $0.resources = chunk.map { topic in
          .init {
            $0.resourceType = 2
            $0.resourceName = topic.topic
            $0.configs = topic.changes.sorted { $0.key < $1.key }.map { key, value in
              .init {
                $0.name = key
                $0.value = value
                $0.configOperation = value == nil ? 1 : 0
              }
            }
          }
        }
      }
      for topic in try await client.call(request, to: .controller).response.responses {
        refusals.add(topic.resourceName, topic.errorCode, topic.errorMessage)
      }
    }
  }

  /// By id, so that a topic that was made again under the same name is left alone.
  private func delete(_ topics: [TopicDeletion], _ client: ClusterClient, _ refusals: inout Refusals) async throws {
    let metadata = try await client.refreshMetadata(nil, remembersTopics: false)
    let present = Dictionary(metadata.topics.map { ($0.name ?? "", $0.topicID) }) { first, _ in first }
    for chunk in topics.chunks(of: Limits.topicsPerRequest) {
      let ids = chunk.compactMap { topic in present[topic.topic].flatMap { "\($0)" == topic.id ? $0 : nil } }
      guard !ids.isEmpty else { continue }
      let request = DeleteTopicsRequest {
        $0.timeoutMs = Int32(Limits.requestSpan.milliseconds)
        $0.topics = ids.map { id in
          .init {
            $0.name = nil
            $0.topicID = id
          }
        }
      }
      for topic in try await client.call(request, to: .controller).response.responses {
        let name = topic.name ?? chunk.first { $0.id == "\(topic.topicID)" }?.topic ?? "\(topic.topicID)"
        refusals.add(name, topic.errorCode, topic.errorMessage, passing: [.unknownTopicId])
      }
    }
  }
}

/// What brokers said no to.
struct Refusals {
  /// Codes that stay as long as nobody changes what is asked for, or what forbids it. All others pass by themselves.
  private static let lasting: Set<ErrorCode> = [
    .invalidConfig, .policyViolation, .invalidReplicationFactor, .invalidPartitions, .invalidReplicaAssignment,
    .invalidTopicException, .invalidRequest, .topicAuthorizationFailed, .clusterAuthorizationFailed, .securityDisabled,
    .topicDeletionDisabled, .unsupportedVersion, .invalidVoterKey, .inconsistentVoterSet,
  ]
  private var firstPassing: String?
  /// By what was asked about; nil is for all of it.
  private var refused: [String?: String] = [:]

  mutating func add(_ subject: String, _ code: ErrorCode, _ message: String?, passing: Set<ErrorCode> = []) {
    note(subject, subject, code, message, passing)
  }
  /// What is said of a whole request.
  mutating func addAll(_ what: String, _ code: ErrorCode, _ message: String?) { note(nil, what, code, message, []) }

  private mutating func note(
    _ subject: String?, _ what: String, _ code: ErrorCode, _ message: String?, _ passing: Set<ErrorCode>
  ) {
    guard code != .none, !passing.contains(code) else { return }
    let words = "\(what): \(code)\(message.map { $0.isEmpty ? "" : ": \($0)" } ?? "")"
    if Self.lasting.contains(code) {
      refused[subject] = refused[subject] ?? words
    } else {
      firstPassing = firstPassing ?? words
    }
  }

  /// What is thrown; nil where everything was done.
  var failure: RequestFailure? {
    guard firstPassing != nil || !refused.isEmpty else { return nil }
    return RequestFailure(passing: firstPassing, refused: refused)
  }
}

/// What did not come of a request. The rest of it was done.
struct RequestFailure: Error, CustomStringConvertible {
  /// What may be asked for again at once; nil where nothing is of that kind.
  let passing: String?
  fileprivate let refused: [String?: String]

  fileprivate init(passing: String?, refused: [String?: String]) {
    self.passing = passing
    self.refused = refused
  }

  /// What was said of the parts of a request that will be refused again.
  func words(of request: BrokerRequest) -> [BrokerRequest: String] {
    let any = refused.sorted { ($0.key ?? "") < ($1.key ?? "") }.first?.value
    var words: [BrokerRequest: String] = [:]
    for (subject, part) in request.parts {
      // Where there is one answer, it is about whatever was asked.
      words[part] = if let subject { refused[subject] ?? refused[nil] } else { any }
    }
    return words
  }

  var description: String {
    let all = refused.sorted { ($0.key ?? "") < ($1.key ?? "") }.map(\.value)
    return ([passing].compactMap { $0 } + all).first ?? "it was refused"
  }
}
