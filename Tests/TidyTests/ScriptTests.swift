import Glibc
import Testing

@Suite struct ScriptTests {
  static let scripts = Checkout.files(below: "hack").filter { $0.text.hasPrefix("#!") }.map(\.path)

  @Test func thereAreScripts() {
    for name in ["bench", "check", "crash", "demo", "fuzz"] { #expect(Self.scripts.contains("hack/\(name)")) }
  }

  @Test(arguments: scripts) func aScriptAnswersHelpAndDoesNothingElse(path: String) throws {
    let full = Checkout.top + "/" + path
    try #require(access(full, X_OK) == 0, "it cannot be executed")
    let output = try #require(popen("'\(full)' --help 2>&1", "r"))
    var text: [UInt8] = []
    while case let byte = fgetc(output), byte >= 0 { text.append(UInt8(truncatingIfNeeded: byte)) }
    #expect(pclose(output) == 0)
    #expect(String(decoding: text, as: UTF8.self).contains("usage: \(path)"))
  }

  @Test(arguments: scripts.filter { !$0.hasSuffix(".py") }) func aScriptStopsAtTheFirstFailure(path: String) throws {
    let text = try #require(Checkout.read(path)).text
    #expect(text.contains("set -euo pipefail") || text.contains("/lib.sh"))
  }
}
