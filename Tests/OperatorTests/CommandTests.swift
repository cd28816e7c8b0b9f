import KubernetesAPI
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
}
