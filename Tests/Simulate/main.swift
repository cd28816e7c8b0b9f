import Broker
import ClusterMetadata
import Consensus
import Coordination
import Glibc
import Replication
import SimulatedWorld

// Runs simulations: one seed with its trace, or many seeds until one breaks a promise.

func fail(_ text: String) -> Never {
  print("simulate: \(text)")
  exit(2)
}

enum WorldName: String, CaseIterable { case quorum, replication, cluster, brokers, mirrors, transactions }

var arguments = Array(CommandLine.arguments.dropFirst())
var seed: UInt64?
var count: UInt64?
var first: UInt64 = 0
var planted: String?
var plot: String?
var isShort = false
var logs: ClusterLogs?
var chosen = WorldName.allCases
/// What has happened in all seeds: where nothing happens, nothing is proved.
var seenInQuorums = QuorumSimulation.Seen()
var seenInClusters = ClusterSeen()
var seenInBrokers = BrokerSeen()
var seenInMirrors = MirrorSeen()
var seenInTransactions = TransactionSeen()
while !arguments.isEmpty {
  let word = arguments.removeFirst()
  func value() -> String {
    guard !arguments.isEmpty else { fail("\(word) needs a value") }
    return arguments.removeFirst()
  }
  switch word {
  case "--seeds":
    guard let number = UInt64(value()) else { fail("--seeds needs a number") }
    count = number
  case "--short": isShort = true
  case "--from":
    guard let number = UInt64(value()) else { fail("--from needs a number") }
    first = number
  case "--world":
    let name = value()
    guard let world = WorldName(rawValue: name) else {
      fail("there is no world \(name); there are \(WorldName.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    chosen = [world]
  case "--logs":
    let name = value()
    guard let known = ClusterLogs(rawValue: name) else {
      fail("logs are not \(name); they are \(ClusterLogs.allCases.map(\.rawValue).joined(separator: " or "))")
    }
    logs = known
  case "--plant": planted = value()
  case "--plot": plot = value()
  default:
    guard let number = UInt64(word) else { fail("\(word) is not a seed") }
    seed = number
  }
}

/// What one seed came to, in words that all worlds have.
struct Story {
  let failure: String?
  let steps: Int
  let hash: UInt64
  let trace: [String]
}

/// A mistake that is planted is one of the world's own, or the program ends with their names.
@MainActor func mistake<Bug>(_ all: [Bug], _ name: (Bug) -> String, in world: WorldName) -> Bug? {
  guard let planted else { return nil }
  if let bug = all.first(where: { name($0) == planted }) { return bug }
  fail("there is no bug \(planted) in the world \(world); there are \(all.map(name).joined(separator: ", "))")
}

/// So is a plot.
@MainActor func plot<Plot>(_ all: [Plot], _ name: (Plot) -> String, in world: WorldName) -> Plot? {
  guard let plot else { return nil }
  if let known = all.first(where: { name($0) == plot }) { return known }
  fail("there is no plot \(plot) in the world \(world); there are \(all.map(name).joined(separator: ", "))")
}

@MainActor func tell(_ world: WorldName, _ seed: UInt64, traces: Bool) -> Story {
  switch world {
  case .quorum:
    let bug = mistake(Consensus.PlantedBug.allCases, \.rawValue, in: world)
    var options = QuorumSimulation.Options(seed: seed, planted: bug)
    if isShort { options.troubledFor = QuorumSimulation.Options.shortTrouble }
    options.traces = traces
    let outcome = QuorumSimulation.run(options)
    seenInQuorums += outcome.seen
    return Story(failure: outcome.failure, steps: outcome.steps, hash: outcome.hash, trace: outcome.trace)
  case .replication:
    let bug = mistake(Replication.PlantedBug.allCases, \.rawValue, in: world)
    let report = ReplicatedSimulation(seed: seed, planted: bug).run()
    return Story(failure: report.violation, steps: report.steps, hash: report.traceHash, trace: [])
  case .cluster:
    let bug = mistake(ClusterMistake.all, \.name, in: world)
    var options = ClusterSimulation.Options(
      seed: seed, planted: bug, logs: logs ?? .usual(for: seed, planted: bug))
    if isShort { options.troubledFor = ClusterSimulation.Options.shortTrouble }
    options.traces = traces
    let outcome = ClusterSimulation.run(options)
    seenInClusters += outcome.seen
    return Story(failure: outcome.failure, steps: outcome.steps, hash: outcome.hash, trace: outcome.trace)
  case .brokers:
    let bug = mistake(BrokerMistake.allCases, \.rawValue, in: world)
    var options = BrokerSimulation.Options(
      seed: seed, planted: bug, plot: plot(BrokerPlot.allCases, \.rawValue, in: world))
    if isShort { options.troubledFor = BrokerSimulation.Options.shortTrouble }
    options.traces = traces
    let outcome = BrokerSimulation.run(options)
    seenInBrokers += outcome.seen
    return Story(failure: outcome.failure, steps: outcome.steps, hash: outcome.hash, trace: outcome.trace)
  case .mirrors:
    let bug = mistake(MirrorMistake.allCases, \.rawValue, in: world)
    var options = MirrorSimulation.Options(
      seed: seed, planted: bug, plot: plot(MirrorPlot.allCases, \.rawValue, in: world))
    if isShort { options.troubledFor = MirrorSimulation.Options.shortTrouble }
    options.traces = traces
    let outcome = MirrorSimulation.run(options)
    seenInMirrors += outcome.seen
    return Story(failure: outcome.failure, steps: outcome.steps, hash: outcome.hash, trace: outcome.trace)
  case .transactions:
    let bug = mistake(Coordination.PlantedBug.allCases, \.rawValue, in: world)
    var options = TransactionSimulation.Options(seed: seed, planted: bug)
    if isShort { options.troubledFor = TransactionSimulation.Options.shortTrouble }
    options.traces = traces
    let outcome = TransactionSimulation.run(options)
    seenInTransactions += outcome.seen
    return Story(failure: outcome.failure, steps: outcome.steps, hash: outcome.hash, trace: outcome.trace)
  }
}

if planted != nil || plot != nil, chosen.count > 1 { fail("--plant and --plot need --world: each has its own") }
if let count {
  for world in chosen {
    var steps = 0
    /// Of all histories together: another process that runs them has the same.
    var hash: UInt64 = 0
    for seed in first..<(first + count) {
      let story = tell(world, seed, traces: false)
      steps += story.steps
      hash = (hash &* 0x100_0000_01b3) ^ story.hash
      if let failure = story.failure {
        print("\(world): seed \(seed) after \(story.steps) steps, hash \(story.hash): \(failure)")
        exit(1)
      }
    }
    print("\(world): \(count) seeds from \(first), \(steps) steps, hash \(hash): every promise kept")
    switch world {
    case .quorum: print(seenInQuorums)
    case .replication: break
    case .cluster: print(seenInClusters)
    case .brokers: print(seenInBrokers)
    case .mirrors: print(seenInMirrors)
    case .transactions: print(seenInTransactions)
    }
  }
} else if let seed {
  var isBroken = false
  for world in chosen {
    let story = tell(world, seed, traces: true)
    for line in story.trace { print(line) }
    let end = story.failure ?? "every promise kept"
    print("\(world): seed \(seed), \(story.steps) steps, hash \(story.hash): \(end)")
    if story.failure != nil { isBroken = true }
  }
  exit(isBroken ? 1 : 0)
} else {
  fail("which seed?")
}
