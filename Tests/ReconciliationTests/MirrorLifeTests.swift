import KubernetesResources
import MirrorPlanning
import Reconciliation
import Testing
import Vocabulary

/// Brokers that keep a mirror as the real ones do, and an operator that dies between any two of its steps.
private struct MirrorWorld {
  var spec = MirrorTests.wanted().mirror.spec
  var status = KafkaMirrorStatus()
  /// Nil while there is no mirror.
  var mirror: MirrorFacts?
  /// What was asked for that changed something.
  var verbs: [String] = []

  /// As the controller takes it: all or nothing.
  mutating func alter(_ changes: [String: String]) {
    var facts = mirror ?? MirrorTests.present("running") { $0.partitions = [:] }
    let now = facts.settings["state"] ?? ""
    if let next = changes["state"], next != now || facts.promoted != nil {
      let isTaking = facts.promoted == nil && (now == "failover" || now == "switchover")
      switch next {
      case "failback" where isTaking: return
      case "failback": facts.promoted = nil
      case "switchover" where now == "failback": return
      default: if facts.promoted != nil || now == "failover" { return }
      }
      verbs.append(next)
    }
    facts.settings.merge(changes) { $1 }
    mirror = facts
  }

  /// The brokers take the next step of what they were asked for, the source being there.
  mutating func advance() {
    guard var facts = mirror, facts.promoted == nil else { return }
    switch facts.settings["state"] {
    case "running": facts.partitions = [MirrorTests.place("orders", 0): MirrorTests.copying(lag: 0)]
    case "failback":
      facts.partitions = [MirrorTests.place("orders", 0): MirrorTests.copying(lag: 0)]
      facts.settings["state"] = "running"
    case "switchover" where !facts.partitions.isEmpty, "failover":
      facts.promoted = "t"
      facts.partitions = [:]
      facts.settings["generation"] = "\((facts.settings["generation"].flatMap { Int($0) } ?? 1) + 1)"
    default: break
    }
    mirror = facts
  }

  var plan: Plan {
    var wanted = MirrorTests.wanted(status: status)
    wanted.mirror.spec = spec
    let situation = MirrorTests.situation([wanted], mirror.map { ["eu": $0] } ?? [:], topics: [])
    return MirrorReconciliation.plan(situation).plan
  }

  mutating func perform(_ step: Step) {
    switch step {
    case .ask(.alterMirror(let one)): alter(one.changes)
    case .writeStatus(_, let json, _):
      var mistakes: [Mistake] = []
      status = KafkaMirrorStatus(reading: json, at: "status", mistakes: &mistakes)
    default: break
    }
  }

  /// One look of an operator that dies before any of its steps, or performs them in either order, as their lanes are.
  mutating func look(_ chance: inout Chance) {
    let steps = chance.isTrue() ? plan.steps : plan.steps.reversed()
    for step in steps {
      if chance.isTrue(oneIn: 5) { return }
      perform(step)
    }
    if chance.isTrue() { advance() }
  }

  /// Until there is nothing to do.
  mutating func settle(_ chance: inout Chance) -> Bool {
    for _ in 0..<200 {
      look(&chance)
      if plan == Plan() { return true }
      advance()
    }
    return false
  }
}

private struct Chance {
  var state: UInt64
  mutating func next(below limit: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(truncatingIfNeeded: state >> 33) % limit
  }
  mutating func isTrue(oneIn count: Int = 2) -> Bool { next(below: count) == 0 }
}

@Suite struct MirrorLifeTests {
  @Test(arguments: 0..<40)
  func whoeverDiesWhenARoleIsReachedByOneVerb(seed: UInt64) {
    var chance = Chance(state: seed &+ 1)
    var world = MirrorWorld()
    let isSettled = world.settle(&chance)
    #expect(isSettled)
    #expect(world.status.role == "Standby" && world.verbs.filter { $0 != "running" } == [])
    for _ in 0..<6 {
      world.verbs = []
      let generation = world.mirror?.settings["generation"].flatMap { Int($0) }
      if world.spec.role == .standby {
        let isForced = chance.isTrue()
        world.spec.role = .primary
        world.spec.failoverGeneration = isForced ? generation : chance.next(below: 2) == 0 ? nil : 99
        let isSettled = world.settle(&chance)
        #expect(isSettled)
        #expect(world.verbs == [isForced ? "failover" : "switchover"])
        #expect(world.mirror?.promoted != nil && world.status.role == "Primary")
        #expect(world.status.generation == (generation ?? 0) + 1)
      } else {
        // What the last failover was for is left standing there, and means nothing any more.
        world.spec.role = .standby
        let isSettled = world.settle(&chance)
        #expect(isSettled)
        #expect(world.verbs == ["failback"])
        #expect(world.mirror?.promoted == nil && world.status.role == "Standby")
      }
    }
  }

  @Test(arguments: 0..<40)
  func whateverIsCommittedInWhichOrderTheLastCommitHolds(seed: UInt64) {
    var chance = Chance(state: seed &+ 1000)
    var world = MirrorWorld()
    for _ in 0..<20 {
      switch chance.next(below: 4) {
      case 0: world.spec.role = world.spec.role == .standby ? .primary : .standby
      case 1: world.spec.paused.toggle()
      case 2: world.spec.failoverGeneration = chance.next(below: 4) + 1
      default: world.spec.gapPolicy = world.spec.gapPolicy == .halt ? .accept : .halt
      }
      for _ in 0..<chance.next(below: 4) { world.look(&chance) }
    }
    let isSettled = world.settle(&chance)
    #expect(isSettled)
    #expect(world.status.role == world.spec.role.rawValue)
    #expect(world.status.conditions["Ready"]?.status == .yes)
    if world.spec.role == .standby {
      #expect(world.mirror?.settings["state"] == (world.spec.paused ? "paused" : "running"))
      #expect(world.mirror?.settings["gap.policy"] == world.spec.gapPolicy.rawValue.lowercased())
    }
  }
}
