import Testing
import Vocabulary

@testable import Broker

@Suite struct ControllerContactTests {
  private static func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }
  private let contact = ControllerContact(session: .seconds(2), at: at(10_000))

  @Test func aControllerIsSilentAfterASessionWithoutAnAnswer() {
    #expect(!contact.isSilent(at: Self.at(12_000)))
    #expect(contact.isSilent(at: Self.at(12_001)) && contact.mayHaveGivenUp(at: Self.at(12_001)))
  }

  /// The controller counts from when a heartbeat came, which is after it was sent.
  @Test func anAnswerCountsFromWhenItWasAskedFor() {
    contact.heard(Self.at(11_000))
    #expect(!contact.isSilent(at: Self.at(13_000)) && contact.isSilent(at: Self.at(13_001)))
  }

  @Test func whoeverStopsToBeTheControllerKnowsNothingUntilAnotherOneAnswers() {
    contact.heard(Self.at(11_000))
    contact.lost()
    #expect(contact.mayHaveGivenUp(at: Self.at(11_001)))
    // A broker that stops still waits for its session to be led out.
    #expect(!contact.isSilent(at: Self.at(11_001)))
    contact.heard(Self.at(11_002))
    #expect(!contact.mayHaveGivenUp(at: Self.at(11_003)))
  }
}
