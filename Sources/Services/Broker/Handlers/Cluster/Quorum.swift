import KafkaProtocol
import Vocabulary

// What is asked of this node as a replica of the metadata log. `MetadataQuorum` answers.

extension Broker {
  /// Fetch of `__cluster_metadata`, v12–18: how followers and brokers copy it (KIP-595).
  func fetchMetadata(_ call: Call<FetchRequest>) {
    guard MetadataQuorum.isMeant(by: call.request) else {
      var response = FetchResponse()
      response.errorCode = .invalidRequest
      return call.answer(response)
    }
    quorum.fetch(call.request) { call.answer($0) }
  }

  /// FetchSnapshot, v0–1 (KIP-630).
  func fetchSnapshot(_ call: Call<FetchSnapshotRequest>) { quorum.fetchSnapshot(call.request) { call.answer($0) } }

  /// Vote, v0–2 (KIP-595, KIP-853, KIP-996).
  func vote(_ call: Call<VoteRequest>) { quorum.vote(call.request) { call.answer($0) } }

  /// BeginQuorumEpoch, v0–1 (KIP-595, KIP-853).
  func beginQuorumEpoch(_ call: Call<BeginQuorumEpochRequest>) {
    quorum.beginQuorumEpoch(call.request) { call.answer($0) }
  }

  /// EndQuorumEpoch, v0–1 (KIP-595, KIP-853).
  func endQuorumEpoch(_ call: Call<EndQuorumEpochRequest>) { quorum.endQuorumEpoch(call.request) { call.answer($0) } }

  /// UpdateRaftVoter, v0: a voter has another address or directory (KIP-853).
  func updateRaftVoter(_ call: Call<UpdateRaftVoterRequest>) {
    quorum.updateRaftVoter(call.request) { call.answer($0) }
  }

  /// AddRaftVoter, v0 (KIP-853).
  func addRaftVoter(_ call: Call<AddRaftVoterRequest>) { quorum.addRaftVoter(call.request) { call.answer($0) } }

  /// RemoveRaftVoter, v0 (KIP-853).
  func removeRaftVoter(_ call: Call<RemoveRaftVoterRequest>) {
    quorum.removeRaftVoter(call.request) { call.answer($0) }
  }

  /// DescribeQuorum, v0–2: who votes, who follows, and how far (KIP-836, KIP-853).
  func describeQuorum(_ call: Call<DescribeQuorumRequest>) { quorum.describeQuorum(call.request) { call.answer($0) } }
}
