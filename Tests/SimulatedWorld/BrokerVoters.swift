import KafkaClient
import KafkaProtocol
import Vocabulary

/// Voters that the administrator adds and removes.
extension BrokerSimulation {
  private static let patience = TimeSpan.seconds(3)
  /// Fewer are not asked for: one that is away for good would be missed.
  private static let votersMin = 2

  /// Makes a controller a voter that is none, or the other way round.
  func changeVoters(_ number: Int, _ pause: Int64) {
    describeQuorum(number) { quorum, model in
      guard let quorum else { return self.again(number, after: pause) }
      let controllers = Set(self.machines.filter(\.isController).map(\.id))
      let newcomers = quorum.observers.filter { controllers.contains($0.replicaID) }
      let voters = quorum.currentVoters
      if !newcomers.isEmpty, voters.count <= Self.votersMin || self.stage.happens(oneIn: 2) {
        self.add(newcomers[self.stage.draw(newcomers.count)], number, pause)
      } else if voters.count > Self.votersMin {
        self.remove(voters[self.stage.draw(voters.count)], number, pause)
      } else {
        self.again(number, after: pause)
      }
    }
  }

  /// Whoever was last said to be added votes, and whoever was said to be removed does not.
  func checkVoters(_ number: Int) {
    describeQuorum(number) { quorum, model in
      defer { self.again(number) }
      guard let quorum else { return }
      let voters = Set(quorum.currentVoters.map(\.replicaID))
      for (id, votes) in model.voters.sorted(by: { $0.key < $1.key }) where !model.doubtfulVoters.contains(id) {
        guard voters.contains(id) != votes else { continue }
        self.stage.fail("the voter \(id) was \(votes ? "added" : "removed"), and the voters are \(voters.sorted())")
      }
      model.checkedVoters = true
    }
  }

  /// - Parameter then: is given nil where nobody answers.
  private func describeQuorum(
    _ number: Int, then: @escaping @Sendable (DescribeQuorumResponse.Partition?, inout Model) -> Void
  ) {
    let request = DescribeQuorumRequest { request in
      request.topics = [
        .init {
          $0.topicName = "__cluster_metadata"
          $0.partitions = [.init { $0.partitionIndex = 0 }]
        }
      ]
    }
    clients[number].ask(request, of: anyNode, within: Self.patience) { result in
      self.post { model in
        guard case .success(let answer) = result, let quorum = answer.response.topics.first?.partitions.first,
          quorum.errorCode == .none
        else { return then(nil, &model) }
        then(quorum, &model)
      }
    }
  }

  private func add(_ newcomer: DescribeQuorumResponse.ReplicaState, _ number: Int, _ pause: Int64) {
    let request = AddRaftVoterRequest { request in
      request.clusterID = BrokerLayout.clusterID
      request.timeoutMs = 2000
      request.voterID = newcomer.replicaID
      request.voterDirectoryID = newcomer.replicaDirectoryID
      request.listeners = [
        .init {
          $0.name = BrokerLayout.controllerListener
          $0.host = "node-\(newcomer.replicaID)"
          $0.port = BrokerLayout.controllerPort
        }
      ]
    }
    clients[number].ask(request, of: anyNode, within: Self.patience) { result in
      self.changed(newcomer.replicaID, votes: true, result.map(\.response.errorCode), number, pause)
    }
  }

  private func remove(_ voter: DescribeQuorumResponse.ReplicaState, _ number: Int, _ pause: Int64) {
    let request = RemoveRaftVoterRequest {
      $0.clusterID = BrokerLayout.clusterID
      $0.voterID = voter.replicaID
      $0.voterDirectoryID = voter.replicaDirectoryID
    }
    clients[number].ask(request, of: anyNode, within: Self.patience) { result in
      self.changed(voter.replicaID, votes: false, result.map(\.response.errorCode), number, pause)
    }
  }

  private func changed(
    _ voter: Int32, votes: Bool, _ result: Result<ErrorCode, ClientError>, _ number: Int, _ pause: Int64
  ) {
    post { model in
      self.stage.note("the voter \(voter) is to be \(votes ? "added" : "removed"): \(result)")
      if case .success(.none) = result {
        model.seen.voterChanges += 1
        model.voters[voter] = votes
      } else {
        // It may still come to be.
        model.doubtfulVoters.insert(voter)
      }
      self.again(number, after: pause)
    }
  }
}
