// swift-tools-version: 6.2
import PackageDescription

// Three kinds of modules, one folder each: what everyone may use, what decides, what touches the world.
// Who may import whom is written here and nowhere else; CI builds with
// `--explicit-target-dependency-import-check error`, so an import that is not listed does not compile.

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

func module(_ folder: String, _ name: String, uses dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, path: "Sources/\(folder)/\(name)", swiftSettings: strict)
}
func shim(_ folder: String, _ name: String) -> Target {
  .target(name: name, path: "Sources/\(folder)/\(name)", cSettings: [.unsafeFlags(["-O2"])])
}
func library(_ folder: String, _ name: String, apt package: String) -> Target {
  .systemLibrary(name: name, path: "Sources/\(folder)/\(name)", providers: [.apt([package])])
}
func tests(of name: String, uses dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies, path: "Tests/\(name)Tests",
    swiftSettings: strict)
}

let foundations: [Target] = [
  shim("Foundations", "CChecksum"),
  library("Foundations", "CZlib", apt: "zlib1g-dev"),
  library("Foundations", "CLZ4", apt: "liblz4-dev"),
  library("Foundations", "CZstd", apt: "libzstd-dev"),
  library("Foundations", "CSnappy", apt: "libsnappy-dev"),
  library("Foundations", "CPCRE2", apt: "libpcre2-dev"),
  library("Foundations", "CYAML", apt: "libyaml-dev"),
  module("Foundations", "Vocabulary"),
  module("Foundations", "Wire", uses: ["Vocabulary"]),
  module("Foundations", "KafkaProtocol", uses: ["Vocabulary", "Wire", "CChecksum"]),
  module("Foundations", "RecordCompression", uses: ["Vocabulary", "CZlib", "CLZ4", "CZstd", "CSnappy"]),
  module("Foundations", "JSONValue"),
  module("Foundations", "YAML", uses: ["JSONValue", "CYAML"]),
  module("Foundations", "KubernetesResources", uses: ["Vocabulary", "JSONValue"]),
]

let decisions: [Target] = [
  module("Decisions", "ClusterMetadata", uses: ["Vocabulary"]),
  module("Decisions", "Coordination", uses: ["Vocabulary"]),
  module("Decisions", "Consensus", uses: ["Vocabulary"]),
  module("Decisions", "Replication", uses: ["Vocabulary"]),
  module("Decisions", "MirrorPlanning", uses: ["Vocabulary"]),
  module(
    "Decisions", "Reconciliation", uses: ["Vocabulary", "JSONValue", "KubernetesResources", "MirrorPlanning"]),
]

let effects: [Target] = [
  shim("Effects", "CLinux"),
  shim("Effects", "CMalloc"),
  library("Effects", "CMicroHTTPD", apt: "libmicrohttpd-dev"),
  library("Effects", "CCurl", apt: "libcurl4-openssl-dev"),
  module("Effects", "EventLoop", uses: ["Vocabulary", "CLinux"]),
  module("Effects", "Processes", uses: ["Vocabulary", "EventLoop", "CLinux"]),
  module("Effects", "Telemetry", uses: ["Vocabulary"]),
  module("Effects", "HTTP", uses: ["Vocabulary", "EventLoop", "CLinux", "CMicroHTTPD"]),
  module("Effects", "LogStorage", uses: ["Vocabulary", "Wire", "KafkaProtocol", "RecordCompression"]),
  module("Effects", "KafkaClient", uses: ["Vocabulary", "KafkaProtocol", "RecordCompression", "EventLoop"]),
  module(
    "Effects", "KubernetesAPI",
    uses: ["Vocabulary", "JSONValue", "YAML", "EventLoop", "Telemetry", "CCurl", "CLinux"]),
]

let services: [Target] = [
  module(
    "Services", "Broker",
    uses: [
      "Vocabulary", "Wire", "KafkaProtocol", "RecordCompression", "ClusterMetadata", "Coordination", "EventLoop",
      "LogStorage", "Telemetry", "HTTP", "KafkaClient", "Consensus", "Replication", "MirrorPlanning", "CPCRE2",
    ]),
  module(
    "Services", "LocalKubernetes",
    uses: [
      "Vocabulary", "JSONValue", "YAML", "EventLoop", "Processes", "HTTP", "KubernetesAPI", "CLinux", "CPCRE2",
    ]),
  module(
    "Services", "Operator",
    uses: [
      "Vocabulary", "JSONValue", "KubernetesResources", "Reconciliation", "MirrorPlanning", "KafkaProtocol",
      "KafkaClient", "EventLoop", "HTTP", "KubernetesAPI", "Telemetry", "CMalloc",
    ]),
  module(
    "Services", "CommandLine",
    uses: [
      "Vocabulary", "KafkaProtocol", "RecordCompression", "EventLoop", "LogStorage", "KafkaClient", "Broker",
      "JSONValue",
      "KubernetesAPI", "KubernetesResources", "LocalKubernetes", "MirrorPlanning", "Operator", "Processes",
      "Telemetry", "YAML",
    ]),
]

let programs: [Target] = [
  .executableTarget(
    name: "swiftwater", dependencies: ["Broker", "CommandLine", "Operator", "Telemetry"],
    path: "Sources/Programs/swiftwater",
    swiftSettings: strict)
]

let testing: [Target] = [
  .target(
    name: "SimulatedWorld",
    dependencies: [
      "Vocabulary", "KafkaProtocol", "LogStorage", "Consensus", "Replication", "ClusterMetadata", "EventLoop",
      "KafkaClient", "Broker", "Telemetry", "MirrorPlanning", "Coordination",
    ],
    path: "Tests/SimulatedWorld", swiftSettings: strict),
  .executableTarget(
    name: "Simulate",
    dependencies: [
      "Vocabulary", "Broker", "Consensus", "Coordination", "Replication", "ClusterMetadata", "SimulatedWorld",
    ],
    path: "Tests/Simulate", swiftSettings: strict),
  .testTarget(
    name: "SimulationTests",
    dependencies: ["Broker", "Consensus", "Coordination", "Replication", "ClusterMetadata", "SimulatedWorld"],
    path: "Tests/SimulationTests", swiftSettings: strict),
  tests(of: "Consensus", uses: ["Vocabulary", "SimulatedWorld"]),
  tests(of: "Replication", uses: ["Vocabulary"]),
  tests(of: "MirrorPlanning", uses: ["Vocabulary"]),
  tests(of: "Wire", uses: ["Vocabulary"]),
  tests(of: "KafkaProtocol", uses: ["Vocabulary", "Wire", "CChecksum"]),
  tests(of: "RecordCompression", uses: ["Vocabulary"]),
  tests(of: "JSONValue"),
  tests(of: "YAML", uses: ["JSONValue"]),
  tests(of: "KubernetesResources", uses: ["JSONValue", "YAML"]),
  tests(of: "Reconciliation", uses: ["Vocabulary", "JSONValue", "YAML", "KubernetesResources", "MirrorPlanning"]),
  tests(of: "ClusterMetadata", uses: ["Vocabulary"]),
  tests(of: "Coordination", uses: ["Vocabulary"]),
  tests(of: "EventLoop", uses: ["Vocabulary", "CLinux"]),
  tests(of: "KafkaClient", uses: ["Vocabulary", "KafkaProtocol", "RecordCompression", "EventLoop"]),
  tests(
    of: "CommandLine",
    uses: [
      "Vocabulary", "KafkaProtocol", "RecordCompression", "JSONValue", "KubernetesAPI", "KubernetesResources", "YAML",
    ]),
  tests(of: "KubernetesAPI", uses: ["Vocabulary", "JSONValue", "YAML", "EventLoop", "Telemetry", "CLinux"]),
  tests(
    of: "Operator",
    uses: [
      "Vocabulary", "JSONValue", "YAML", "EventLoop", "Telemetry", "KubernetesResources", "Reconciliation",
      "KubernetesAPI", "KafkaClient", "KafkaProtocol", "LocalKubernetes",
    ]),
  tests(of: "LocalKubernetes", uses: ["Vocabulary", "JSONValue", "EventLoop", "Processes", "KubernetesAPI"]),
  tests(of: "Telemetry", uses: ["Vocabulary"]),
  tests(of: "HTTP", uses: ["Vocabulary", "EventLoop"]),
  tests(of: "LogStorage", uses: ["Vocabulary", "KafkaProtocol", "RecordCompression", "SimulatedWorld"]),
  tests(
    of: "Broker",
    uses: [
      "Vocabulary", "Wire", "KafkaProtocol", "ClusterMetadata", "Coordination", "EventLoop", "LogStorage", "Telemetry",
      "SimulatedWorld", "CLinux", "Consensus", "Replication", "KafkaClient", "MirrorPlanning",
    ]),
  .testTarget(name: "TidyTests", path: "Tests/TidyTests", swiftSettings: strict),
]

let package = Package(
  name: "swiftwater",
  products: [],
  targets: foundations + decisions + effects + services + programs + testing
)
