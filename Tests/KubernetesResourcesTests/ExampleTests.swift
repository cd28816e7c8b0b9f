import FoundationEssentials
import JSONValue
import KubernetesResources
import Testing
import YAML

@Suite struct ExampleTests {
  @Test(arguments: [
    "laptop/regions", "laptop/cluster", "laptop/topics", "gitops/base/regions", "gitops/base/cluster",
    "gitops/base/topics", "kafkamirror",
  ])
  func anExampleHasNoMistakes(name: String) throws {
    let text = try String(contentsOfFile: "\(DefinitionTests.top)/examples/\(name).yaml", encoding: .utf8)
    let documents = try JSON.documents(inYAML: text)
    #expect(!documents.isEmpty)
    for document in documents {
      let mistakes: [Mistake]
      switch document["kind"].string {
      case Region.kind: mistakes = Region.read(document).mistakes
      case KafkaCluster.kind: mistakes = KafkaCluster.read(document).mistakes
      case KafkaTopic.kind: mistakes = KafkaTopic.read(document).mistakes
      case KafkaMirror.kind: mistakes = KafkaMirror.read(document).mistakes
      default: mistakes = [Mistake("kind", "is unknown.")]
      }
      #expect(mistakes == [])
    }
  }
}
