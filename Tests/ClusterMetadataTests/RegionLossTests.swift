import ClusterMetadata
import Testing
import Vocabulary

@Suite struct RegionLossTests {
  func cluster(_ configs: [String: String], on replicas: [Int32] = [1, 2, 3]) throws -> SmallCluster {
    var cluster = SmallCluster(["eu", "us", "ap", "eu"])
    try cluster.topic(on: replicas, configs)
    return cluster
  }
  func name(_ cluster: SmallCluster) -> [TopicPartition] {
    [TopicPartition(cluster.image.topicsByName[0].name, PartitionIndex(0))]
  }

  @Test func threeRegionsWithAMinimumOfTwoSurviveAnyOne() throws {
    let cluster = try cluster(["min.insync.replicas": "2", "min.insync.regions": "2"])
    #expect(cluster.image.regions == ["ap", "eu", "us"])
    for region in cluster.image.regions { #expect(cluster.image.losing(region, .asNow).isSurvived) }
  }

  @Test func aReplicaThatIsBehindMakesTheNextLossFelt() throws {
    var cluster = try cluster(["min.insync.replicas": "2"])
    try cluster.agree([1, 2])
    #expect(cluster.image.losing("us", .asNow).unwritable == name(cluster))
    #expect(cluster.image.losing("us", .asNow).leaderless.isEmpty)
    #expect(cluster.image.losing("ap", .asNow).isSurvived)
    #expect(cluster.image.losing("us", .everyoneInSync).isSurvived)
  }

  @Test func replicasInOneRegionGoWithIt() throws {
    let cluster = try cluster([:], on: [1, 4])
    let loss = cluster.image.losing("eu", .everyoneInSync)
    #expect(loss.leaderless == name(cluster) && loss.unwritable.isEmpty && !loss.isSurvived)
    #expect(cluster.image.losing("us", .asNow).isSurvived)
  }

  @Test func twoRegionsAreNotSurvivedWhenTwoAreWaitedFor() throws {
    let cluster = try cluster(["min.insync.regions": "2"], on: [1, 4, 2])
    #expect(cluster.image.losing("us", .everyoneInSync).unwritable == name(cluster))
  }

  @Test func observersDoNotSaveAPartition() throws {
    let cluster = try cluster(["placement.observers.per.region": "ap:1"], on: [1, 3])
    #expect(cluster.image.losing("eu", .everyoneInSync).leaderless == name(cluster))
  }

  @Test func anEligibleReplicaSavesTheRecordsButNotTheWrites() throws {
    var cluster = try cluster(["min.insync.replicas": "2"], on: [1, 2])
    try cluster.agree([1])
    #expect(cluster.image.losing("eu", .asNow).unwritable == name(cluster))
    cluster.fence(2)
    #expect(cluster.image.losing("eu", .asNow).leaderless == name(cluster))
  }

  /// What is foreseen is what happens when the brokers of the Region are fenced.
  @Test(arguments: ["eu", "us", "ap"]) func theForecastComesTrue(region: String) throws {
    for minimum in ["1", "2", "3"] {
      for replicas: [Int32] in [[1, 4], [1, 2], [1, 2, 3], [4, 2, 1]] {
        var cluster = try cluster(["min.insync.replicas": minimum], on: replicas)
        let loss = cluster.image.losing(region, .asNow)
        for broker in cluster.image.liveBrokers where broker.location.region == region {
          cluster.fence(broker.id.value)
        }
        #expect((cluster.leader == -1) == !loss.leaderless.isEmpty)
        let writable = cluster.leader != -1 && cluster.inSync.count >= Int(minimum) ?? 1
        #expect(writable == loss.isSurvived, "\(region) \(minimum) \(replicas)")
      }
    }
  }
}
