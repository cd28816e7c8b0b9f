import Testing

@Suite struct LayoutTests {
  static let linesOfAFileMax = 600
  static let linesOfAFunctionMax = 60

  @Test func theCheckoutWasFound() {
    #expect(Checkout.sources.count > 5)
    #expect(Checkout.everything.contains { $0.path == "hack/lib.sh" })
  }

  @Test func noFileIsLongerThanAPersonReadsAtOnce() {
    let long = Checkout.everything.filter { $0.path.hasSuffix(".swift") || $0.path.hasSuffix(".py") }
      .filter { $0.lines.count - 1 > Self.linesOfAFileMax }.map { "\($0.path): \($0.lines.count - 1) lines" }
    #expect(long == [])
  }

  @Test func noFunctionIsLongerThanAPage() {
    let long = Checkout.swift.flatMap { file in
      functions(in: file.lines).filter { $0.length > Self.linesOfAFunctionMax }
        .map { "\(file.path):\($0.line): \($0.length) lines" }
    }
    #expect(long == [])
  }

  @Test func aLongFunctionIsCounted() {
    let body = Array(repeating: "    work(\"}\")  // {" as Substring, count: 70)
    let found = functions(in: ["  func long() {"] + body + ["  }", "  func short() { work() }"])
    #expect(found.map(\.length) == [72, 1])
  }

  @Test func everySourceBelongsToATargetOfThePackage() throws {
    let package = try #require(Checkout.read("Package.swift")).text
    let modules = Set(Checkout.sources.compactMap(\.module))
    #expect(modules.filter { !package.contains("\"\($0)\"") }.sorted() == [])
    #expect(Checkout.sources.filter { $0.module == nil }.map(\.path) == [])
  }

  @Test func everyTestTargetBelongsToThePackage() throws {
    let package = try #require(Checkout.read("Package.swift")).text
    let folders = Set(Checkout.files(below: "Tests", ending: ".swift").map { $0.path.split(separator: "/")[1] })
    let unknown = folders.subtracting(["Fuzz"]).filter { folder in
      let tested = folder.hasSuffix("Tests") ? String(folder.dropLast(5)) : String(folder)
      return !package.contains("\"\(folder)\"") && !package.contains("of: \"\(tested)\"")
    }
    #expect(unknown.sorted() == [])
  }

  /// Where functions begin and how many lines they have, by their braces. A closing brace ends the function when it
  /// stands where the function's own line begins.
  func functions(in lines: [Substring]) -> [(line: Int, length: Int)] {
    var found: [(line: Int, length: Int)] = []
    var open: [(line: Int, depth: Int, entered: Bool)] = []
    var depth = 0
    for (index, line) in lines.enumerated() {
      let code = withoutTextAndComments(line)
      let words = code.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
      let begins = words.contains("func") || words.first { !modifiers.contains(String($0)) } == "init"
      // A requirement of a protocol has no body: the next function begins before it was entered.
      if begins, let last = open.last, !last.entered { open.removeLast() }
      if begins { open.append((index, depth, false)) }
      for character in code {
        if character == "{" {
          depth += 1
          if let last = open.indices.last, !open[last].entered { open[last].entered = true }
        } else if character == "}" {
          depth -= 1
          if let last = open.last, last.entered, last.depth >= depth {
            found.append((last.line + 1, index - last.line + 1))
            open.removeLast()
          }
        }
      }
      if let last = open.last, !last.entered, depth < last.depth { open.removeLast() }
    }
    return found
  }

  let modifiers: Set<String> = [
    "public", "package", "internal", "private", "inlinable", "usableFromInline", "convenience",
  ]

  func withoutTextAndComments(_ line: Substring) -> String {
    var code = ""
    var inText = false
    var previous: Character = " "
    for character in line {
      if character == "\"" && previous != "\\" { inText.toggle() }
      if !inText && character == "/" && previous == "/" { break }
      if !inText { code.append(character) }
      previous = character
    }
    return code
  }
}
