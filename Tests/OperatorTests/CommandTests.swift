import KubernetesAPI
import LocalKubernetes
import Testing

@testable import Operator

@Suite struct CommandTests {
  @Test(arguments: [
    (["--metrics-listener", "9404"], "HOST:PORT"), (["--kubeconfig"], "needs a value"),
    (["--contxt", "x"], "unknown option"),
    (["--log-level", "loud"], "trace, debug"),
  ])
  func aMistakeIsOneSentence(arguments: [String], words: String) {
    let mistake = #expect(throws: OperatorCommand.Mistake.self) { _ = try OperatorCommand.Options(arguments) }
    #expect(mistake?.description.contains(words) == true)
    #expect(mistake?.status == 2)
  }

  @Test func optionsAreWrittenEitherWay() throws {
    let options = try OperatorCommand.Options(["--namespace=kafka", "--metrics-listener", "[::1]:9404"])
    #expect(options.namespace == "kafka")
    #expect(options.listener?.host == "::1")
    #expect(options.listener?.port == 9404)
  }

  @Test func aMissingRightIsNamedByItsVerbAndItsResource() async throws {
    let stage = try await Stage(["a"], runsPods: false)
    let region = try #require(stage.cluster["a"])
    region.server?.inject(Fault(.refuse(code: 403), verb: "list", resource: ResourceName("apps", "statefulsets")))
    let home = try Kubeconfig(files: [region.insideKubeconfigPath]).target()
    let settings = OperatorService.Settings(home: home, namespace: Stage.namespace, identity: "it")
    let error = await #expect(throws: APIError.self) { try await OperatorCommand.checkRights(settings) }
    #expect(error?.description.contains("may not list statefulsets.apps in namespace kafka") == true)
    await stage.end()
  }
}
