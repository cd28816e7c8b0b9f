import Replication
import Testing
import Vocabulary

@Suite struct ReplicationQuotaTests {
  private func at(_ milliseconds: Int64) -> Instant {
    Instant(nanoseconds: 5_000_000_000) + .milliseconds(milliseconds)
  }

  @Test func withoutARateNothingIsEverUsedUp() {
    var quota = ReplicationQuota(rate: nil, at: at(0))
    quota.take(.max, at: at(0))
    #expect(!quota.isUsedUp(after: .max, at: at(0)))
    #expect(quota.ready(at: at(7)) == at(7))
  }

  @Test func theLastAnswerMayTakeMoreThanThereIsAndIsPaidForAfterwards() {
    var quota = ReplicationQuota(rate: 1000, at: at(0))
    quota.take(999, at: at(0))
    #expect(!quota.isUsedUp(at: at(0)), "one byte is left")
    quota.take(3001, at: at(0))
    #expect(quota.isUsedUp(at: at(0)))
    #expect(quota.isUsedUp(at: at(3000)), "the debt is paid, and there is nothing yet")
    #expect(!quota.isUsedUp(at: at(3002)))
    let ready = quota.ready(at: at(1000))
    #expect(ready >= at(3001) && ready < at(3002))
    #expect(!quota.isUsedUp(at: ready))
  }

  @Test func noMoreIsSavedUpThanOneSecondBrings() {
    var quota = ReplicationQuota(rate: 1000, at: at(0))
    quota.take(1000, at: at(60_000))
    #expect(quota.isUsedUp(at: at(60_000)))
  }

  @Test func whatIsAboutToBeTakenCounts() {
    let quota = ReplicationQuota(rate: 1000, at: at(0))
    #expect(!quota.isUsedUp(after: 999, at: at(0)))
    #expect(quota.isUsedUp(after: 1000, at: at(0)))
  }

  @Test func aRateOfZeroLetsNothingThroughUntilItIsChanged() {
    var quota = ReplicationQuota(rate: 0, at: at(0))
    #expect(quota.isUsedUp(at: at(1_000_000)))
    #expect(quota.ready(at: at(0)) == .never)
    quota.change(rate: 1000, at: at(0))
    #expect(quota.isUsedUp(at: at(0)), "nothing was saved up")
    #expect(!quota.isUsedUp(at: at(1)))
  }

  @Test func aDebtIsPaidAtTheNewRateAndForgottenWithoutOne() {
    var quota = ReplicationQuota(rate: 1000, at: at(0))
    quota.take(11_000, at: at(0))
    quota.change(rate: 100_000, at: at(0))
    #expect(quota.isUsedUp(at: at(99)))
    #expect(!quota.isUsedUp(at: at(101)))
    quota.take(1_000_000, at: at(0))
    quota.change(rate: nil, at: at(0))
    #expect(!quota.isUsedUp(at: at(0)))
    quota.change(rate: 1000, at: at(0))
    #expect(!quota.isUsedUp(after: 999, at: at(0)), "a new limit begins with a full bucket")
  }

  @Test func aClockThatWasReadEarlierTakesNothingBack() {
    var quota = ReplicationQuota(rate: 1000, at: at(1000))
    quota.take(500, at: at(0))
    quota.take(400, at: at(900))
    #expect(!quota.isUsedUp(after: 99, at: at(1000)))
    #expect(quota.isUsedUp(after: 100, at: at(1000)))
  }

  /// Whoever takes whenever it may, in answers of any size, gets the rate, but for a second's worth and one answer.
  @Test(arguments: [Int64(1), 17, 1000, 1_000_003, 10_000_000_000])
  func overTimeTheRateHolds(rate: Int64) {
    var quota = ReplicationQuota(rate: rate, at: at(0))
    var now = at(0)
    var taken = 0.0
    var size = 1
    for _ in 0..<2000 {
      size = (size &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407) & 0xf_ffff
      now = quota.ready(at: now)
      #expect(!quota.isUsedUp(at: now))
      let allowed = Double(rate) * (Double((now - at(0)).nanoseconds) / 1e9 + 1)
      #expect(taken <= allowed * 1.000001)
      quota.take(size, at: now)
      taken += Double(size)
    }
  }
}
