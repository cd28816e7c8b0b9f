import Testing

@testable import CommandLine

@Suite struct ArgumentTests {
  static let options: [Option] = [
    .value("partitions", "N", ""), .flag("if-not-exists", ""), .values("config", "K=V", ""), .output,
  ]
  private func parse(_ words: String...) throws(UsageError) -> Arguments {
    try Arguments(words, options: Self.options)
  }

  @Test func optionsMayStandAnywhere() throws {
    let arguments = try parse("--partitions", "3", "name", "--if-not-exists", "-o", "json", "other")
    #expect(arguments.positionals == ["name", "other"])
    #expect(try arguments.number("partitions", in: 1...5) == 3)
    #expect(arguments.has("if-not-exists") && arguments.text("output") == "json")
  }

  @Test func aValueMayBeAttached() throws {
    let arguments = try parse("--partitions=3", "--config=a=b=c", "--config", "d=")
    #expect(arguments.text("partitions") == "3")
    let pairs = try Arguments.pairs(arguments.texts("config"))
    #expect(pairs.map(\.key) == ["a", "d"] && pairs.map(\.value) == ["b=c", ""])
  }

  @Test func behindTwoDashesNothingIsAnOption() throws {
    #expect(try parse("--", "--partitions", "-x").positionals == ["--partitions", "-x"])
  }

  @Test(arguments: [
    (["--partition", "3"], "unknown option --partition; did you mean --partitions?"),
    (["--zzz"], "unknown option --zzz"),
    (["--partitions"], "--partitions needs a value: N"),
    (["--partitions", "1", "--partitions", "2"], "--partitions is there twice"),
    (["--if-not-exists=yes"], "--if-not-exists takes no value"),
  ]) func whatCannotBeMeantIsRefused(words: [String], sentence: String) {
    let error = #expect(throws: UsageError.self) { _ = try Arguments(words, options: Self.options) }
    #expect(error?.description == sentence)
  }

  @Test(arguments: ["0", "6", "x", "99999999999999999999"]) func aNumberOutsideOfItsRangeIsRefused(text: String) throws
  {
    let arguments = try parse("--partitions", text)
    let error = #expect(throws: UsageError.self) { _ = try arguments.number("partitions", in: 1...5) }
    #expect(error?.description == "--partitions \(text): a number from 1 to 5 is needed")
  }

  @Test func theNearestWordIsFoundOnlyWhenItIsNear() {
    #expect(Spelling.nearest(to: "descirbe", among: ["list", "describe", "delete"]) == "describe")
    #expect(Spelling.nearest(to: "frobnicate", among: ["list", "describe", "delete"]) == nil)
    #expect(Spelling.distance("kitten", "sitting") == 3)
    #expect(Spelling.distance("", "abc") == 3)
  }
}
