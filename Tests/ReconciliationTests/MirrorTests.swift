import KubernetesResources
import MirrorPlanning
import Reconciliation
import Testing
import Vocabulary

@Suite struct MirrorTests {
  @Test func aConditionSaysForWhichDiskThereIsNoRoom() throws {
    let situation = Self.situation(
      [Self.wanted(status: Self.recorded(.standby))],
      [
        "eu": Self.present("running") {
          $0.partitions[Self.place("orders", 1)]?.lacksRoom("the disk of /data has 7 bytes free")
        }
      ])
    let condition = try #require(Self.status(situation).conditions["Mirroring"])
    #expect(condition.status == .no && condition.reason == "DiskShort")
    #expect(condition.message.contains("1 of 2") && condition.message.contains("orders-1"))
    #expect(condition.message.contains("the disk of /data has 7 bytes free"))
  }

  static let source = ObjectID(.kafkaCluster, "kafka", "west")

  static func wanted(
    _ name: String = "eu", created: String = "2026", status: KafkaMirrorStatus = KafkaMirrorStatus(),
    _ change: (inout KafkaMirrorSpec) -> Void = { _ in }
  ) -> WantedMirror {
    var mirror = KafkaMirror()
    mirror.metadata = ObjectMeta(name: name, namespace: "kafka")
    mirror.spec.target = "east"
    mirror.spec.source.cluster = ClusterReference()
    mirror.spec.source.cluster?.name = "west"
    change(&mirror.spec)
    return WantedMirror(
      mirror, created: created, source: .cluster(source, bootstrapServers: ["west-0:9092", "west-1:9092"]),
      copies: ["a": .seen(RecordedCopy(generation: 3, status: status))])
  }

  /// Recorded as something that an operator has made, in a role.
  static func recorded(_ role: KafkaMirrorSpec.Role) -> KafkaMirrorStatus {
    var status = KafkaMirrorStatus()
    status.mirrorName = "eu"
    status.role = role.rawValue
    return status
  }

  /// A mirror in a state, as its settings should be.
  static func present(_ state: String, _ change: (inout MirrorFacts) -> Void = { _ in }) -> MirrorFacts {
    var facts = MirrorFacts()
    facts.settings = [
      "bootstrap.servers": "west-1:9092,west-0:9092", "topics": "*", "groups": "*", "gap.policy": "halt",
      "divergence.policy": "halt", "set.aside.bytes.max": "1073741824", "state": state,
      "source.cluster.id": "SOURCE", "generation": "1",
    ]
    facts.partitions = [place("orders", 0): copying(lag: 0), place("orders", 1): copying(lag: 0)]
    change(&facts)
    return facts
  }

  static func promoted(_ state: String) -> MirrorFacts {
    present(state) {
      $0.promoted = "2026-11-22T02:00:00Z"
      $0.settings["generation"] = "2"
      $0.partitions = [:]
    }
  }

  static func place(_ topic: String, _ index: Int32) -> TopicPartition {
    TopicPartition(TopicName(topic)!, PartitionIndex(index))
  }

  static func copying(lag: Int64, age: TimeSpan? = .milliseconds(100)) -> PartitionStatus {
    var status = PartitionStatus(state: .copying, start: Offset(0), end: Offset(100), mark: Offset(100))
    if let age {
      status.sourceEnd = Offset(100 + lag)
      status.age = age
    }
    return status
  }

  static func situation(
    _ mirrors: [WantedMirror], _ facts: [String: MirrorFacts] = [:], topics: [TopicFacts]? = nil
  ) -> MirrorSituation {
    var cluster = KafkaCluster()
    cluster.metadata = ObjectMeta(name: "east", namespace: "kafka")
    cluster.status.bootstrapServers = ["east-0:9092"]
    var brokers = BrokerFacts()
    brokers.leader = NodeID(100)
    let one = PartitionFacts(replicas: [NodeID(100)], inSync: [NodeID(100)], leader: NodeID(100))
    let isMirrored = facts["eu"].map { $0.promoted == nil && !$0.partitions.isEmpty } ?? false
    brokers.topics =
      topics
      ?? (isMirrored ? [TopicFacts("orders", id: "id", config: ["mirror.link": "eu"], partitions: [one, one])] : [])
    var situation = MirrorSituation(cluster: cluster, brokers: .seen(brokers), facts: .seen(facts), now: "now")
    situation.mirrors = mirrors
    return situation
  }

  static func asked(_ situation: MirrorSituation) -> [[String: String]] {
    MirrorReconciliation.plan(situation).plan.steps.compactMap {
      if case .ask(.alterMirror(let one)) = $0 { one.changes } else { nil }
    }
  }

  static func status(_ situation: MirrorSituation, of name: String = "eu") -> KafkaMirrorStatus {
    for case .writeStatus(let id, let json, _) in MirrorReconciliation.plan(situation).plan.steps where id.name == name
    {
      var mistakes: [Mistake] = []
      return KafkaMirrorStatus(reading: json, at: "status", mistakes: &mistakes)
    }
    return situation.mirrors.first { $0.mirror.metadata.name == name }?.copies["a"]?.content?.status ?? .init()
  }

  static func ready(_ situation: MirrorSituation, of name: String = "eu") -> Condition? {
    status(situation, of: name).conditions["Ready"]
  }

  // MARK: Standby

  @Test func aMirrorThatIsNotThereIsMadeWithItsSettingsAndWithoutAState() {
    let wanted = Self.wanted {
      $0.topics = ["orders", "pay*"]
      $0.gapPolicy = .accept
      $0.divergencePolicy = .setAside
      $0.setAsideBytesMax = 7
      $0.groups = []
    }
    #expect(
      Self.asked(Self.situation([wanted])) == [
        [
          "bootstrap.servers": "west-0:9092,west-1:9092", "topics": "orders,pay*", "groups": "",
          "gap.policy": "accept", "divergence.policy": "set-aside", "set.aside.bytes.max": "7",
        ]
      ])
  }

  enum Limit: String, CaseIterable {
    case rate = "mirror.throttled.rate"
    case buffer = "mirror.fetch.buffer.bytes"
    case fetchers = "num.mirror.fetchers"

    var usual: String {
      switch self {
      case .rate: "\(Int64.max)"
      case .buffer: "33554432"
      case .fetchers: "1"
      }
    }
    func set(_ value: Int, in spec: inout KafkaMirrorSpec) {
      switch self {
      case .rate: spec.throttledRate = value
      case .buffer: spec.fetchBufferBytes = value
      case .fetchers: spec.fetchers = value
      }
    }
  }

  @Test(arguments: Limit.allCases) func aLimitIsAskedForChangedAndTakenAway(limit: Limit) {
    let (key, usual) = (limit.rawValue, limit.usual)
    let limited = Self.wanted { limit.set(5, in: &$0) }
    #expect(Self.asked(Self.situation([limited])).first?[key] == "5")
    let present = Self.present("running")
    #expect(Self.asked(Self.situation([limited], ["eu": present])) == [[key: "5"]])
    let other = Self.present("running") { $0.settings[key] = "6" }
    #expect(Self.asked(Self.situation([limited], ["eu": other])) == [[key: "5"]])
    #expect(Self.asked(Self.situation([Self.wanted()], ["eu": other])) == [[key: usual]])
    let unlimited = Self.present("running") { $0.settings[key] = usual }
    #expect(Self.asked(Self.situation([Self.wanted()], ["eu": unlimited])) == [])
  }

  @Test func aSourceWithoutAddressesIsWaitedFor() {
    var wanted = Self.wanted()
    wanted.source = .cluster(Self.source, bootstrapServers: [])
    #expect(Self.asked(Self.situation([wanted])) == [])
    #expect(Self.ready(Self.situation([wanted]))?.reason == "WaitingForSource")
    // One that runs goes on where it is, whatever is not known of its source.
    #expect(Self.asked(Self.situation([wanted], ["eu": Self.present("running")])) == [])
  }

  @Test func atRestAMirrorCausesNoStep() {
    let facts = ["eu": Self.present("running")]
    var wanted = Self.wanted()
    let status = Self.status(Self.situation([wanted], facts))
    #expect(status.conditions["Ready"]?.status == .yes)
    #expect(status.conditions["Mirroring"]?.status == .yes && status.role == "Standby")
    wanted.copies = ["a": .seen(RecordedCopy(generation: 3, status: status))]
    #expect(MirrorReconciliation.plan(Self.situation([wanted], facts)).plan == Plan())
  }

  @Test func settingsThatDriftedArePutBackAndAddressesInAnotherOrderAreTheSame() {
    let drifted = Self.present("running") {
      $0.settings["gap.policy"] = "accept"
      $0.settings["topics"] = "orders"
    }
    #expect(
      Self.asked(Self.situation([Self.wanted()], ["eu": drifted])) == [["gap.policy": "halt", "topics": "*"]])
  }

  @Test func aPauseAndItsEndAreAskedOnce() {
    let paused = Self.wanted { $0.paused = true }
    #expect(Self.asked(Self.situation([paused], ["eu": Self.present("running")])) == [["state": "paused"]])
    #expect(Self.asked(Self.situation([paused], ["eu": Self.present("paused")])) == [])
    #expect(Self.ready(Self.situation([paused], ["eu": Self.present("paused")]))?.reason == "Paused")
    let resumed = Self.wanted(status: Self.recorded(.standby))
    #expect(Self.asked(Self.situation([resumed], ["eu": Self.present("paused")])) == [["state": "running"]])
  }

  @Test func aMirrorWithoutAResourceIsLeftAlone() {
    #expect(MirrorReconciliation.plan(Self.situation([], ["other": Self.present("running")])).plan == Plan())
  }

  // MARK: Changes of sides

  @Test(arguments: ["running", "paused"])
  func aRoleThatBecomesPrimaryIsASwitchoverThatIsAskedOnce(state: String) {
    let wanted = Self.wanted(status: Self.recorded(.standby)) { $0.role = .primary }
    #expect(Self.asked(Self.situation([wanted], ["eu": Self.present(state)])) == [["state": "switchover"]])
    let under = Self.situation([wanted], ["eu": Self.present("switchover")])
    #expect(Self.asked(under) == [])
    #expect(Self.ready(under)?.reason == "SwitchingOver")
    let done = Self.situation([wanted], ["eu": Self.promoted("switchover")])
    #expect(Self.asked(done) == [])
    #expect(Self.status(done).role == "Primary" && Self.ready(done)?.status == .yes)
  }

  @Test func aSourceThatCannotBeClosedIsNotAskedForASwitchoverAndTheStatusSaysWhatToDo() {
    let wanted = Self.wanted { $0.role = .primary }
    let foreign = Self.situation([wanted], ["eu": Self.present("running") { $0.settings["source.kind"] = "other" }])
    #expect(Self.asked(foreign) == [])
    #expect(Self.ready(foreign)?.reason == "SourceCannotBeClosed")
    #expect(Self.ready(foreign)?.message.contains("spec.failoverGeneration to 1") == true)
    let forced = Self.wanted {
      $0.role = .primary
      $0.failoverGeneration = 1
    }
    let lost = Self.situation([forced], ["eu": Self.present("running") { $0.settings["source.kind"] = "other" }])
    #expect(Self.asked(lost).map { $0["state"] } == ["failover"])
  }

  @Test func aSwitchoverThatWaitsSaysForWhatAndWhatWouldDoWithoutTheSource() {
    let wanted = Self.wanted { $0.role = .primary }
    let stuck = Self.present("switchover") { $0.problems = ["": "the source does not answer"] }
    let message = Self.ready(Self.situation([wanted], ["eu": stuck]))?.message ?? ""
    #expect(message.contains("It waits: the source does not answer."))
    #expect(message.contains("spec.failoverGeneration: 1"))
  }

  @Test(arguments: ["running", "paused", "switchover", "failback"])
  func aFailoverIsAskedForByTheGenerationThatThereIsAndNoOther(state: String) {
    let now = Self.wanted {
      $0.role = .primary
      $0.failoverGeneration = 1
    }
    let facts = ["eu": Self.present(state)]
    #expect(Self.asked(Self.situation([now], facts)) == [["state": "failover"]])
    #expect(Self.asked(Self.situation([now], ["eu": Self.present("failover")])) == [])
    let stale = ["eu": Self.present(state) { $0.settings["generation"] = "3" }]
    #expect(!Self.asked(Self.situation([now], stale)).contains(["state": "failover"]))
    let standby = Self.wanted { $0.failoverGeneration = 1 }
    #expect(!Self.asked(Self.situation([standby], facts)).contains(["state": "failover"]))
  }

  @Test func aDrillDoesNotCloseTheSource() {
    let wanted = Self.wanted {
      $0.role = .primary
      $0.failoverGeneration = 1
      $0.fencesSource = false
    }
    let facts = ["eu": Self.present("running")]
    #expect(
      Self.asked(Self.situation([wanted], facts)) == [["state": "failover", "source.fencing.enable": "false"]])
    let drilled = ["eu": Self.present("running") { $0.settings["source.fencing.enable"] = "false" }]
    #expect(Self.asked(Self.situation([Self.wanted()], drilled)) == [["source.fencing.enable": "true"]])
  }

  @Test func anOldOwnerThatWasNotToldYetIsNamed() {
    var owner = Self.promoted("failover")
    owner.settings["source.fencing.enable"] = "true"
    let wanted = Self.wanted { $0.role = .primary }
    #expect(Self.ready(Self.situation([wanted], ["eu": owner]))?.message.contains("does not know yet") == true)
    owner.settings["source.fenced"] = "2"
    #expect(Self.ready(Self.situation([wanted], ["eu": owner]))?.message.contains("does not know yet") == false)
  }

  @Test func aFailoverReportsWhatIsKnownToBeLostAndWhatIsNot() {
    let report = "generation=2;0:end=90,source.end=100,age.ms=350;1:end=5,source.end=unknown,age.ms=unknown;2:unknown"
    let topic = TopicFacts("orders", id: "id", config: ["mirror.report": report], partitions: [])
    let old = TopicFacts(
      "old", id: "x", config: ["mirror.report": "generation=1;0:end=1,source.end=9,age.ms=1"], partitions: [])
    let wanted = Self.wanted(status: Self.recorded(.standby)) { $0.role = .primary }
    let situation = Self.situation([wanted], ["eu": Self.promoted("failover")], topics: [topic, old])
    let promotion = Self.status(situation).lastPromotion
    #expect(promotion?.by == "Failover" && promotion?.generation == 2 && promotion?.partitions == 3)
    #expect(promotion?.knownLostRecords == 10 && promotion?.unknownPartitions == 2)
    #expect(promotion?.knownMillisecondsBefore == 350)
    #expect(Self.ready(situation)?.message.contains("of 2 of 3 partitions nothing is known") == true)
    #expect(Self.status(situation).lagRecords == nil, "an owner has no lag")
  }

  @Test func aRoleThatBecomesStandbyAgainIsAFailBackThatIsAskedOnce() {
    let wanted = Self.wanted(status: Self.recorded(.primary))
    #expect(Self.asked(Self.situation([wanted], ["eu": Self.promoted("switchover")])) == [["state": "failback"]])
    let under = Self.situation([wanted], ["eu": Self.present("failback")])
    #expect(Self.asked(under) == [] && Self.ready(under)?.reason == "FailingBack")
    #expect(Self.status(under).role == "Primary", "it is no Standby before it is done")
    let done = Self.situation([wanted], ["eu": Self.present("running")])
    #expect(Self.asked(done) == [] && Self.status(done).role == "Standby")
  }

  @Test func anOwnerThatNeverCopiedBecomesACopyByAFailBack() {
    let owner = Self.wanted(status: Self.recorded(.primary))
    #expect(Self.asked(Self.situation([owner])).first?["state"] == "failback")
    let resting = Self.present("paused") { $0.partitions = [:] }
    #expect(Self.asked(Self.situation([owner], ["eu": resting])) == [["state": "failback"]])
    let pausing = Self.wanted(status: Self.recorded(.primary)) { $0.paused = true }
    #expect(
      Self.asked(Self.situation([pausing], ["eu": resting])) == [["state": "failback"]], "it is a copy before it rests")
  }

  @Test func aSwitchoverIsGivenUpWhereTheRoleGoesBack() {
    let wanted = Self.wanted(status: Self.recorded(.standby))
    #expect(Self.asked(Self.situation([wanted], ["eu": Self.present("switchover")])) == [["state": "running"]])
    #expect(Self.asked(Self.situation([wanted], ["eu": Self.present("failover")])) == [], "a failover has no way back")
  }

  @Test func anOwnerNeedsNoMirrorAndOneThatWritesNothingRests() {
    let wanted = Self.wanted { $0.role = .primary }
    #expect(Self.asked(Self.situation([wanted])) == [])
    #expect(Self.ready(Self.situation([wanted]))?.status == .yes)
    let empty = Self.present("running") { $0.partitions = [:] }
    #expect(Self.asked(Self.situation([wanted], ["eu": empty])) == [["state": "paused"]])
    let unknown = Self.present("running") {
      $0.partitions = [:]
      $0.silent = [NodeID(101)]
    }
    #expect(
      Self.asked(Self.situation([wanted], ["eu": unknown])) == [["state": "switchover"]],
      "who does not answer may lead what it writes")
  }

  @Test func aFailBackIsGivenUpBeforeTheTopicsAreTakenOverAgain() {
    let wanted = Self.wanted(status: Self.recorded(.primary)) { $0.role = .primary }
    #expect(Self.asked(Self.situation([wanted], ["eu": Self.present("failback")])) == [["state": "running"]])
  }

  // MARK: What is said

  @Test func whatIsNotKnownIsNeverShownAsZero() {
    let silent = Self.present("running") {
      $0.partitions[Self.place("orders", 1)] = Self.copying(lag: 0, age: nil)
    }
    let status = Self.status(Self.situation([Self.wanted()], ["eu": silent]))
    #expect(status.lagRecords == nil && status.sourceReadingAge == nil)
    let missing = Self.present("running") { $0.partitions[Self.place("orders", 1)] = nil }
    let partial = Self.status(Self.situation([Self.wanted()], ["eu": missing]))
    #expect(partial.partitions?.unknown == 1 && partial.lagRecords == nil)
    #expect(partial.conditions["Mirroring"]?.status == .unknown)
    var nobody = Self.situation([Self.wanted(status: Self.recorded(.standby))])
    nobody.facts = .unknown(since: "t", why: "no answer")
    let unknown = Self.status(nobody)
    #expect(unknown.conditions["Ready"]?.status == .unknown && unknown.lagRecords == nil)
    #expect(unknown.role == "Standby", "what it was stays said")
  }

  @Test func anOldReadingIsNotReady() {
    let old = Self.present("running") {
      $0.partitions[Self.place("orders", 1)] = Self.copying(lag: 4, age: .seconds(90))
    }
    let status = Self.status(Self.situation([Self.wanted()], ["eu": old]))
    #expect(status.lagRecords == 4 && status.sourceReadingAge == "under 5m")
    #expect(status.conditions["Ready"]?.reason == "SourceSilent")
  }

  @Test func aPartitionThatStandsStillIsNamedWithItsReason() {
    let halted = Self.present("running") {
      $0.partitions[Self.place("orders", 1)]?.state = .halted
      $0.partitions[Self.place("orders", 1)]?.reason = "the source removed offsets 5 to 9"
    }
    let status = Self.status(Self.situation([Self.wanted()], ["eu": halted]))
    #expect(status.conditions["Halted"]?.status == .yes && status.partitions?.halted == 1)
    #expect(status.conditions["Halted"]?.message.contains("orders-1: the source removed offsets 5 to 9") == true)
    #expect(status.conditions["Ready"]?.status == .no)
    #expect(status.conditions["Reconciling"]?.status == .no, "nobody works on it: somebody has to decide")
  }

  @Test func whatIsLeftOutIsNamed() {
    let left = Self.present("running") { $0.problems = ["audit": "a topic of that name is written by clients here"] }
    let ready = Self.ready(Self.situation([Self.wanted()], ["eu": left]))
    #expect(ready?.reason == "LeftOut" && ready?.message.contains("audit: a topic of that name") == true)
  }

  @Test func figuresAloneAreWrittenNowAndThenOnly() {
    var wanted = Self.wanted()
    let first = Self.status(Self.situation([wanted], ["eu": Self.present("running")]))
    wanted.copies = ["a": .seen(RecordedCopy(generation: 3, status: first))]
    let later = Self.present("running") { $0.partitions[Self.place("orders", 0)] = Self.copying(lag: 5) }
    wanted.mayMeasure = false
    #expect(MirrorReconciliation.plan(Self.situation([wanted], ["eu": later])).plan.steps == [])
    wanted.mayMeasure = true
    #expect(Self.status(Self.situation([wanted], ["eu": later])).lagRecords == 5)
    wanted.mayMeasure = false
    let halted = Self.present("running") { $0.partitions[Self.place("orders", 0)]?.state = .halted }
    #expect(Self.status(Self.situation([wanted], ["eu": halted])).partitions?.halted == 1, "that is news")
  }

  // MARK: Mistakes

  @Test func aMistakeIsOneSentenceAndNothingThatRunsIsTouched() {
    let other = ["eu": Self.present("running") { $0.settings["topics"] = "else" }]
    func reason(_ change: (inout WantedMirror) -> Void) -> Condition? {
      var wanted = Self.wanted(status: Self.recorded(.standby))
      change(&wanted)
      let situation = Self.situation([wanted], other)
      #expect(Self.asked(situation) == [])
      return Self.status(situation).conditions["Stalled"]
    }
    let missing = reason { $0.source = .noSuchCluster(Self.source) }
    var lost = Self.wanted {
      $0.role = .primary
      $0.failoverGeneration = 1
    }
    lost.source = .noSuchCluster(Self.source)
    #expect(Self.asked(Self.situation([lost], other)) == [["state": "failover"]], "a failover needs no source")
    #expect(missing?.reason == "NoSuchSource" && missing?.message.contains("KafkaCluster kafka/west") == true)
    let same = reason { $0.source = .cluster(ObjectID(.kafkaCluster, "kafka", "east"), bootstrapServers: []) }
    #expect(same?.reason == "SourceIsTarget")
    let address = reason {
      $0.mirror.spec.source.cluster = nil
      $0.mirror.spec.source.bootstrapServers = ["east-0:9092"]
      $0.source = .given(["east-0:9092"])
    }
    #expect(address?.reason == "SourceIsTarget" && address?.message.contains("east-0:9092") == true)
    let port = reason {
      $0.mirror.spec.source.cluster = nil
      $0.mirror.spec.source.bootstrapServers = ["x:70000"]
      $0.source = .given(["x:70000"])
    }
    #expect(port?.message.contains("'x:70000'") == true)
    let moved = reason {
      var status = Self.recorded(.standby)
      status.target = "north"
      $0.copies = ["a": .seen(RecordedCopy(generation: 3, status: status))]
    }
    #expect(moved?.reason == "TargetChanged" && moved?.message.contains("'north'") == true)
    let both = reason { $0.mirror.spec.source.bootstrapServers = ["x:1"] }
    #expect(both?.message.contains("both cluster and bootstrapServers") == true)
    #expect(reason { $0.mirror.spec.topics = [] }?.message.contains("spec.topics is empty") == true)
    #expect(reason { $0.mistakes = [Mistake("spec.topics[0]", "is 'a*b'.")] }?.message.contains("'a*b'") == true)
  }

  @Test(arguments: [(["orders"], ["ord*"], true), (["a*"], ["b*"], false), (["*"], ["x"], true), (["x"], ["y"], false)])
  func ofTwoMirrorsForOneTopicTheOlderCounts(mine: [String], other: [String], isTaken: Bool) {
    let older = Self.wanted("eu", created: "2025") { $0.topics = other }
    let younger = Self.wanted("us", created: "2026") { $0.topics = mine }
    let situation = Self.situation([younger, older])
    #expect((Self.status(situation, of: "us").conditions["Stalled"]?.reason == "TopicsTaken") == isTaken)
    #expect(Self.status(situation, of: "eu").conditions["Stalled"]?.status == .no)
  }

  // MARK: Deletion

  static func deleted(_ facts: MirrorFacts?, _ change: (inout WantedMirror) -> Void = { _ in })
    -> MirrorReconciliation.Result
  {
    var wanted = wanted(status: recorded(.standby))
    wanted.mirror.metadata.deletionTimestamp = "t"
    change(&wanted)
    return MirrorReconciliation.plan(situation([wanted], facts.map { ["eu": $0] } ?? [:]))
  }

  @Test(arguments: ["running", "switchover", "failback"])
  func aMirrorRestsBeforeItsResourceGoesAndNothingIsPromoted(state: String) {
    let result = Self.deleted(Self.present(state))
    let pause = BrokerRequest.alterMirror(MirrorAlteration(mirror: "eu", changes: ["state": "paused"]))
    #expect(result.plan.steps == [.ask(pause)] && result.gone == [])
    #expect(Self.deleted(Self.present("paused")).gone.count == 1)
  }

  @Test func aDeletionWaitsForAFailoverAndLeavesWhatIsNotItsOwn() {
    #expect(Self.deleted(Self.present("failover")).gone == [])
    #expect(Self.deleted(Self.promoted("failover")).gone.count == 1)
    #expect(Self.deleted(nil).gone.count == 1)
    let retained = Self.deleted(Self.present("running")) { $0.mirror.spec.deletionPolicy = .retain }
    #expect(retained.gone.count == 1 && retained.plan.steps == [])
    let stranger = Self.deleted(Self.present("running")) {
      $0.copies = ["a": .seen(RecordedCopy(generation: 1, status: KafkaMirrorStatus()))]
    }
    #expect(stranger.gone.count == 1 && stranger.plan.steps == [])
  }

  // MARK: Topics that mirrors write

  @Test func aKafkaTopicLeavesWhatMirrorsWroteAlone() {
    let fenced = ["min.insync.regions": "2", "mirror.fence": "EAST:1", "mirror.report": "generation=2"]
    let atSource = TopicTests.situation([TopicTests.wanted("t")], [TopicTests.present("t", [[100, 200, 300]], fenced)])
    #expect(TopicTests.asked(atSource) == [], "a fence that is taken away opens the source in a switchover")
    let mirrored = ["min.insync.regions": "2", "mirror.link": "eu", "retention.ms": "9"]
    let copy = TopicTests.situation(
      [TopicTests.wanted("t", partitions: 5) { $0.config = ["retention.ms": "7"] }],
      [TopicTests.present("t", [[100, 200, 300]], mirrored)])
    #expect(TopicTests.asked(copy) == [])
    #expect(TopicTests.status(copy)?.conditions["Ready"]?.reason == "Mirrored")
    var made = TopicTests.situation([TopicTests.wanted("t")])
    made.makers = [TopicMaker(Self.wanted { $0.topics = ["t*"] }.mirror)].compactMap { $0 }
    #expect(TopicTests.asked(made) == [], "clients would own it, and the mirror would leave it out")
    #expect(TopicTests.status(made)?.conditions["Ready"]?.reason == "BeingMirrored")
    #expect(TopicMaker(Self.wanted { $0.role = .primary }.mirror) == nil)
    let own = TopicTests.situation([TopicTests.wanted("t") { $0.config = ["mirror.fence": "x"] }])
    #expect(TopicTests.status(own)?.conditions["Stalled"]?.message.contains("mirror.fence") == true)
  }
}
