import Testing

@Suite struct ImportTests {
  /// What the decisions and the lowest modules may import: neither the system nor Foundation. Time, chance and files
  /// are arguments there, so that a simulation can be the whole world.
  static let pure: [String: Set<String>] = [
    "Vocabulary": [],
    "Wire": ["Vocabulary"],
    "JSONValue": [],
    "KafkaProtocol": ["Vocabulary", "Wire", "CChecksum", "CCRC32C"],
    "ClusterMetadata": ["Vocabulary"],
    "Coordination": ["Vocabulary"],
    "Consensus": ["Vocabulary"],
    "Replication": ["Vocabulary"],
    "MirrorPlanning": ["Vocabulary"],
    "KubernetesResources": ["Vocabulary", "JSONValue"],
    "Reconciliation": ["Vocabulary", "JSONValue", "KubernetesResources", "MirrorPlanning"],
  ]

  @Test func decisionsKnowNeitherTheSystemNorTheWire() {
    let found = Checkout.sources.flatMap { file -> [String] in
      guard let module = file.module, let allowed = Self.pure[module] else { return [] }
      return file.imports.filter { !allowed.contains($0) }.map { "\(file.path) imports \($0)" }
    }
    #expect(found == [])
  }

  @Test func everyDecisionIsOnTheListAbove() {
    let decisions = Set(Checkout.sources.filter { $0.kind == "Decisions" }.compactMap(\.module))
    #expect(decisions.filter { Self.pure[$0] == nil }.sorted() == [])
  }

  @Test func decisionsAskNobodyForTheTimeOrForChance() {
    let words = [
      "SystemRandomNumberGenerator", ".random(", "ContinuousClock", "SuspendingClock", "Task {", "\nactor ",
      "public actor ",
    ]
    let found = Checkout.sources.filter { $0.kind == "Decisions" }.flatMap { file in
      words.filter { file.text.contains($0) }.map { "\(file.path) says \($0)" }
    }
    #expect(found == [])
  }

  @Test func servicesDoNotImportEachOther() {
    let services = Set(Checkout.sources.filter { $0.kind == "Services" }.compactMap(\.module))
    let found = Checkout.sources.filter { $0.kind == "Services" && $0.module != "CommandLine" }.flatMap { file in
      file.imports.filter { services.contains($0) && $0 != file.module }.map { "\(file.path) imports \($0)" }
    }
    #expect(found == [])
  }

  @Test func foundationStaysOutOfTheProgram() {
    let found = Checkout.sources.filter { $0.imports.contains("Foundation") }.map(\.path)
    #expect(found == [])
  }
}
