import Processes
import Glibc
import JSONValue
import KubernetesAPI
import Vocabulary
import Testing

@testable import LocalKubernetes

/// With the kubectl that SWIFTWATER_TEST_KUBECTL names.
@Suite(.enabled(if: Kubectl.path != nil)) struct KubectlTests {
  @Test func kubectlAppliesGetsAndDeletes() throws {
    let server = try LocalAPIServer()
    let folder = "/tmp/local-kubectl-\(UInt64.random(in: 0...UInt64.max))"
    File.makeFolder(folder)
    defer { for name in File.names(in: folder) { File.remove("\(folder)/\(name)") } }
    let kubectl = Kubectl(folder: folder)
    LocalKubeconfig.write([.init(name: "l", url: server.url, token: "people")], to: folder + "/kubeconfig")
    File.replace(folder + "/crd.json", with: SchemaTests.definition.bytes())
    var topic = SchemaTests.topic(["cluster": ["name": "c"], "partitions": 3])
    File.replace(folder + "/topic.json", with: topic.bytes())
    #expect(try kubectl.run("apply -f \(folder)/crd.json").contains("created"))
    #expect(try kubectl.run("apply -f \(folder)/topic.json") == "kafkatopic.kafka.swiftwater.dev/t created\n")
    #expect(try kubectl.run("apply -f \(folder)/topic.json") == "kafkatopic.kafka.swiftwater.dev/t unchanged\n")
    #expect(try kubectl.run("apply --server-side -f \(folder)/topic.json").contains("serverside-applied"))
    #expect(try kubectl.run("get kafkatopics").hasPrefix("NAME   AGE\nt "))
    topic["spec"]["odd"] = 1
    File.replace(folder + "/topic.json", with: topic.bytes())
    #expect(try kubectl.run("apply -f \(folder)/topic.json").contains("unknown field \"spec.odd\""))
    #expect(try kubectl.run("create namespace other") == "namespace/other created\n")
    #expect(try kubectl.run("delete kafkatopic t").contains("deleted"))
    #expect(try kubectl.run("get kafkatopics").contains("No resources found"))
  }
}

private struct Kubectl {
  static let path = ProcessVariables.all["SWIFTWATER_TEST_KUBECTL"]
  let folder: String

  /// Everything that it printed.
  func run(_ words: String) throws -> String {
    let path = try #require(Self.path)
    let log = folder + "/output"
    File.remove(log)
    let child = try Child(
      [path] + words.split(separator: " ").map(String.init),
      environment: ["KUBECONFIG=\(folder)/kubeconfig", "HOME=\(folder)", "PATH=/usr/bin:/bin"], folder: folder, log: log
    )
    #expect(child.wait(.seconds(60)) != nil)
    return String(decoding: File.read(log) ?? [], as: UTF8.self)
  }
}
