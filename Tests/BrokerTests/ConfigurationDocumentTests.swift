import ClusterMetadata
import Glibc
import LogStorage
import Testing

@testable import Broker

@Suite struct ConfigurationDocumentTests {
  private static let path =
    "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    + "/docs/configuration.md"

  @Test func theDocumentSaysWhatTheTablesSay() throws {
    let wanted = Array(ConfigurationDocument.text.utf8)
    if getenv("SWIFTWATER_WRITE_DOCS") != nil { try write(wanted) }
    let size = try #require(try FileDisk().size(of: Self.path))
    var found = [UInt8](repeating: 0, count: Int(size))
    let file = try FileDisk().open(Self.path)
    _ = try found.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
    let different = zip(lines(found), lines(wanted)).first { $0 != $1 }
    #expect(different?.0 == different?.1, "SWIFTWATER_WRITE_DOCS=1 swift test --filter ConfigurationDocument mends it")
    #expect(found.count == wanted.count)
  }

  private func write(_ bytes: [UInt8]) throws {
    let file = try FileDisk().create(Self.path)
    try bytes.withUnsafeBytes { try file.write($0, at: 0) }
  }

  private func lines(_ bytes: [UInt8]) -> [Substring] {
    String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
  }

  @Test func everyKeyStandsInTheTableOnce() {
    let names = BrokerConfigs.all.map(\.name)
    #expect(names.filter { name in names.count { $0 == name } > 1 } == [])
  }

  @Test(arguments: BrokerConfigs.all.map(\.definition) + TopicConfigs.all.map(\.definition))
  func aDefaultIsOneOfTheValuesThatItsKeyTakes(definition: ConfigDefinition) {
    guard let value = definition.defaultValue else { return }
    #expect(definition.kind.complaint(about: value) == nil, "\(definition.name)=\(value)")
  }

  @Test func everyKeySaysWhatItMeansOrWhyItMeansNothing() {
    for known in BrokerConfigs.all {
      if case .none(let reason) = known.effect {
        #expect(!reason.isEmpty, "\(known.name)")
      } else {
        #expect(!known.definition.documentation.isEmpty, "\(known.name)")
      }
    }
    #expect(TopicConfigs.all.allSatisfy { !$0.definition.documentation.isEmpty })
  }

  @Test func aBrokerKeyOfATopicTakesTheSameValues() throws {
    for topic in TopicConfigs.all {
      // What is set on topics alone has none.
      guard let key = topic.brokerKeys.first else { continue }
      let known = try #require(BrokerConfigs.byName[key.name], "\(key.name)")
      #expect(known.definition.kind == topic.definition.kind)
      #expect(known.effect == .dynamic)
    }
  }
}
