import Testing

@testable import Broker

@Suite struct TopicPatternTests {
  private func matches(_ pattern: String, _ name: String) -> Bool? {
    guard let pattern = TopicPattern(pattern) else { return nil }
    return pattern.matches(name)
  }

  @Test func theWholeNameMustMatch() {
    #expect(matches("orders", "orders") == true)
    #expect(matches("order", "orders") == false)
    #expect(matches("rders", "orders") == false)
    #expect(matches("orders-.*", "orders-eu") == true)
    #expect(matches("a|ab", "ab") == true)
    #expect(matches("", "a") == false)
    #expect(matches("^orders$", "orders") == true)
    #expect(matches(".*", "anything") == true)
  }

  @Test(arguments: ["(", "[a", "*", "a{2,1}", "(?<n>a)(?<n>b)", #"\"#]) func whatIsNoPatternIsNone(text: String) {
    #expect(matches(text, "a") == nil)
  }

  @Test func aPatternThatIsTooLongIsNone() {
    #expect(matches(String(repeating: "a", count: TopicPattern.bytesMax + 1), "a") == nil)
    #expect(matches(String(repeating: "a", count: TopicPattern.bytesMax), "a") == false)
  }

  /// Without a limit on its steps this would take longer than the universe has existed.
  @Test(arguments: ["(a+)+$", "(a|a)*", "(a*)*c", "(.*a){50}c"]) func aPatternThatRunsForEverGivesUp(text: String) {
    #expect(matches(text, String(repeating: "a", count: 200) + "b") != true)
  }
}
