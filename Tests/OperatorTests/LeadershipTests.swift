import EventLoop
import JSONValue
import KubernetesAPI
import LocalKubernetes
import Telemetry
import Testing
import Vocabulary

@testable import Operator

/// Candidates at the Leases of some API servers, without anything else of an operator.
@Suite(.serialized) struct LeadershipTests {
  private func candidate(_ name: String, _ stage: Stage) -> Leadership {
    Leadership(
      .init(
        key: ObjectKey(namespace: Stage.namespace, name: "swiftwater-operator"), identity: name,
        duration: .seconds(1)), log: stage.log, onChange: { _ in })
  }

  private func servers(_ stage: Stage) throws -> [String: APIServer] {
    try Dictionary(uniqueKeysWithValues: stage.cluster.regions.map { ($0.name, try stage.client($0.name)) })
  }

  @Test func ofTwoCandidatesOneLeads() async throws {
    let stage = try await Stage(["a", "b", "c"], runsPods: false)
    let servers = try servers(stage)
    let (first, second) = (candidate("first", stage), candidate("second", stage))
    await first.attend(servers, of: 3)
    await second.attend(servers, of: 3)
    #expect(first.isLeading)
    #expect(!second.isLeading)
    await stage.end()
  }

  @Test func aMinorityOfTheMembersIsNotLed() async throws {
    let stage = try await Stage(["a"], runsPods: false)
    let lonely = candidate("lonely", stage)
    await lonely.attend(try servers(stage), of: 3)
    #expect(!lonely.isLeading)
    await lonely.attend(try servers(stage), of: 1)
    #expect(lonely.isLeading)
    await stage.end()
  }

  @Test func whoeverSleptThroughItsTimeDoesNotLeadAndTheNextEpochIsHigher() async throws {
    let stage = try await Stage(["a", "b", "c"], runsPods: false)
    let servers = try servers(stage)
    let (first, second) = (candidate("first", stage), candidate("second", stage))
    await first.attend(servers, of: 3)
    let epoch = first.mandate.epoch
    while !second.isLeading {
      await second.attend(servers, of: 3)
      #expect(!(first.isLeading && second.isLeading))
      try await Task.sleep(nanoseconds: 100_000_000)
    }
    #expect(second.mandate.epoch > epoch)
    #expect(!first.isLeading)
    // It wakes up, sees who leads, and does not take a single Lease back.
    await first.attend(servers, of: 3)
    #expect(!first.isLeading)
    #expect(second.isLeading)
    await stage.end()
  }

  @Test func aNewerEpochEndsALeadershipThatTheClockStillGrants() async throws {
    let stage = try await Stage(["a", "b", "c"], runsPods: false)
    let leader = candidate("leader", stage)
    await leader.attend(try servers(stage), of: 3)
    #expect(leader.isLeading)
    await leader.saw(epoch: leader.mandate.epoch + 1)
    #expect(!leader.isLeading)
    await stage.end()
  }

  @Test func aLeaderThatResignsIsFollowedAtOnce() async throws {
    let stage = try await Stage(["a", "b", "c"], runsPods: false)
    let servers = try servers(stage)
    let (first, second) = (candidate("first", stage), candidate("second", stage))
    await first.attend(servers, of: 3)
    await first.resign()
    await second.attend(servers, of: 3)
    #expect(second.isLeading)
    #expect(second.mandate.epoch > first.mandate.epoch)
    await stage.end()
  }

  @Test func losingOneMemberChangesNothing() async throws {
    let stage = try await Stage(["a", "b", "c"], runsPods: false)
    let servers = try servers(stage)
    let leader = candidate("leader", stage)
    await leader.attend(servers, of: 3)
    stage.cluster.regions[0].stop()
    for _ in 0..<4 {
      await leader.attend(servers, of: 3)
      #expect(leader.isLeading)
      try await Task.sleep(nanoseconds: 300_000_000)
    }
    await stage.end()
  }
}
