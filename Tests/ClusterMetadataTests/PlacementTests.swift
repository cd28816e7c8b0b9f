import ClusterMetadata
import Testing
import Vocabulary

@Suite struct PlacementTests {
  /// Three Regions with two zones of two brokers each.
  let cluster = SmallCluster(
    ["eu/a", "eu/a", "eu/b", "eu/b", "us/a", "us/a", "us/b", "us/b", "ap/a", "ap/a", "ap/b", "ap/b"])

  func created(_ partitions: Int32, _ configs: [String: String], factor: Int16? = nil) throws -> SmallCluster {
    var cluster = cluster
    let decision = cluster.create(partitions: partitions, factor: factor, configs)
    _ = try decision.answer.get()
    cluster.apply(decision.records)
    return cluster
  }
  func regions(_ cluster: SmallCluster, _ partition: PartitionState) -> [String] {
    partition.replicas.map(cluster.region).sorted()
  }

  @Test func replicasAreInAsManyRegionsAsThereAre() throws {
    let cluster = try created(12, [:])
    for partition in cluster.partitions { #expect(regions(cluster, partition) == ["ap", "eu", "us"]) }
    let leaders = Dictionary(grouping: cluster.partitions, by: \.leader)
    #expect(leaders.count == 12, "every broker leads one")
  }

  @Test func withMoreReplicasThanRegionsTheyAreInDifferentZones() throws {
    let cluster = try created(6, [:], factor: 6)
    for partition in cluster.partitions {
      #expect(Set(partition.replicas.compactMap { cluster.image.brokers[$0]?.rack }).count == 6)
    }
  }

  @Test func replicasAreWhereTheyAreAskedFor() throws {
    let cluster = try created(5, ["placement.replicas.per.region": "eu:2,us:1", "placement.leader.regions": "us"])
    for partition in cluster.partitions {
      #expect(regions(cluster, partition) == ["eu", "eu", "us"])
      #expect(cluster.region(partition.leader) == "us" && partition.replicas.first == partition.leader)
      let racks = Set(partition.replicas.compactMap { cluster.image.brokers[$0]?.rack })
      #expect(racks.count == 3, "two of one Region are in two zones")
    }
  }

  @Test func observersComeOnTopAndLast() throws {
    let cluster = try created(
      4, ["placement.replicas.per.region": "eu:2,us:1", "placement.observers.per.region": "ap:2"])
    for partition in cluster.partitions {
      #expect(partition.replicas.count == 5 && Array(partition.replicas.suffix(2)) == partition.observers)
      #expect(partition.observers.map(cluster.region) == ["ap", "ap"])
      #expect(Set(partition.inSync).isDisjoint(with: partition.observers))
    }
    let spread = try created(4, ["placement.observers.per.region": "ap:1"])
    for partition in spread.partitions { #expect(regions(spread, partition).filter { $0 == "ap" }.count == 1) }
  }

  @Test func aRegionThatIsNotAllowedGetsNothing() throws {
    let cluster = try created(6, ["placement.allowed.regions": "eu,ap"])
    for partition in cluster.partitions { #expect(!regions(cluster, partition).contains("us")) }
  }

  @Test func morePartitionsKeepTheRulesAndLevelTheLoad() throws {
    var cluster = try created(
      3, ["placement.replicas.per.region": "eu:2,us:1", "placement.observers.per.region": "ap:1"])
    cluster.apply(cluster.image.addPartitions(to: "t", total: 8, assigned: nil).records)
    var load: [NodeID: Int] = [:]
    for partition in cluster.partitions {
      #expect(regions(cluster, partition) == ["ap", "eu", "eu", "us"])
      for replica in partition.replicas { load[replica, default: 0] += 1 }
    }
    #expect(cluster.partitions.count == 8)
    #expect((1...4).map { load[NodeID($0)] ?? 0 } == [4, 4, 4, 4])
    #expect((5...8).map { load[NodeID($0)] ?? 0 } == [2, 2, 2, 2])
    let outside = cluster.image.addPartitions(
      to: "t", total: 9, assigned: [[NodeID(1), NodeID(5), NodeID(6), NodeID(9)]])
    #expect(refusal(of: outside.answer) == .invalidReplicaAssignment)
    let inside = cluster.image.addPartitions(
      to: "t", total: 9, assigned: [[NodeID(1), NodeID(2), NodeID(6), NodeID(9)]])
    #expect(inside.records.count == 1)
  }

  @Test(
    arguments: [
      (["placement.replicas.per.region": "eu:5"], nil, .invalidReplicationFactor),
      (["placement.replicas.per.region": "eu:2,us:1"], 2, .invalidReplicationFactor),
      (["placement.allowed.regions": "eu"], 5, .invalidReplicationFactor),
      (["placement.observers.per.region": "ap:5"], nil, .invalidReplicationFactor),
      (["placement.replicas.per.region": "mars:1"], nil, .invalidConfig),
      (["placement.leader.regions": "mars"], nil, .invalidConfig),
      (["placement.replicas.per.region": "eu:1", "placement.leader.regions": "us"], nil, .invalidConfig),
      (["placement.observers.per.region": "ap:1", "placement.leader.regions": "ap"], nil, .invalidConfig),
      (["placement.allowed.regions": "eu", "placement.leader.regions": "us"], nil, .invalidConfig),
      (["placement.allowed.regions": "eu", "placement.replicas.per.region": "us:1"], nil, .invalidConfig),
      (["placement.allowed.regions": "eu", "placement.observers.per.region": "us:1"], nil, .invalidConfig),
      (["placement.replicas.per.region": "eu:3", "min.insync.regions": "2"], nil, .invalidConfig),
      (["min.insync.regions": "4"], nil, .invalidConfig), (["min.insync.regions": "0"], nil, .invalidConfig),
      (["placement.replicas.per.region": "eu:0"], nil, .invalidConfig),
      (["placement.replicas.per.region": "eu:1,eu:2"], nil, .invalidConfig),
      (["placement.replicas.per.region": "eu"], nil, .invalidConfig),
      (["placement.allowed.regions": ""], nil, .invalidConfig),
      (["placement.leader.regions": "eu/a"], nil, .invalidConfig),
      (["unclean.leader.election.enable": "maybe"], nil, .invalidConfig),
    ] as [([String: String], Int16?, ErrorCode)])
  func aPlacementThatCannotBeIsRefused(configs: [String: String], factor: Int16?, code: ErrorCode) {
    let decision = cluster.create(partitions: 1, factor: factor, configs)
    #expect(refusal(of: decision.answer) == code)
    #expect(decision.records.isEmpty)
  }

  @Test func oneBrokerAloneRefusesToWaitForTwoRegions() {
    for rack in [nil, "eu"] as [String?] {
      let alone = SmallCluster([rack])
      let decision = alone.create(partitions: 1, factor: 1, ["min.insync.regions": "2"])
      #expect(refusal(of: decision.answer) == .invalidConfig)
      #expect(alone.create(partitions: 1, factor: 1, ["min.insync.regions": "1"]).records.isEmpty == false)
    }
  }

  @Test func anAssignmentByHandObeysToo() throws {
    func assign(_ replicas: [Int32], _ configs: [String: String]) throws -> SmallCluster {
      var cluster = cluster
      try cluster.topic(on: replicas, configs)
      return cluster
    }
    #expect(throws: Refusal.self) { try assign([1, 5], ["placement.allowed.regions": "eu"]) }
    #expect(throws: Refusal.self) { try assign([1, 5], ["placement.replicas.per.region": "eu:2"]) }
    #expect(throws: Refusal.self) { try assign([1, 2], ["min.insync.regions": "2"]) }
    #expect(throws: Refusal.self) { try assign([9], ["placement.observers.per.region": "ap:1"]) }
    #expect(throws: Refusal.self) { try assign([1, 5], ["placement.observers.per.region": "ap:1"]) }
    let fine = try assign([9, 1, 5], ["placement.observers.per.region": "ap:1", "min.insync.regions": "2"])
    #expect(fine.partition.replicas == [NodeID(1), NodeID(5), NodeID(9)] && fine.leader == 1)
  }

  @Test func rulesAreSetLaterOnlyWhereTheyHoldAlready() throws {
    var cluster = cluster
    try cluster.topic(on: [1, 5, 6])
    func alter(_ key: String, _ value: String) -> ErrorCode? {
      refusal(
        of: cluster.image.alter(.topic("t"), [(key, .set(value))], inherited: ConfigResolution(fixed: [:])).answer)
    }
    #expect(alter("placement.allowed.regions", "eu") == .invalidConfig)
    #expect(alter("placement.allowed.regions", "eu,us") == nil)
    #expect(alter("placement.replicas.per.region", "eu:2,us:1") == .invalidConfig)
    #expect(alter("placement.replicas.per.region", "eu:1,us:2") == nil)
    #expect(alter("placement.observers.per.region", "ap:1") == nil, "the next reassignment makes them")
    #expect(alter("placement.observers.per.region", "mars:1") == .invalidConfig)
    #expect(alter("min.insync.regions", "2") == nil)
    #expect(alter("min.insync.regions", "3") == .invalidConfig)
    #expect(alter("placement.leader.regions", "mars") == .invalidConfig)
    #expect(alter("placement.leader.regions", "us") == nil)
    cluster.apply(
      cluster.image.reassign(topic: "t", partition: PartitionIndex(0), to: [NodeID(1), NodeID(5), NodeID(9)]).records)
    #expect(alter("placement.allowed.regions", "eu,us,ap") == .reassignmentInProgress)
  }

  @Test func theSameQuestionHasTheSameAnswerAndAnotherStartAnother() throws {
    let one = cluster.create(partitions: 7, ["min.insync.regions": "2"], id: 3)
    #expect(one.records == cluster.create(partitions: 7, ["min.insync.regions": "2"], id: 3).records)
    let firsts = try (0..<12).map { id in
      var copy = cluster
      let decision = copy.create(partitions: 1, [:], id: UInt64(id))
      _ = try decision.answer.get()
      copy.apply(decision.records)
      return copy.partition.leader
    }
    #expect(Set(firsts).count == 12, "topics of one partition do not meet on one broker")
  }

  /// Regions, zones and brokers of equal numbers: then everything can be even.
  @Test(arguments: 0..<150 as Range<UInt64>) func wherePossibleNothingDiffersByMoreThanOne(seed: UInt64) throws {
    var chance = Chance(seed: seed)
    let shape = (regions: chance.one(in: 1...4), zones: chance.one(in: 1...3), brokers: chance.one(in: 1...3))
    var racks: [String] = []
    for region in 0..<shape.regions {
      for zone in 0..<shape.zones { racks += Array(repeating: "r\(region)/z\(zone)", count: shape.brokers) }
    }
    racks.shuffle(using: &chance)
    var cluster = SmallCluster(racks)
    let factor = chance.one(in: 1...racks.count)
    let decision = cluster.create(
      partitions: Int32(chance.one(in: 1...40)), factor: Int16(factor), [:], id: UInt64(chance.one(in: 0...99)))
    _ = try decision.answer.get()
    cluster.apply(decision.records)
    func differ(_ counts: [Int]) -> Int { (counts.max() ?? 0) - (counts.min() ?? 0) }
    var load = Dictionary(uniqueKeysWithValues: cluster.image.liveBrokers.map { ($0.id, 0) })
    for partition in cluster.partitions {
      var byRegion = Dictionary(uniqueKeysWithValues: cluster.image.regions.map { ($0, 0) })
      var byRack = Dictionary(uniqueKeysWithValues: Set(racks).map { ($0, 0) })
      for replica in partition.replicas {
        load[replica, default: 0] += 1
        byRegion[cluster.region(replica), default: 0] += 1
        byRack[cluster.image.brokers[replica]?.rack ?? "", default: 0] += 1
      }
      #expect(Set(partition.replicas).count == factor && partition.replicas.count == factor)
      #expect(differ(Array(byRegion.values)) <= 1)
      for region in cluster.image.regions {
        #expect(differ(byRack.filter { $0.key.hasPrefix(region + "/") }.map(\.value)) <= 1)
      }
    }
    #expect(differ(Array(load.values)) <= 1, "\(load)")
  }

  /// Regions and zones of any size: none has two replicas more than another that still has room, and brokers side by
  /// side have as many of the topic as each other, or one more.
  @Test(arguments: 0..<150 as Range<UInt64>) func whereThereIsRoomNoRegionAndNoZoneIsPassedOver(seed: UInt64) throws {
    var chance = Chance(seed: seed)
    var racks: [String] = []
    for region in 0..<chance.one(in: 1...4) {
      for zone in 0..<chance.one(in: 1...3) {
        racks += Array(repeating: "r\(region)/z\(zone)", count: chance.one(in: 1...4))
      }
    }
    var cluster = SmallCluster(racks.shuffled(using: &chance))
    let decision = cluster.create(
      partitions: Int32(chance.one(in: 1...30)), factor: Int16(chance.one(in: 1...min(6, racks.count))), [:],
      id: UInt64(chance.one(in: 0...99)))
    _ = try decision.answer.get()
    cluster.apply(decision.records)
    func isFair(_ counts: [String: Int], _ sizes: [String: Int]) -> Bool {
      sizes.allSatisfy { area, size in
        let count = counts[area, default: 0]
        return count == size || !counts.values.contains { $0 > count + 1 }
      }
    }
    let brokers = cluster.image.liveBrokers
    let regionSizes = Dictionary(grouping: brokers, by: \.location.region).mapValues(\.count)
    let zoneSizes = Dictionary(grouping: brokers, by: \.location).mapValues(\.count)
    var load: [NodeID: Int] = [:]
    for partition in cluster.partitions {
      let places = partition.replicas.compactMap { cluster.image.brokers[$0]?.location }
      #expect(isFair(Dictionary(grouping: places, by: \.region).mapValues(\.count), regionSizes))
      for region in regionSizes.keys {
        func named(_ place: BrokerLocation) -> String { place.zone }
        let counts = Dictionary(grouping: places.filter { $0.region == region }, by: named).mapValues(\.count)
        let sizes = zoneSizes.filter { $0.key.region == region }.map { ($0.key.zone, $0.value) }
        #expect(isFair(counts, Dictionary(uniqueKeysWithValues: sizes)))
      }
      for replica in partition.replicas { load[replica, default: 0] += 1 }
    }
    for side in Dictionary(grouping: brokers, by: \.location).values {
      let counts = side.map { load[$0.id, default: 0] }
      #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1)
    }
  }
}
