import Testing

@testable import CommandLine

@Suite struct DispatchTests {
  @Test func everyCommandHasHelpAndNeedsNoBrokerForIt() async {
    for command in allCommands {
      let heard = Heard()
      let console = heard.console()
      let words = [command.group, command.verb, "--help"].filter { !$0.isEmpty }
      #expect(await CommandLineTool.run(words, console: console) == 0, "\(command.name)")
      #expect(heard.output.contains("usage: swiftwater \(command.name)"))
      for option in command.options { #expect(heard.output.contains("--\(option.name)")) }
      #expect(CommandLineTool.help.contains("  \(command.name) "))
    }
  }

  @Test(arguments: [
    (["topcis", "list"], "unknown command topcis; did you mean topics?"),
    (["topics", "lst"], "topics: unknown command lst; did you mean list?"),
    (
      ["topics"],
      "topics needs one of list, describe, create, delete, add-partitions, offsets, reassign, reassignments, elect"
    ),
    (["topics", "reassign", "t"], "topics reassign needs --partition N"),
    (["topics", "reassign", "t", "--partition", "0"], "topics reassign needs either --replicas ID,… or --cancel"),
    (
      ["topics", "reassign", "t", "--partition", "0", "--replicas", "1,2,1"],
      "--replicas 1,2,1: names a broker twice"
    ),
    (["topics", "reassign", "t", "--partition", "0", "--replicas", "1,x"], "x is no node's number"),
    (["topics", "elect"], "topics elect needs either NAME or --all"),
    (["topics", "elect", "t", "--all"], "topics elect needs either NAME or --all"),
    (["topics", "elect", "--all", "--partition", "1"], "--partition needs the topic's name"),
    (["brokers", "unregister", "-1"], "-1 is no node's number"),
    (
      ["quorum", "add", "--controller-id", "4"],
      "quorum add needs --config FILE, or --controller-id, --controller-directory-id and --endpoint NAME://HOST:PORT"
    ),
    (
      ["quorum", "add", "--config", "f", "--controller-id", "4"],
      "quorum add takes either --config or the controller's ids and endpoint"
    ),
    (
      ["quorum", "remove", "--controller-id", "4", "--controller-directory-id", "AAAAAAAAAAAAAAAAAAAAAA"],
      "--controller-directory-id AAAAAAAAAAAAAAAAAAAAAA: is no directory id; meta.properties has it as directory.id"
    ),
    (
      ["quorum", "remove", "--controller-id", "4"], "quorum remove needs --controller-id and --controller-directory-id"
    ),
    (["quorum", "recover"], "quorum recover needs --folder PATH, the data folder of a node that survives"),
    (["topics", "list", "--no-such-option"], "unknown option --no-such-option"),
    (["topics", "list", "extra"], "topics list: extra is one operand too many"),
    (["topics", "create"], "topics create needs NAME"),
    (["topics", "create", "a/b"], "a/b is no topic's name: 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'"),
    (["topics", "list", "-o", "xml"], "--output xml: table or json is needed"),
    (
      ["topics", "list", "--bootstrap-server", "nowhere"],
      "--bootstrap-server nowhere: HOST:PORT is needed, with commas between several"
    ),
    (["produce", "t", "--acks", "2"], "--acks 2: all, 1 or 0 is needed"),
    (["produce", "t", "--acks", "1", "--idempotent"], "--idempotent needs --acks all"),
    (
      ["consume", "t", "--offset", "1", "--from-beginning"],
      "only one of --from-beginning, --offset and --from-timestamp can be meant"
    ),
    (
      ["groups", "reset-offsets", "g", "--topic", "t"],
      "exactly one of --to-earliest, --to-latest, --to-offset and --to-datetime is needed"
    ),
    (["configs", "describe", "table", "t"], "table: topic, broker or mirror is needed, and then its name"),
  ]) func whatCannotBeMeantEndsWithStatusTwoAndOneSentence(words: [String], sentence: String) async {
    let heard = Heard()
    #expect(await CommandLineTool.run(words, console: heard.console()) == 2)
    #expect(heard.errors == "swiftwater: \(sentence)\n")
    #expect(heard.output == "")
  }

  @Test func aBrokerThatIsNotThereIsAFailureThatNamesIt() async {
    let heard = Heard()
    #expect(await heard.run("topics", "list", "--bootstrap-server", "127.0.0.1:1") == 1)
    #expect(heard.errors == "swiftwater: cannot connect to 127.0.0.1:1: Connection refused\n")
  }
}
