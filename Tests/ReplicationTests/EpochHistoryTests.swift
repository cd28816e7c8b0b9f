import Replication
import Testing
import Vocabulary

@Suite struct EpochHistoryTests {
  @Test func whatDoesNotRiseIsLeftOut() {
    let history = EpochHistory([
      EpochStart(LeaderEpoch(1), at: .zero), EpochStart(LeaderEpoch(3), at: Offset(5)),
      EpochStart(LeaderEpoch(2), at: Offset(7)), EpochStart(LeaderEpoch(4), at: Offset(5)),
    ])
    #expect(history.starts == [EpochStart(LeaderEpoch(1), at: .zero), EpochStart(LeaderEpoch(4), at: Offset(5))])
    #expect(history.latest == LeaderEpoch(4))
  }
}
