import Consensus
import Glibc
import SimulatedWorld

// Runs simulations of the quorum: one seed with its trace, or many seeds until one breaks a promise.

func fail(_ text: String) -> Never {
  print("simulate: \(text)")
  exit(2)
}

var arguments = Array(CommandLine.arguments.dropFirst())
var seed: UInt64?
var count: UInt64?
var first: UInt64 = 0
var planted: PlantedBug?
var isShort = false
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
  case "--plant":
    let name = value()
    guard let bug = PlantedBug(rawValue: name) else {
      fail("there is no bug \(name); there are \(PlantedBug.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    planted = bug
  default:
    guard let number = UInt64(word) else { fail("\(word) is not a seed") }
    seed = number
  }
}

@MainActor func options(_ seed: UInt64) -> QuorumSimulation.Options {
  var options = QuorumSimulation.Options(seed: seed, planted: planted)
  if isShort { options.troubledFor = QuorumSimulation.Options.shortTrouble }
  return options
}

if let count {
  var seen = QuorumSimulation.Seen()
  var steps = 0
  for seed in first..<(first + count) {
    let outcome = QuorumSimulation.run(options(seed))
    seen += outcome.seen
    steps += outcome.steps
    if let failure = outcome.failure {
      print("seed \(seed) after \(outcome.steps) steps: \(failure)")
      exit(1)
    }
  }
  print("\(count) seeds from \(first), \(steps) steps, every promise kept: \(seen)")
} else if let seed {
  var traced = options(seed)
  traced.traces = true
  let outcome = QuorumSimulation.run(traced)
  for line in outcome.trace { print(line) }
  print("seed \(seed), \(outcome.steps) steps, hash \(outcome.hash): \(outcome.failure ?? "every promise kept")")
  exit(outcome.failure == nil ? 0 : 1)
} else {
  fail("which seed?")
}
