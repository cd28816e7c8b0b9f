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
  static let exceptions = [
    "Sources/Effects/LogStorage/Append.swift: nonisolated(" + "unsafe)":
      "the closure of a lock may not capture the caller's buffer; it has ended before the caller goes on",
    "Sources/Services/Broker/Partitions/PartitionReplication.swift: nonisolated(" + "unsafe)":
      "as above: the records of a Fetch, under the lock of a partition",
    "Sources/Services/Broker/Partitions/PartitionWriting.swift: nonisolated(" + "unsafe)":
      "as above: the batch of a producer, under the lock of a partition",
    "Sources/Services/Broker/Mirroring/MirrorLane.swift: nonisolated(" + "unsafe)":
      "as above: what a mirror's source has sent, under the lock of a lane",
    "Sources/Services/Broker/Mirroring/PartitionMirroring.swift: nonisolated(" + "unsafe)":
      "as above: the same, under the lock of a partition",
    "Sources/Services/Broker/Groups/TopicPattern.swift: OpaquePointer":
      "the one owner of a pattern that PCRE2 has compiled",
  ]

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

  /// Bytes are looked into where they are read, written, sent or stored, and by the callers of C. Decisions know of no
  /// memory at all; services hand slices on that others have checked, and do not look inside.
  static let looks = [
    "Unmanaged", "OpaquePointer", "UnsafePointer<", "UnsafeMutablePointer<", "baseAddress", "loadUnaligned",
    "assumingMemoryBound", "bindMemory", ".allocate(byteCount",
  ]

  @Test func decisionsKnowOfNoMemory() {
    let found = Checkout.sources.filter { ($0.kind == "Decisions" || $0.module == "Vocabulary") }
      .filter { $0.text.contains("Unsafe") || $0.text.contains("withUnsafe") }.map(\.path)
    #expect(found == [])
  }

  @Test func servicesHandBytesOnAndDoNotLookInside() {
    let found = Checkout.sources.filter { $0.kind == "Services" }.flatMap { file in
      Self.looks.filter { file.text.contains($0) }.map { "\(file.path): \($0)" }
    }.filter { Self.exceptions[$0] == nil }
    #expect(found == [])
  }

  @Test func noPathOfOneMachineIsWrittenDown() {
    let paths = ["/ho" + "me/", "/ro" + "ot/", "/Us" + "ers/", "/wo" + "rk/", "/op" + "t/swift"]
    let found = Checkout.everything.filter { file in paths.contains { file.text.contains($0) } }.map(\.path)
    #expect(found == [])
  }
}
