import KafkaClient
import KafkaProtocol
import Vocabulary

/// Somebody who creates, deletes and moves what the others use.
extension BrokerSimulation {
  private static let patience = TimeSpan.seconds(3)
  private static let topicNames = ["apples", "pears"]

  func administer(_ number: Int, _ model: inout Model) {
    let pause = Int64(100 + stage.draw(700)) * BrokerStage.Spans.millisecond
    guard case .troubled = model.phase, !model.isPlotted else {
      // Where nothing is there to be written to, something must be able to come to be.
      if case .healing = model.phase, model.created.isEmpty { return createAny(number, pause, &model) }
      if case .checking = model.phase, options.layout == .voters { return checkVoters(number) }
      return again(number, after: pause)
    }
    let keys = model.clients[number].led
    if stage.happens(oneIn: keys.isEmpty ? 2 : 6) { return createAny(number, pause, &model) }
    if options.layout == .voters, stage.happens(oneIn: 2) { return changeVoters(number, pause / 4) }
    guard !keys.isEmpty else { return refresh(number) }
    let key = keys[stage.draw(keys.count)]
    switch stage.draw(8) {
    case 0 where stage.happens(oneIn: 2): delete(key, at: anyNode, &model) { self.again(number, after: pause) }
    case 1, 2, 3: reassign(key, number, pause, model)
    case 4, 5: elect(key, number, pause)
    default: refresh(number)
    }
  }

  private func createAny(_ number: Int, _ pause: Int64, _ model: inout Model) {
    let name = Self.topicNames[stage.draw(Self.topicNames.count)]
    create(name, partitions: Int32(1 + stage.draw(2)), at: anyNode) { self.again(number, after: pause) }
  }

  /// Asks that node for a topic; `then` is called when it has answered, or will not.
  func create(_ name: String, partitions: Int32, at node: Int32, then: @escaping @Sendable () -> Void) {
    let configs = options.layout.configs(of: name).sorted { $0.key < $1.key }
    let request = CreateTopicsRequest { request in
      request.timeoutMs = 2000
      request.topics = [
        .init {
          $0.name = name
          $0.numPartitions = partitions
          $0.replicationFactor = -1
          $0.configs = configs.map { key, value in
            .init {
              $0.name = key
              $0.value = value
            }
          }
        }
      ]
    }
    clients[Self.administrator].ask(request, of: node, within: Self.patience) { result in
      self.post { model in
        defer { then() }
        guard case .success(let answer) = result, let topic = answer.response.topics.first, topic.errorCode == .none
        else { return }
        self.stage.note("node-\(node) says that \(name) (\(topic.topicID)) is created")
        model.created[topic.topicID] = name
        model.seen.topicsCreated += 1
      }
    }
  }

  func delete(_ key: BrokerKey, at node: Int32, _ model: inout Model, then: @escaping @Sendable () -> Void) {
    // It may be gone whatever the answer is.
    model.created[key.topic] = nil
    let request = DeleteTopicsRequest { request in
      request.timeoutMs = 2000
      request.topicNames = [key.name]
      request.topics = [
        .init { topic in
          topic.name = nil
          topic.topicID = key.topic
        }
      ]
    }
    clients[Self.administrator].ask(request, of: node, within: Self.patience) { result in
      self.post { model in
        if case .success(let answer) = result, answer.response.responses.first?.errorCode == ErrorCode.none {
          model.seen.topicsDeleted += 1
        }
        then()
      }
    }
  }

  private func reassign(_ key: BrokerKey, _ number: Int, _ pause: Int64, _ model: Model) {
    // Where topics say where their copies are to be, only their order is free.
    let isPlaced = options.layout == .regions
    guard var replicas = isPlaced ? model.clients[number].leaders[key]?.replicas : brokers.map(\.id) else {
      return refresh(number)
    }
    // Two are enough for the minimum; another order makes another leader the preferred one.
    for place in replicas.indices { replicas.swapAt(place, stage.draw(replicas.count)) }
    if !isPlaced, replicas.count > 2, stage.happens(oneIn: 2) { replicas.removeLast() }
    let request = Self.reassignment([key: replicas])
    clients[number].ask(request, of: anyNode, within: Self.patience) { result in
      self.post { model in
        if case .success(let answer) = result, answer.response.errorCode == ErrorCode.none {
          model.seen.reassigned += 1
        }
        self.again(number, after: pause)
      }
    }
  }

  private static func reassignment(_ wanted: [BrokerKey: [Int32]]) -> AlterPartitionReassignmentsRequest {
    AlterPartitionReassignmentsRequest { request in
      request.timeoutMs = 2000
      request.topics = wanted.sorted { $0.key < $1.key }.map { key, replicas in
        .init {
          $0.name = key.name
          $0.partitions = [
            .init {
              $0.partitionIndex = key.partition
              $0.replicas = replicas
            }
          ]
        }
      }
    }
  }

  private static func election(_ keys: [BrokerKey]) -> ElectLeadersRequest {
    ElectLeadersRequest { request in
      request.timeoutMs = 2000
      request.topicPartitions = keys.map { key in
        .init {
          $0.topic = key.name
          $0.partitions = [key.partition]
        }
      }
    }
  }

  /// Another replica of each partition becomes the preferred leader, and is elected.
  func rotateLeaders(_ model: Model) {
    var wanted: [BrokerKey: [Int32]] = [:]
    for (key, leader) in model.clients[Self.consumer].leaders where key.name != "__consumer_offsets" {
      let others = leader.replicas.filter { $0 != leader.node }
      guard others.count + 1 == leader.replicas.count else { continue }
      wanted[key] = others + [leader.node]
    }
    let keys = wanted.keys.sorted()
    let node = anyNode
    guard !keys.isEmpty else { return }
    let administrator = clients[Self.administrator]
    administrator.ask(Self.reassignment(wanted), of: node, within: Self.patience) { _ in
      self.post { _ in
        administrator.ask(Self.election(keys), of: node, within: Self.patience) { result in
          self.post { model in
            if case .success(let answer) = result, answer.response.errorCode == .none { model.seen.elected += 1 }
          }
        }
      }
    }
  }

  private func elect(_ key: BrokerKey, _ number: Int, _ pause: Int64) {
    let request = Self.election([key])
    clients[number].ask(request, of: anyNode, within: Self.patience) { result in
      self.post { model in
        if case .success(let answer) = result, answer.response.errorCode == ErrorCode.none { model.seen.elected += 1 }
        self.again(number, after: pause)
      }
    }
  }
}
