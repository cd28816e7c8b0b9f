import Testing

@Suite struct WordTests {
  /// A word that must not stand in our code, and what to do instead. They are spelled in two halves, so that this
  /// file does not find itself.
  static let banned: [(word: String, instead: String)] = [
    ("TO" + "DO", "do it, or say in docs/limits.md that it is not there"),
    ("FIX" + "ME", "mend it, with a test that fails first"),
    ("XC" + "Test", "use Swift Testing"),
    ("fatalError(\"un" + "implemented", "refuse the request with an error code"),
    ("try" + "!", "handle the error"),
    ("import Foundation" + "\n", "use Glibc, or FoundationEssentials: all of it makes every process 10 MB larger"),
    ("nonisolated(" + "unsafe)", "use a Mutex, an Atomic, or an owner"),
    ("Thread." + "sleep", "wait for the event"),
  ]

  /// Where a word is right after all, and why.
  static let exceptions: [String: String] = [:]

  @Test(arguments: banned.map(\.word)) func aBannedWordIsNowhere(word: String) throws {
    let instead = try #require(Self.banned.first { $0.word == word }).instead
    let found = Checkout.swift.filter { $0.text.contains(word) }.map(\.path)
      .filter { Self.exceptions["\($0): \(word)"] == nil }
    #expect(found == [], "\(instead)")
  }

  /// Files that may say that a type is safe to share although the compiler cannot see it, and why it is.
  static let uncheckedSendable: [String: String] = [:]

  @Test func whatTheCompilerCannotProveIsOnAListWithItsReason() {
    let word = "@un" + "checked Sendable"
    let found = Checkout.swift.filter { $0.text.contains(word) }.map(\.path)
    #expect(found.filter { Self.uncheckedSendable[$0] == nil } == [])
    #expect(Self.uncheckedSendable.keys.filter { !found.contains($0) }.sorted() == [], "no longer needed")
  }

  /// Where unsafe pointers may be touched: what reads and writes other people's bytes, and the C libraries' callers.
  /// Everywhere else bytes come as slices that these modules have checked.
  static let pointers = [
    "Wire", "KafkaProtocol", "RecordCompression", "EventLoop", "LogStorage", "HTTP", "Telemetry",
  ]

  @Test func unsafePointersStayWhereBytesAreReadAndWritten() {
    let found = Checkout.sources.filter { file in
      file.kind == "Decisions" || file.kind == "Services" || file.module == "Vocabulary"
    }.filter { file in
      ["UnsafePointer", "UnsafeMutable", "withUnsafe", "OpaquePointer", "Unmanaged"].contains { file.text.contains($0) }
    }.map(\.path).filter { Self.pointerExceptions[$0] == nil }
    #expect(found == [], "move it into one of \(Self.pointers)")
  }

  static let pointerExceptions: [String: String] = [:]

  @Test func noPathOfOneMachineIsWrittenDown() {
    let paths = ["/ho" + "me/", "/ro" + "ot/", "/Us" + "ers/", "/wo" + "rk/", "/op" + "t/swift"]
    let found = Checkout.everything.filter { file in paths.contains { file.text.contains($0) } }.map(\.path)
    #expect(found == [])
  }
}
