import JSONValue
import KubernetesAPI
import KubernetesResources
import LocalKubernetes
import Testing
import Vocabulary

@testable import Operator

private let regions = ["eu-west", "eu-central", "eu-north"]

@Suite(.serialized, .enabled(if: Stage.program != nil, "brokers need the built program"))
struct ThreeRegionTests {
  /// Three Regions, an operator in each, and the examples applied in the first.
  private func stage() async throws -> Stage {
    let stage = try await Stage(regions)
    for region in regions { try stage.startOperator(in: region) }
    try await stage.apply(example: "laptop/regions.yaml", in: "eu-west")
    try await stage.apply(example: "laptop/cluster.yaml", in: "eu-west")
    try await stage.apply(example: "laptop/topics.yaml", in: "eu-west")
    return stage
  }

  @Test func whatIsAppliedInOneMemberComesUpInAll() async throws {
    let stage = try await stage()
    try await stage.waitUntilReady(Kinds.clusters, "orders", in: "eu-west")
    try await stage.waitUntilReady(Kinds.topics, "payments", in: "eu-north")
    try await stage.waitUntilReady(Kinds.topics, "audit", in: "eu-central")
    await stage.end()
  }
}
